//! The second stage of a run, one file after the other: which clips and tasks are left to do.
import WadeVideo

/// A clip with the lines that are to be written about it.
struct ClipJob: Sendable {
    /// A line to be written.
    struct Line: Sendable {
        /// The task's number in the pipeline.
        var task: Int
        /// The line's key.
        var key: LedgerKey
        /// The key whose answer is reused, for a second file with the same content.
        var copyOf: LedgerKey?
        /// Whether the line takes the record under `key` back.
        var isRemoval = false

        /// Whether the model is to be asked.
        var isQuestion: Bool { copyOf == nil && !isRemoval }
    }

    /// The file.
    var file: FoundFile
    /// Its content; nil when it cannot be read.
    var identity: ContentIdentity?
    /// What it is, when its content takes too long to read.
    var status: FileStatus?
    /// Why there is nothing to encode.
    var failure: ClipFailure?
    /// The span; nil for the whole file.
    var span: ClipSpan?
    /// Position among the file's clips.
    var index = 0
    /// Number of the file's clips.
    var count = 1
    /// The lines, in the order of the tasks.
    var lines: [Line]

    /// A file as a whole whose content is not known.
    init(_ file: FoundFile, failure: ClipFailure?, lines: [Line]) {
        self.file = file
        self.failure = failure
        self.lines = lines
    }

    /// Whether anything is to be decoded.
    var needsEncoding: Bool { failure == nil && lines.contains(where: \.isQuestion) }

    /// The clip's source; nil when the content cannot be read.
    var source: ClipSource? {
        identity.map {
            ClipSource(path: file.path, relativePath: file.relativePath, identity: $0)
        }
    }
}

/// Decides, in the order of the input, what each file needs. A content is answered once: the first file that has it is the
/// original; further files get lines that repeat its answer. A file that has only been renamed needs nothing.
struct ClipSchedule {
    private let plan: RunPlan
    private let ledger: Ledger
    /// Contents met in this run, by the key of their first clip, with their number of clips.
    private var met: [LedgerKey: Int] = [:]
    /// The file at hand, if it is a copy of one that is answered later in this run.
    private var postponed: Set<PathBytes> = []
    /// Lines not written because they failed too often.
    private(set) var parked = 0
    /// Files left to the next run.
    private(set) var deferred = 0
    /// Files among them that wait for the pass over their shots, and of these the ones that it has begun.
    private(set) var waiting = (count: 0, some: 0)
    /// Files that need nothing.
    private(set) var done = 0
    /// Files deleted since they were found.
    private(set) var gone = 0
    /// Whether an answer of an earlier run has been met.
    private(set) var hasEarlierAnswers = false

    /// A schedule for `plan` on top of what `ledger` holds.
    init(plan: RunPlan, ledger: Ledger) {
        self.plan = plan
        self.ledger = ledger
    }

    /// What is left to do about `intaken`.
    mutating func jobs(for intaken: IntakenFile) -> [ClipJob] {
        let jobs: [ClipJob]
        switch intaken.outcome {
        case .deferred:
            deferred += 1
            return []
        case .waiting(let hasSome):
            deferred += 1
            waiting.count += 1
            waiting.some += hasSome ? 1 : 0
            return []
        case .gone:
            gone += 1
            return []
        case .parked:
            parked += plan.tasks(of: intaken.file).count
            jobs = []
        case .unread(let failure, let status):
            jobs = self.jobs(forUnread: intaken.file, status, failure: failure)
        case .failed(let failure, nil):
            jobs = self.jobs(forUnreadable: intaken.file, failure: failure)
        case .failed(let failure, let identity?):
            jobs = self.jobs(for: intaken.file, identity, spans: nil, failure: failure)
        case .identified(let identity, let spans):
            jobs = self.jobs(for: intaken.file, identity, spans: spans, failure: nil)
        }
        if postponed.remove(intaken.file.path) != nil {
            deferred += 1
        } else if jobs.isEmpty {
            done += 1
        }
        switch intaken.outcome {
        case .failed(_, nil), .unread, .parked: return jobs
        default: return jobs + removals(for: intaken.file)
        }
    }

    /// The records of a file that could not be read then and can now; its records are kept by its content from here on.
    private func removals(for file: FoundFile) -> [ClipJob] {
        guard ledger.holdsUnreadable else { return [] }
        let lines = plan.tasks(of: file).compactMap { task -> ClipJob.Line? in
            let key = plan.key(unreadable: file.relativePath, task: task)
            return ledger.holds(key) ? ClipJob.Line(task: task, key: key, isRemoval: true) : nil
        }
        guard !lines.isEmpty else { return [] }
        return [ClipJob(file, failure: nil, lines: lines)]
    }

    /// A file that takes too long to read costs that time in every run, so each run that tries it says so and counts.
    private mutating func jobs(
        forUnread file: FoundFile, _ status: FileStatus, failure: ClipFailure
    ) -> [ClipJob] {
        let lines = plan.tasks(of: file).compactMap { task -> ClipJob.Line? in
            guard plan.verdict(unread: file, status, task: task, ledger) != .parked else {
                parked += 1
                return nil
            }
            return ClipJob.Line(
                task: task, key: plan.key(unreadable: file.relativePath, task: task))
        }
        guard !lines.isEmpty else { return [] }
        var job = ClipJob(file, failure: failure, lines: lines)
        job.status = status
        return [job]
    }

    /// A file that still cannot be read is looked at in every run and written down once.
    private func jobs(forUnreadable file: FoundFile, failure: ClipFailure) -> [ClipJob] {
        let lines = plan.tasks(of: file).compactMap { task -> ClipJob.Line? in
            let key = plan.key(unreadable: file.relativePath, task: task)
            return ledger.holds(key) ? nil : ClipJob.Line(task: task, key: key)
        }
        guard !lines.isEmpty else { return [] }
        return [ClipJob(file, failure: failure, lines: lines)]
    }

    private mutating func jobs(
        for file: FoundFile, _ identity: ContentIdentity, spans: [ClipSpan]?,
        failure: ClipFailure?
    ) -> [ClipJob] {
        let tasks = plan.tasks(of: file)
        let roles = tasks.map { task in
            role(of: file, content: identity.digest, task: task, clips: spans?.count)
        }
        let count = roles.map(\.count).max() ?? 1
        return (0..<count).compactMap { index in
            let lines = roles.indices.compactMap { place -> ClipJob.Line? in
                guard index < roles[place].count else { return nil }
                return line(
                    file, identity, index: index, task: tasks[place], isCopy: roles[place].isCopy)
            }
            guard !lines.isEmpty else { return nil }
            let span = spans.flatMap { index < $0.count ? $0[index] : nil }
            var job = ClipJob(file, failure: failure, lines: lines)
            job.identity = identity
            job.span = span
            (job.index, job.count) = (index, count)
            return job
        }
    }

    /// Whether `file` is the original of its content for a task, and how many clips there are.
    private mutating func role(of file: FoundFile, content: [UInt8], task: Int, clips: Int?)
        -> (isCopy: Bool, count: Int)
    {
        let first = plan.key(content, index: 0, task: task)
        if let count = met[first] { return (true, count) }
        let entry = ledger.entries[first]
        let count = clips ?? entry?.boundedClipCount ?? 1
        if let entry, entry.path != PathIdentity(file.relativePath).pathHash,
            plan.paths.contains(entry.path)
        {
            return (true, entry.boundedClipCount)
        }
        met[first] = count
        return (false, count)
    }

    /// Whether the file's record is in another part, or in what parts were merged into: as the first file of its content or as a copy.
    private func isDoneElsewhere(
        _ file: FoundFile, _ identity: ContentIdentity, index: Int, task: Int,
        _ original: LedgerKey
    ) -> Bool {
        // An answer behind a video's shots counts only while the shots are the same, which the entry itself tells.
        guard !ledger.others.isEmpty, plan.shots == nil else { return false }
        if ledger.isAnsweredElsewhere(original, file.relativePath) { return true }
        let copy = plan.key(identity.digest, index: index, task: task, copy: file.relativePath)
        return ledger.isAnsweredElsewhere(copy, file.relativePath)
    }

    private mutating func line(
        _ file: FoundFile, _ identity: ContentIdentity, index: Int, task: Int, isCopy: Bool
    ) -> ClipJob.Line? {
        let original = plan.key(identity.digest, index: index, task: task)
        let key =
            isCopy
            ? plan.key(identity.digest, index: index, task: task, copy: file.relativePath)
            : original
        if isDoneElsewhere(file, identity, index: index, task: task, original) {
            hasEarlierAnswers = true
            return nil
        }
        switch plan.verdict(on: key, identity.digest, task: task, ledger) {
        case .done:
            if ledger.entries[key]?.isError == false { hasEarlierAnswers = true }
            return nil
        case .parked:
            parked += 1
            return nil
        case .missing, .failed:
            // The original, which another file has, comes later in this run: its copies are left to the next one.
            if isCopy, plan.shots != nil,
                met[plan.key(identity.digest, index: 0, task: task)] == nil,
                plan.verdict(on: original, identity.digest, task: task, ledger) == .missing
            {
                postponed.insert(file.path)
                return nil
            }
            return ClipJob.Line(task: task, key: key, copyOf: isCopy ? original : nil)
        }
    }
}
