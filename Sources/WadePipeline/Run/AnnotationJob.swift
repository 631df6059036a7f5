//! What the commands `annotate` and `plan` do once their arguments are read.
import Foundation
import Glibc
import WadeTensor
import WadeVideo

/// A pipeline, what it is to be applied to, and where the answers go.
package struct AnnotationJob: Sendable {
    private let paths: [PathBytes]
    private let pipeline: Pipeline
    /// What the run writes: the output that the user named, or the part of it.
    private let output: PathBytes
    private let parts: PartName
    private let settings: RunSettings

    /// `output` is a file, or `-` for standard output; with a shard in `settings` the run writes that part of it.
    package init(
        paths: [PathBytes], pipeline: Pipeline, output: PathBytes, settings: RunSettings
    ) {
        self.paths = paths
        self.pipeline = pipeline
        parts = PartName(output)
        self.output = settings.shard.map { PartName(output).part($0) } ?? output
        self.settings = settings
    }

    private var isStandardOutput: Bool { output == PathBytes("-") }

    /// Whether what is written cannot be read again: standard output, or a pipe or device such as `/dev/stdout`. Then there is nothing
    /// to lock, nothing done before, and no folder for a summary.
    private var isStream: Bool {
        guard !isStandardOutput else { return true }
        let kind = (try? FileStatus.of(output, followingLinks: true))?.kind
        return kind == .other
    }

    /// Does what is left to do, holding the output's lock. Throws before any work when the pipeline's model or demonstrations cannot
    /// be read, and in the middle when the output cannot be written.
    package func run(stop: StopRequest, progress: (RunProgress) -> Void) throws -> RunSummary {
        try requireFileForParts()
        guard !isStream else {
            return try naming {
                let (plan, folder) = try makePlan()
                let writer =
                    isStandardOutput
                    ? try JSONLinesWriter.standardOutput() : try JSONLinesWriter(path: output)
                return try run(plan, folder, Ledger(), writer, stop, progress)
            }
        }
        let lock = try RunLock(output: output)
        // A night's work is not to end with the news that its summary has no place.
        try RunSummary.requirePlace(besides: output)
        let startedAt = Timestamp.now()
        var ledger = try Ledger(readingFrom: output)
        let summary = try naming {
            let (plan, folder) = try makePlan(agreeing: true)
            try ledger.cutTornLine(of: output)
            try addOthers(to: &ledger, plan)
            let latest = LatestSummary()
            stop.beforeAbandoning { [output] reason in
                try? latest.stopped(by: reason).append(
                    besides: output, plan: plan, startedAt: startedAt)
            }
            var summary = try run(plan, folder, ledger, try JSONLinesWriter(path: output), stop) {
                latest.update($0)
                progress($0)
            }
            summary.vanished = vanishedPaths(summary)
            guard stop.settle() else { return summary }
            try summary.append(besides: output, plan: plan, startedAt: startedAt)
            return summary
        }
        _ = consume lock
        return summary
    }

    /// The arguments that were there when the run began and are not any more: an unmounted disk is no folder whose files are done.
    private func vanishedPaths(_ summary: RunSummary) -> [String] {
        guard summary.skipped[SkipReason.gone.rawValue] != nil else { return [] }
        return paths.filter { FileStatus.isMissing($0) }.map(\.shown)
    }

    private func run(
        _ plan: RunPlan, _ model: String, _ ledger: Ledger, _ writer: consuming JSONLinesWriter,
        _ stop: StopRequest, _ progress: (RunProgress) -> Void
    ) throws -> RunSummary {
        var plan = plan
        plan.arrange(by: ledger)
        let budget = settings.memory.map { MemoryBudget(total: $0) }
        let decoders = DecoderPool(
            capacity: settings.workers, limits: settings.videoLimits, budget: budget,
            clipMemory: settings.clipMemoryLimit)
        let memory = budget.map {
            RunMemory(
                $0, decoders: decoders, workers: settings.workers,
                clipMemory: settings.clipMemoryLimit ?? DecoderMemory.unbounded)
        }
        try memory?.settle(more: try ModelLocation(pipeline.model).weightBytes())
        let cache = try settings.cache.flatMap { try CacheFolder.open($0) }
        let run = AnnotationRun<Tensor>(
            plan: plan, ledger: ledger,
            cut: clipCutter(pipeline.segmentation, decoders: decoders, cache: cache), stop: stop)
        var summary = try run.run(
            writer: writer, isReadable: !isStream,
            annotator: {
                let bundle = try ModelBundle(path: model)
                let kept = try cache.map {
                    try VisualTokenCache(
                        $0, bundle.configuration, weightsSHA256: plan.model.weightsSHA256,
                        pipeline: pipeline)
                }
                // Before the first record is written: what no file can change is no matter of records. With clips in the cache
                // it may be that no decoder is needed.
                if kept?.isEmpty ?? true { try requireDecoder(decoders) }
                try ModelLocation(pipeline.model).requireRecordedWeights(
                    cache: cache)
                let annotator = try FlamingoAnnotator(
                    bundle: bundle, pipeline: pipeline, decoders: decoders, cache: kept,
                    batch: settings.batch)
                try memory?.settle(
                    more: settings.workers * settings.batch * annotator.answerMemory)
                return annotator.annotator
            }, progress: progress)
        summary.complaints += cache?.complaints ?? []
        return summary
    }

    private func requireDecoder(_ decoders: DecoderPool) throws(PipelineError) {
        do throws(VideoError) { try decoders.requireProcess() } catch {
            if error.isFaultOfSystem { throw .system(error.message) }
        }
    }

    /// Errors of the model's rooms say what is wrong with its files; this says that they are the model's.
    private func naming<Value>(_ body: () throws -> Value) throws(PipelineError) -> Value {
        do {
            return try body()
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .file(path: pipeline.model, action: "load the model", reason: "\(error)")
        }
    }

    /// With `agreeing` a shard's tasks are told of the parts that this one follows.
    private func makePlan(agreeing: Bool = false) throws -> (plan: RunPlan, model: String) {
        let location = try ModelLocation(pipeline.model)
        try pipeline.checkForms(modelFolder: location.folder)
        var findings = try ClipFinder.find(paths, output: isStream ? nil : output)
        if let shard = settings.shard {
            let map = try shards(shard.count, findings, agreeing: agreeing)
            findings.files.removeAll { !map.holds($0.relativePath, in: shard) }
            // What is not taken is one part's to tell, not everybody's.
            if shard.index > 1 { findings.skipped = [] }
        }
        let plan = try RunPlan(
            pipeline: pipeline, model: try location.identity(), findings: findings,
            settings: settings)
        return (plan, location.folder)
    }

    /// What `run` would do, by names, sizes and times alone; changes nothing and takes no lock.
    package func forecast() throws -> RunForecast {
        try naming {
            var plan = try makePlan().plan
            var ledger = isStream ? Ledger() : try Ledger(readingFrom: output)
            try addOthers(to: &ledger, plan)
            plan.arrange(by: ledger)
            return RunForecast(plan: plan, ledger: ledger, estimate: estimate(plan))
        }
    }

    // MARK: - Parts

    /// Throws `request` when parts are asked for of something beside which none can lie.
    private func requireFileForParts() throws(PipelineError) {
        let kind = (try? FileStatus.of(parts.output, followingLinks: true))?.kind
        guard settings.shard != nil, kind == .other || parts.output == PathBytes("-") else {
            return
        }
        throw .request(
            found: "a shard of \(parts.output.shown), which is no file",
            expected: "a file's name, beside which the parts lie")
    }

    /// Which file belongs to which of `count` parts: as was agreed before, else balanced anew.
    private func shards(_ count: Int, _ findings: Findings, agreeing: Bool) throws(PipelineError)
        -> ShardMap
    {
        let path = parts.agreement(count)
        if let standing = try ShardMap.read(path, count: count) { return standing }
        let earlier = try parts.existing()
        let map = ShardMap(
            count: count, balancing: try weighed(findings, earlier.map(\.path)),
            followsParts: earlier.contains { $0.shard.count == count })
        return agreeing ? try map.agreed(at: path) : map
    }

    /// Files with what they are expected to cost. Those that `earlier` parts or the merged output tell of are as good as done.
    private func weighed(_ findings: Findings, _ earlier: [PathBytes]) throws(PipelineError)
        -> [ShardMap.Weighed]
    {
        let paths = Set(findings.files.map { PathIdentity($0.relativePath).pathHash })
        var ledger = Ledger()
        for other in earlier + [parts.output] { try ledger.add(other: other, about: paths) }
        let known = Set(
            ledger.entries.values.lazy.filter { !($0.isError && $0.isRetryable) }.map(\.path))
        let cost = ShardCost(pipeline, secondsPerAnswer: estimatedSecondsPerAnswer())
        return findings.files.map { file in
            let size = (try? FileStatus.of(file.path, followingLinks: true))?.size ?? 0
            let isDone = known.contains(PathIdentity(file.relativePath).pathHash)
            return ShardMap.Weighed(
                path: file.relativePath, cost: cost.seconds(bytes: size) * (isDone ? 0.001 : 1))
        }
    }

    /// What other parts, and what they were merged into, hold of this part's files. Parts of the same number hold none of them, unless
    /// the parts were agreed on anew; reading a thousand parts in each of a thousand tasks would take longer than the work.
    private func addOthers(to ledger: inout Ledger, _ plan: RunPlan) throws(PipelineError) {
        guard let shard = settings.shard else { return }
        let agreed = try ShardMap.read(parts.agreement(shard.count), count: shard.count)
        let readsAll = agreed?.followsParts ?? true
        for (other, path) in try parts.existing()
        where other.count != shard.count || (readsAll && other.index != shard.index) {
            try ledger.add(other: path, about: plan.paths)
        }
        try ledger.add(other: parts.output, about: plan.paths)
    }

    /// What each of `count` parts would have to do: files, and seconds by the same estimate as the whole's, nil without one.
    package func partLoads(_ count: Int) throws(PipelineError) -> [(files: Int, seconds: Double?)] {
        let findings = try ClipFinder.find(paths, output: isStream ? nil : output)
        let map = try shards(count, findings, agreeing: false)
        let estimate = estimatedSecondsPerAnswer()
        let cost = ShardCost(pipeline, secondsPerAnswer: estimate)
        var loads = [(files: Int, seconds: Double?)](
            repeating: (0, estimate.map { _ in 0 }), count: count)
        for file in findings.files {
            let size = (try? FileStatus.of(file.path, followingLinks: true))?.size ?? 0
            let owner = map.owner(of: file.relativePath)
            loads[owner].files += 1
            loads[owner].seconds? += cost.seconds(bytes: size)
        }
        return loads
    }

    /// Bytes of memory that a run with these settings takes at most: what the user says, else what the model and the largest clip need.
    func leastMemory() throws -> Int {
        if let memory = settings.memory { return memory }
        let (memory, precision) = try ModelMemory.needed(by: pipeline)
        return TaskNeeds.memory(
            weightBytes: memory.bytes(in: precision), workers: settings.workers,
            clipMemory: settings.clipMemory)
    }

    /// Seconds of an answer as far as a part's or the output's latest run, or a benchmark, knows; nil when neither does.
    private func estimatedSecondsPerAnswer() -> Double? {
        if let seconds = RunSummary.secondsPerAnswer(besides: output) { return seconds }
        let known = RunSummary.secondsPerAnswer(besides: parts.output)
        guard known == nil, let cache = settings.cache.flatMap({ try? CacheFolder.open($0) }),
            let model = try? ModelLocation(pipeline.model).identity()
        else { return known }
        let precision = pipeline.precision(storedAs: model.storedPrecision)
        return MeasuredSpeed.read(from: cache, model: model, precision: precision)?
            .secondsPerAnswer(pipeline, workers: settings.workers)
    }

    /// How long an answer takes: by the latest run into the same output, else by what `wade benchmark` measured of the model here.
    private func estimate(_ plan: RunPlan) -> RunForecast.Estimate? {
        if let seconds = RunSummary.secondsPerAnswer(besides: output) {
            return .init(secondsPerAnswer: seconds, source: .latestRun)
        }
        guard let cache = settings.cache.flatMap({ try? CacheFolder.open($0) }),
            let speed = MeasuredSpeed.read(
                from: cache, model: plan.model,
                precision: pipeline.precision(storedAs: plan.model.storedPrecision))
        else { return nil }
        return .init(
            secondsPerAnswer: speed.secondsPerAnswer(pipeline, workers: settings.workers),
            source: .benchmark)
    }
}

extension RunSettings {
    /// Cores that this process may use.
    package static var coreCount: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }
}
