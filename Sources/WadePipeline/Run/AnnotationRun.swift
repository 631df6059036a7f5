//! A run: files in, one line per clip and task out, in the order of the input whatever the number of workers.

/// How far a run has come.
package struct RunProgress: Sendable {
    /// Files looked at.
    package var filesSeen: Int
    /// Files found.
    package var filesFound: Int
    /// What has been written.
    package var summary: RunSummary
}

/// Lets an annotator answer a plan's tasks about its files.
package struct AnnotationRun<Tokens: Sendable> {
    /// A clip after decoding and encoding, what has happened to its file since its content was read, and the answers about it.
    private struct Clip: Sendable {
        let job: ClipJob
        var encoded: Result<EncodedClip<Tokens>, ClipFailure>?
        var change: FileChange?
        var answers: [Result<ClipAnswer, ClipFailure>] = []

        /// What is to be asked about it, a line each.
        var questions: [ClipJob.Line] {
            guard change == nil, case .success = encoded else { return [] }
            return job.lines.filter(\.isQuestion)
        }
    }

    private let plan: RunPlan
    private let ledger: Ledger
    private let cut: ClipCutter
    private let stop: StopRequest

    /// A run of `plan` on top of what `ledger` holds, ended early by `stop`.
    package init(
        plan: RunPlan, ledger: Ledger, cut: @escaping ClipCutter, stop: StopRequest
    ) {
        self.plan = plan
        self.ledger = ledger
        self.cut = cut
        self.stop = stop
    }

    /// Writes what is left to do with `writer`; throws when it cannot write. `annotator` is asked for when the first clip needs a
    /// model, so that a night without new files loads none. `progress` hears after every clip.
    package func run(
        writer: consuming JSONLinesWriter, isReadable: Bool,
        annotator: () throws -> Annotator<Tokens>, progress: (RunProgress) -> Void
    ) throws -> RunSummary {
        let clock = ContinuousClock()
        let start = clock.now
        var journal = RecordJournal(
            writer: writer, plan: plan, ledger: ledger, isReadable: isReadable)
        var feed = ClipFeed(plan: plan, ledger: ledger, cut: cut, stop: stop)
        progress(
            RunProgress(
                filesSeen: 0, filesFound: plan.findings.files.count, summary: journal.summary))
        var isComplete = plan.findings.files.isEmpty
        while !feed.isExhausted, stop.reason == nil {
            if feed.waitForClip() {
                isComplete = try write(
                    feed: &feed, annotator: try annotator(), &journal, progress)
            } else {
                isComplete = feed.isExhausted
            }
        }
        try journal.finish()
        var summary = summary(journal.summary, feed, seconds: clock.now - start)
        // A time limit that passes after the last record has ended nothing.
        if isComplete, stop.reason == .timeLimit { summary.stop = nil }
        return summary
    }

    /// Encodes and answers until the feed has nothing more or a stop is wished; whether everything was written.
    private func write(
        feed: inout ClipFeed, annotator: Annotator<Tokens>, _ journal: inout RecordJournal,
        _ progress: (RunProgress) -> Void
    ) throws(PipelineError) -> Bool {
        let clips = clips(annotator)
        while true {
            if let clip = clips.next(from: { feed.next() }) {
                try write(clip, &journal)
                progress(
                    RunProgress(
                        filesSeen: feed.filesSeen, filesFound: plan.findings.files.count,
                        summary: journal.summary))
            } else if clips.hasDropped || feed.isExhausted {
                return !clips.hasDropped
            } else if stop.reason != nil {
                return false
            }
        }
    }

    /// Workers that encode clips, and answer about them as soon as enough questions have come together, or nothing is left to encode.
    /// When a stop is wished they finish what they have in hand, and no more.
    private func clips(_ annotator: Annotator<Tokens>) -> WorkerPool<ClipJob, Clip> {
        let (tasks, workers, stop) = (plan.pipeline.tasks, plan.settings.workers, stop)
        let shots = plan.shots
        // A batch in the hands of every worker, and one that gathers.
        let together = (annotator.batch + tasks.count - 1) / max(tasks.count, 1)
        return WorkerPool(
            workers: workers, inFlight: workers + (workers + 1) * together,
            gathering: Gathering(
                load: \.questions.count, enough: annotator.batch,
                finish: { Self.answered($0, by: annotator, tasks) }),
            isStopped: { stop.reason != nil }
        ) { job in
            guard job.needsEncoding, let source = job.source else { return Clip(job: job) }
            let encoded = annotator.encode(source, job.span, shots: shots)
            return Clip(job: job, encoded: encoded, change: source.identity.change(at: source.path))
        }
    }

    /// Asks everything about some clips at once.
    private static func answered(
        _ clips: [Clip], by annotator: Annotator<Tokens>, _ tasks: [AnnotationTask]
    ) -> [Clip] {
        let questions = clips.flatMap { clip -> [ClipQuestion<Tokens>] in
            guard case .success(let encoded) = clip.encoded else { return [] }
            return clip.questions.map { line in
                ClipQuestion(
                    tokens: encoded.tokens, framesDigest: encoded.frames.digest,
                    task: tasks[line.task], embedding: encoded.embedding,
                    contentID: clip.job.identity?.text ?? "", shots: encoded.shots)
            }
        }
        let answers = annotator.answer(questions)
        precondition(answers.count == questions.count, "one answer for every question")
        var start = 0
        return clips.map { clip in
            var clip = clip
            let end = start + clip.questions.count
            clip.answers = Array(answers[start..<end])
            start = end
            return clip
        }
    }

    /// Writes the lines about a clip.
    private func write(_ clip: Clip, _ journal: inout RecordJournal) throws(PipelineError) {
        let job = clip.job
        if let failure = job.failure, failure.isFaultOfSystem { throw .system(failure.message) }
        if case .failure(let failure) = clip.encoded, failure.isFaultOfSystem {
            throw .system(failure.message)
        }
        if let change = clip.change { return try journal.withhold(job, because: change) }
        if case .success(let encoded) = clip.encoded {
            journal.countClip(isCached: encoded.isCached)
        }
        var answers = clip.answers.makeIterator()
        for line in job.lines {
            if line.isRemoval {
                try journal.writeRemoval(job, line)
            } else if let failure = job.failure {
                try journal.write(
                    job, line, clip: EncodedClip<Tokens>?.none, answer: .failure(failure))
            } else if let original = line.copyOf, journal.isWithheld(original) {
                // The next run makes this file the original.
                journal.postpone(line, of: job)
            } else if let original = line.copyOf {
                try journal.writeCopy(job, line, of: original)
            } else {
                try write(job, line, clip.encoded, &answers, &journal)
            }
        }
    }

    private func write(
        _ job: ClipJob, _ line: ClipJob.Line, _ clip: Result<EncodedClip<Tokens>, ClipFailure>?,
        _ answers: inout IndexingIterator<[Result<ClipAnswer, ClipFailure>]>,
        _ journal: inout RecordJournal
    ) throws(PipelineError) {
        switch clip {
        case .success(let clip):
            guard let answer = answers.next() else {
                preconditionFailure("a question without an answer")
            }
            try journal.write(job, line, clip: clip, answer: answer)
        case .failure(let failure):
            try journal.write(
                job, line, clip: EncodedClip<Tokens>?.none, answer: .failure(failure))
        case nil: return
        }
    }

    private func summary(_ written: RunSummary, _ feed: ClipFeed, seconds: Duration)
        -> RunSummary
    {
        var summary = written
        summary.files = plan.findings.files.count
        for (_, reason) in plan.findings.skipped {
            summary.skipped[reason.rawValue, default: 0] += 1
        }
        summary.deferred += feed.schedule.deferred
        summary.filesDone = feed.schedule.done
        summary.hasEarlierAnswers = feed.schedule.hasEarlierAnswers
        if feed.schedule.gone > 0 {
            summary.skipped[SkipReason.gone.rawValue, default: 0] += feed.schedule.gone
        }
        summary.parked = feed.schedule.parked
        summary.seconds =
            Double(seconds.components.seconds)
            + Double(seconds.components.attoseconds / 1_000_000_000_000_000) / 1000
        summary.stop = stop.reason
        // A second pass that is pointed at the wrong file would defer everything for ever, and in silence.
        let (waiting, some) = feed.schedule.waiting
        if let shots = plan.shots, waiting > 0, stop.reason == nil,
            feed.schedule.deferred + feed.schedule.gone == feed.filesSeen
        {
            summary.complaints.append(shots.complaint(waiting: waiting, some: some))
        }
        return summary
    }
}

/// The clips that are left to do, one after the other.
private struct ClipFeed {
    private var files: IndexingIterator<[FoundFile]>
    private let intake: WorkerPool<FoundFile, IntakenFile>
    private let stop: StopRequest
    private var waiting: [ClipJob] = []
    /// The decisions so far.
    private(set) var schedule: ClipSchedule
    /// Files looked at.
    private(set) var filesSeen = 0
    /// Whether nothing more will come.
    private(set) var isExhausted = false

    init(plan: RunPlan, ledger: Ledger, cut: @escaping ClipCutter, stop: StopRequest) {
        files = plan.findings.files.makeIterator()
        schedule = ClipSchedule(plan: plan, ledger: ledger)
        self.stop = stop
        let reader = FileIntake(plan: plan, ledger: ledger, cut: cut, stop: stop)
        intake = WorkerPool(
            workers: plan.settings.workers, inFlight: 2 * plan.settings.workers,
            work: { reader.take($0) })
    }

    /// Whether a clip is at hand; looks at some more files when there is none.
    mutating func waitForClip() -> Bool {
        guard let job = next() else { return false }
        waiting.append(job)
        return true
    }

    /// The next clip; nil when there is none at hand or a stop is wished.
    mutating func next() -> ClipJob? {
        // Done files are many and cheap; after some of them, answers that are ready get written first.
        for _ in 0..<32 {
            if let job = waiting.popLast() { return job }
            guard stop.reason == nil else {
                // A stop that comes when nothing is left ends nothing.
                var rest = files
                isExhausted = intake.isEmpty && rest.next() == nil
                return nil
            }
            guard let intaken = intake.next(from: { files.next() }) else {
                isExhausted = true
                return nil
            }
            filesSeen += 1
            waiting = schedule.jobs(for: intaken).reversed()
        }
        return waiting.popLast()
    }
}
