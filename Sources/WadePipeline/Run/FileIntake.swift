//! The first stage of a run, on the workers: what is this file, and where are its clips.
import WadeVideo

/// What the first stage has learned about a file.
struct IntakenFile: Sendable {
    /// What became of it.
    enum Outcome: Sendable {
        /// It has just been changed; the next run will take it.
        case deferred
        /// The pass over its shots has yet to come, or to end where it has written about some of them.
        case waiting(hasSome: Bool)
        /// It was found and has been deleted since.
        case gone
        /// Its bytes took too long to read, with what it was then.
        case unread(ClipFailure, FileStatus)
        /// Its bytes took too long to read in more runs than are to be tried, and it has not changed since.
        case parked
        /// It cannot be read or cut; with its identity when the bytes could be read.
        case failed(ClipFailure, ContentIdentity?)
        /// Its identity, and its clips where the pipeline cuts files and the ledger does not hold them all.
        case identified(ContentIdentity, [ClipSpan]?)
    }

    /// The file.
    var file: FoundFile
    /// What became of it.
    var outcome: Outcome
}

/// Reads identities; immutable, so that every worker uses the same one.
struct FileIntake: Sendable {
    /// The run's plan.
    let plan: RunPlan
    /// What the output held when the run began.
    let ledger: Ledger
    /// The clips of a file.
    let cut: ClipCutter
    /// Ends the waiting for young files and the reading of large ones.
    let stop: StopRequest

    /// What can be said about `file` without decoding more than its clips' borders.
    func take(_ file: FoundFile) -> IntakenFile {
        if let failure = file.failure {
            return IntakenFile(file: file, outcome: .failed(failure, nil))
        }
        let isKnown = { plan.content(of: file, $0, ledger) != nil }
        let gate = SettledGate(minimumAge: plan.settings.minimumAge)
        if !file.isArgument, !gate.isSettled(file.path, stop: stop, isKnown: isKnown) {
            return IntakenFile(file: file, outcome: .deferred)
        }
        if isParked(file) { return IntakenFile(file: file, outcome: .parked) }
        do {
            let identity = try ContentIdentity.read(
                file.path, known: { plan.content(of: file, $0, ledger) },
                seconds: plan.settings.fileTimeout, stop: stop)
            if plan.isWaitingForShots(identity.digest) {
                let hasSome = plan.shots?.holdsSome(of: identity.digest) ?? false
                return IntakenFile(file: file, outcome: .waiting(hasSome: hasSome))
            }
            return IntakenFile(file: file, outcome: spans(of: file, identity))
        } catch  where error.code == .changedWhileReading && !file.isArgument {
            return IntakenFile(file: file, outcome: .deferred)
        } catch  where error.code == .timeout && stop.reason != nil {
            return IntakenFile(file: file, outcome: .deferred)
        } catch {
            if FileStatus.isMissing(file.path) { return IntakenFile(file: file, outcome: .gone) }
            if error.code == .timeout,
                let status = try? FileStatus.of(file.path, followingLinks: true)
            {
                return IntakenFile(file: file, outcome: .unread(error, status))
            }
            return IntakenFile(file: file, outcome: .failed(error, nil))
        }
    }

    /// Whether no more time is to be spent on reading the file.
    private func isParked(_ file: FoundFile) -> Bool {
        guard ledger.holdsUnread,
            let status = try? FileStatus.of(file.path, followingLinks: true)
        else { return false }
        return plan.tasks(of: file).allSatisfy { task in
            plan.verdict(unread: file, status, task: task, ledger) == .parked
        }
    }

    private func spans(of file: FoundFile, _ identity: ContentIdentity) -> IntakenFile.Outcome {
        guard plan.pipeline.segmentation != .whole, !isDone(file, identity.digest) else {
            return .identified(identity, nil)
        }
        let source = ClipSource(
            path: file.path, relativePath: file.relativePath, identity: identity)
        let spans = cut(source)
        switch identity.change(at: file.path) {
        case .gone: return .gone
        case .changed: return file.isArgument ? .failed(.changed, nil) : .deferred
        case nil: break
        }
        switch spans {
        case .success(let spans) where spans.isEmpty:
            let failure = ClipFailure(
                code: .noFrames, stage: .decode, message: "found no clips in the file")
            return .failed(failure, identity)
        case .success(let spans): return .identified(identity, spans)
        case .failure(let failure): return .failed(failure, identity)
        }
    }

    /// Whether every clip of the content is settled for every task.
    private func isDone(_ file: FoundFile, _ content: [UInt8]) -> Bool {
        plan.tasks(of: file).allSatisfy { task in
            guard let first = ledger.entries[plan.key(content, index: 0, task: task)] else {
                return false
            }
            return (0..<first.boundedClipCount).allSatisfy { index in
                let key = plan.key(content, index: index, task: task)
                let verdict = ledger.verdict(on: key, retries: plan.settings.retries)
                return verdict == .done || verdict == .parked
            }
        }
    }
}

extension Ledger.Entry {
    /// The number of clips, within what a file can be cut into: the line may not be ours.
    var boundedClipCount: Int { min(max(1, clipCount), Segmentation.mostSpans) }
}

extension RunPlan {
    /// The key of clip `index` of `content` for the task numbered `task`; `copy` is the path of a second file with that content.
    func key(_ content: [UInt8], index: Int, task: Int, copy: PathBytes? = nil) -> LedgerKey {
        RecordKey(
            content: content, index: index, boundary: pipeline.segmentation.boundary.rawValue,
            task: pipeline.tasks[task].id, recipe: recipes[task].id, copy: copy
        ).key
    }

    /// The hash of the content that `file` had when it had this size and time: as the output says, or the earlier pass over its shots, so
    /// that a second pass need not read a folder again. Nil when neither does.
    func content(of file: FoundFile, _ status: FileStatus, _ ledger: Ledger) -> [UInt8]? {
        ledger.content(of: file.relativePath, status: status)
            ?? shots?.content(of: file.relativePath, status: status)
    }

    /// Whether the file with `content` has to wait until the earlier pass has answered about its shots.
    func isWaitingForShots(_ content: [UInt8]) -> Bool {
        shots.map { $0.choice(of: content) == nil } ?? false
    }

    /// `demos.set_id` of a record about `content`: what stands before the question.
    func setID(_ content: [UInt8]?, task: Int) -> String {
        let own = recipes[task].demonstrationsID
        guard let content, let choice = shots?.choice(of: content) else { return own }
        return choice.setID(demonstrations: own)
    }

    /// What `ledger` says about the record under `key`, of the task numbered `task` about `content`. One that was answered behind other
    /// shots is replaced: its key stays, so that readers find one answer, the latest.
    func verdict(on key: LedgerKey, _ content: [UInt8], task: Int, _ ledger: Ledger)
        -> Ledger.Verdict
    {
        if shots != nil, let entry = ledger.entries[key],
            entry.set != PathIdentity.hash(Array(setID(content, task: task).utf8))
        {
            return .missing
        }
        return ledger.verdict(on: key, retries: settings.retries)
    }

    /// What `ledger` says about the task numbered `task` of a file whose bytes take too long to read; `missing` when it has changed since.
    func verdict(unread file: FoundFile, _ status: FileStatus, task: Int, _ ledger: Ledger)
        -> Ledger.Verdict
    {
        let key = key(unreadable: file.relativePath, task: task)
        guard ledger.isUnread(key, path: file.relativePath, status: status) else { return .missing }
        return ledger.verdict(on: key, retries: settings.retries)
    }

    /// The key of a file whose content cannot be read.
    func key(unreadable path: PathBytes, task: Int) -> LedgerKey {
        RecordKey(
            unreadable: path, task: pipeline.tasks[task].id, recipe: recipes[task].id
        ).key
    }
}
