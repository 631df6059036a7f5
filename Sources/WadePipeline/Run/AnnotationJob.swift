//! What the commands `annotate` and `plan` do once their arguments are read.
import Foundation
import Glibc
import WadeTensor
import WadeVideo

/// A pipeline, what it is to be applied to, and where the answers go.
package struct AnnotationJob: Sendable {
    private let paths: [PathBytes]
    private let pipeline: Pipeline
    private let output: PathBytes
    private let settings: RunSettings

    /// `output` is a file, or `-` for standard output.
    package init(
        paths: [PathBytes], pipeline: Pipeline, output: PathBytes, settings: RunSettings
    ) {
        self.paths = paths
        self.pipeline = pipeline
        self.output = output
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
            let (plan, folder) = try makePlan()
            try ledger.cutTornLine(of: output)
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
                try memory?.settle()
                return annotator.annotator
            }, progress: progress)
        summary.complaints = cache?.complaints ?? []
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

    private func makePlan() throws -> (plan: RunPlan, model: String) {
        let location = try ModelLocation(pipeline.model)
        try pipeline.checkForms(modelFolder: location.folder)
        let plan = try RunPlan(
            pipeline: pipeline, model: try location.identity(),
            findings: try ClipFinder.find(paths, output: isStream ? nil : output),
            settings: settings)
        return (plan, location.folder)
    }

    /// What `run` would do, by names, sizes and times alone; changes nothing and takes no lock.
    package func forecast() throws -> RunForecast {
        try naming {
            var plan = try makePlan().plan
            let ledger = isStream ? Ledger() : try Ledger(readingFrom: output)
            plan.arrange(by: ledger)
            return RunForecast(plan: plan, ledger: ledger, estimate: estimate(plan))
        }
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
