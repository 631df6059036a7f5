//! The last stage of a run: numbers the records, writes them, and counts.

internal import WadeTensor
import WadeVideo

/// Writes a run's records to its output in the order in which they are given.
struct RecordJournal: ~Copyable {
    private var writer: JSONLinesWriter
    private let plan: RunPlan
    private let ledger: Ledger
    private let keepsLines: Bool
    private var sequence: Int
    /// Where the lines of this run begin, and their length; the lines themselves when the output cannot be read back.
    private var written: [LedgerKey: (offset: Int, length: Int)] = [:]
    private var kept: [LedgerKey: [UInt8]] = [:]
    /// Keys whose records this run could not make, because their files changed under its hands, and these files.
    private var withheld: Set<LedgerKey> = []
    private var withheldFiles: Set<PathBytes> = []
    /// What has been written so far.
    private(set) var summary = RunSummary()

    /// A journal that appends with `writer`; `isReadable` says whether the output is a file.
    init(
        writer: consuming JSONLinesWriter, plan: RunPlan, ledger: Ledger, isReadable: Bool
    ) {
        self.writer = writer
        self.plan = plan
        self.ledger = ledger
        keepsLines = !isReadable
        sequence = ledger.lastSequence < .max ? ledger.lastSequence + 1 : 0
    }

    /// Writes the record of `answer` about an encoded clip, or of the failure to make one.
    mutating func write<Tokens>(
        _ job: ClipJob, _ line: ClipJob.Line, clip: EncodedClip<Tokens>?,
        answer: Result<ClipAnswer, ClipFailure>
    ) throws(PipelineError) {
        var record = base(job, line)
        if let clip { fill(&record, with: clip, file: job) }
        switch answer {
        case .success(let answer): fill(&record, with: answer, task: line.task)
        case .failure(let failure):
            record.status = .error
            record.error = AnnotationRecord.Failure(failure)
        }
        if let choice = job.identity.flatMap({ plan.shots?.choice(of: $0.digest) }) {
            record.demonstrations.ids += choice.ids
        }
        try append(record, key: line.key)
    }

    /// Writes that there is no record under the line's key any more.
    mutating func writeRemoval(_ job: ClipJob, _ line: ClipJob.Line) throws(PipelineError) {
        var record = base(job, line)
        record.status = .removed
        try append(record, key: line.key)
    }

    /// Writes the record of `line.copyOf` once more for another file with the same content.
    mutating func writeCopy(_ job: ClipJob, _ line: ClipJob.Line, of original: LedgerKey)
        throws(PipelineError)
    {
        let fresh = base(job, line)
        var record = fresh
        do {
            record = try AnnotationRecord(line: try self.line(of: original))
        } catch .record {
            record.status = .error
            record.error = AnnotationRecord.Failure(
                ClipFailure(
                    code: .internal, stage: .generate,
                    message: "the record with the same content cannot be read"))
        }
        record.key = fresh.key
        record.customID = fresh.customID
        record.video.id = fresh.video.id
        record.video.path = fresh.video.path
        record.video.pathBytesBase64 = fresh.video.pathBytesBase64
        record.video.mtime = fresh.video.mtime
        record.run = fresh.run
        record.sameAs = Hexadecimal.text(original.bytes)
        try append(record, key: line.key)
    }

    /// Leaves a clip to the next run, for its file has changed or gone since its content was read, and its frames need not be those
    /// of that content. A file that the user named gets a record that says so, under its path.
    mutating func withhold(_ job: ClipJob, because change: FileChange) throws(PipelineError) {
        withheld.formUnion(job.lines.map(\.key))
        guard withheldFiles.insert(job.file.path).inserted else { return }
        switch change {
        case .gone: summary.skipped[SkipReason.gone.rawValue, default: 0] += 1
        case .changed where job.file.isArgument:
            for task in plan.tasks(of: job.file) {
                let key = plan.key(unreadable: job.file.relativePath, task: task)
                let unread = ClipJob(job.file, failure: .changed, lines: [])
                try write(
                    unread, ClipJob.Line(task: task, key: key), clip: EncodedClip<Never>?.none,
                    answer: .failure(.changed))
            }
        case .changed: summary.deferred += 1
        }
    }

    /// Leaves a line to the next run.
    mutating func postpone(_ line: ClipJob.Line, of job: ClipJob) {
        withheld.insert(line.key)
        if withheldFiles.insert(job.file.path).inserted { summary.deferred += 1 }
    }

    /// Whether this run could not make the record under `key`.
    func isWithheld(_ key: LedgerKey) -> Bool { withheld.contains(key) }

    private func line(of key: LedgerKey) throws(PipelineError) -> [UInt8] {
        if let line = kept[key] { return line }
        if let place = written[key] {
            return try writer.line(at: place.offset, length: place.length)
        }
        guard let entry = ledger.entries[key] else {
            throw .record(field: "key", found: "nothing", expected: "a record to repeat")
        }
        guard entry.source > 0 else {
            return try writer.line(at: entry.offset, length: entry.length)
        }
        return try line(of: entry, under: key, in: ledger.others[Int(entry.source) - 1])
    }

    /// The line of another output, which may have been replaced since it was read: what stands there now must still be the record.
    private func line(of entry: Ledger.Entry, under key: LedgerKey, in path: PathBytes)
        throws(PipelineError) -> [UInt8]
    {
        var bytes = [UInt8](repeating: 0, count: entry.length)
        do {
            let count = try OpenFile(path, for: .reading).read(into: &bytes, at: entry.offset)
            bytes = Array(bytes.prefix(count))
        } catch {
            throw .file(path: path.shown, action: "read the part", reason: error.reason)
        }
        guard let record = try? AnnotationRecord(line: bytes),
            record.key == Hexadecimal.text(key.bytes)
        else {
            throw .file(
                path: path.shown, action: "repeat a record of it",
                reason: "it was replaced while this run worked; run again")
        }
        return bytes
    }

    private mutating func append(_ record: AnnotationRecord, key: LedgerKey) throws(PipelineError) {
        var record = record
        var line: [UInt8]
        do {
            line = try record.line()
        } catch .notFinite(let field, let found) {
            record = withoutAnswer(
                record, reason: "\(field): found \(found), expected a finite number")
            line = try record.line()
        }
        let offset = try writer.append(line)
        if keepsLines {
            kept[key] = line
        } else {
            written[key] = (offset, line.count - 1)
        }
        sequence += 1
        count(record)
    }

    private func withoutAnswer(_ record: AnnotationRecord, reason: String) -> AnnotationRecord {
        var record = record
        record.output = AnnotationRecord.Output()
        record.score = AnnotationRecord.Score()
        record.frames = AnnotationRecord.Frames()
        record.clip.start = 0
        record.clip.end = -1
        record.video.duration = -1
        record.video.averageFrameRate = -1
        record.status = .error
        record.error = AnnotationRecord.Failure(
            ClipFailure(code: .internal, stage: .generate, message: reason))
        return record
    }

    private mutating func count(_ record: AnnotationRecord) {
        if record.status == .removed { return }
        if record.status == .error {
            summary.failures += 1
            summary.failureCodes[record.error.code, default: 0] += 1
        } else if record.sameAs.isEmpty {
            summary.answers += 1
        } else {
            summary.copies += 1
        }
        if record.status == .degraded { summary.degraded += 1 }
    }

    /// Notes that a clip was encoded, or that its encoding was known.
    mutating func countClip(isCached: Bool) {
        summary.clips += 1
        if isCached { summary.cachedClips += 1 }
    }

    /// Brings everything to the disk.
    mutating func finish() throws(PipelineError) {
        try writer.synchronize()
    }

    // MARK: - Fields

    private func base(_ job: ClipJob, _ line: ClipJob.Line) -> AnnotationRecord {
        let task = plan.pipeline.tasks[line.task]
        let recipe = plan.recipes[line.task]
        var record = AnnotationRecord()
        record.key = Hexadecimal.text(line.key.bytes)
        record.recipeID = recipe.id
        fillFile(&record, job)
        record.clip.index = job.index
        record.clip.count = job.count
        record.clip.boundary = plan.pipeline.segmentation.boundary
        if let span = job.span {
            record.clip.start = span.start
            record.clip.end = span.end
        }
        record.frames.strategy = plan.pipeline.sampling.strategy
        record.task.id = task.id
        record.task.type = task.type
        record.task.question = task.question
        record.task.questionID = task.questionID
        record.task.choices = task.answerChoices
        record.demonstrations.setID = plan.setID(job.identity?.digest, task: line.task)
        record.demonstrations.policy = recipe.policy
        record.demonstrations.ids = recipe.demonstrationIDs
        record.model.name = plan.model.name
        record.model.weightsSHA256 = plan.model.weightsSHA256
        record.model.quantization =
            plan.pipeline.precision(storedAs: plan.model.storedPrecision).rawValue
        record.customID = customID(record)
        record.run.id = plan.runID
        record.run.sequence = sequence
        record.run.createdAt = Timestamp.now()
        record.run.wadeVersion = Program.version
        record.run.host = plan.host
        return record
    }

    private func fillFile(_ record: inout AnnotationRecord, _ job: ClipJob) {
        let path = job.file.relativePath
        record.video.id = path.stem.text
        record.video.path = path.text
        record.video.pathBytesBase64 = path.base64WhenLossy
        if let identity = job.identity { record.video.contentID = identity.text }
        if let status = job.identity?.status ?? job.status {
            record.video.bytes = status.size
            record.video.mtime = status.modified
        }
    }

    private func customID(_ record: AnnotationRecord) -> String {
        [
            ("{id}", record.video.id), ("{index}", "\(record.clip.index)"),
            ("{task}", record.task.id),
        ].reduce(plan.pipeline.customID) { text, part in
            PromptTemplate.split(text, at: part.0).joined(separator: part.1)
        }
    }

    private func fill<Tokens>(
        _ record: inout AnnotationRecord, with clip: EncodedClip<Tokens>, file job: ClipJob
    ) {
        record.video = clip.video
        fillFile(&record, job)
        record.clip.start = clip.span.start
        record.clip.end = clip.span.end
        record.frames = clip.frames
        if record.frames.strategy.isEmpty {
            record.frames.strategy = plan.pipeline.sampling.strategy
        }
        record.flags = Array(Set(clip.flags)).sorted()
        let isLossy = clip.frames.failed > 0 || clip.flags.contains(where: \.isLoss)
        record.status = isLossy ? .degraded : .ok
        record.run.decodeMilliseconds = clip.decodeMilliseconds
        record.run.visionMilliseconds = clip.visionMilliseconds
    }

    private func fill(_ record: inout AnnotationRecord, with answer: ClipAnswer, task: Int) {
        let task = plan.pipeline.tasks[task]
        record.output.raw = answer.raw
        if answer.isWithheld {
            record.status = .abstained
        } else {
            record.output.text =
                task.answerChoices.indices.contains(answer.choice)
                ? task.answerChoices[answer.choice] : task.answer(in: answer.raw)
            record.output.json = answer.json
            record.output.choice = answer.choice
        }
        record.output.choiceLogProbabilities = answer.choiceLogProbabilities
        record.output.finish = answer.finish
        record.output.tokens = answer.tokens
        record.output.attempts = answer.attempts
        record.score = answer.score
        if let retrieved = answer.retrieved {
            record.demonstrations.ids = retrieved.map(\.id)
            record.demonstrations.similarities = retrieved.map(\.similarity)
        }
        record.flags = Array(Set(record.flags + answer.flags)).sorted()
        record.run.prefillMilliseconds = answer.prefillMilliseconds
        record.run.generateMilliseconds = answer.generateMilliseconds
    }
}
