//! What a run would do, told without opening a video.
internal import Glibc
import WadeVideo

/// A forecast, file by file.
package struct RunForecast: Sendable {
    /// What would become of a file.
    package enum State: String, Sendable, CaseIterable {
        case todo, done, retry, parked, deferred, skipped, unreadable
    }

    /// One file.
    package struct Line: Sendable, Equatable {
        /// What would become of it.
        package var state: State
        /// Its path, fit for a terminal.
        package var path: String
        /// Why.
        package var reason: String
    }

    /// How long an answer takes, and who says so.
    package struct Estimate: Sendable, Equatable {
        /// What the estimate comes from.
        package enum Source: Sendable {
            /// An earlier run into the same output.
            case latestRun
            /// `wade benchmark` on this machine.
            case benchmark
        }

        package var secondsPerAnswer: Double
        package var source: Source
    }

    /// Files in the order of the run, then what would be skipped.
    package private(set) var lines: [Line] = []
    private let estimate: Estimate?
    private let taskCount: Int
    /// What is said about the demonstrations when each clip has its own.
    private let retrieval: String

    /// The forecast for `plan` on top of `ledger`.
    package init(plan: RunPlan, ledger: Ledger, estimate: Estimate?) {
        self.estimate = estimate
        taskCount = plan.pipeline.tasks.count
        retrieval = Self.retrieval(plan.pipeline)
        for file in plan.findings.files {
            let (state, reason) = Self.state(of: file, plan, ledger)
            lines.append(Line(state: state, path: file.relativePath.shown, reason: reason))
        }
        for (path, reason) in plan.findings.skipped {
            lines.append(
                Line(
                    state: .skipped, path: path.relative(to: plan.findings.root).shown,
                    reason: reason.rawValue))
        }
    }

    static func state(of file: FoundFile, _ plan: RunPlan, _ ledger: Ledger) -> (
        State, String
    ) {
        if let failure = file.failure {
            if isRecorded(unreadable: file, plan, ledger) { return (.done, recordedReason) }
            return (.unreadable, "\(failure.code.rawValue): \(failure.message)")
        }
        guard let status = try? FileStatus.of(file.path, followingLinks: true) else {
            return (.unreadable, "it has just gone")
        }
        let gate = SettledGate(minimumAge: plan.settings.minimumAge)
        let isKnown = { plan.content(of: file, $0, ledger) != nil }
        if !file.isArgument,
            case .young(let age, let remaining, let isIncomplete, _) = gate.look(
                at: file.path, isKnown: isKnown)
        {
            let what = isIncomplete ? "not complete, changed" : "changed"
            return (
                .deferred,
                "\(what) \(Self.seconds(age)) s ago; taken if it stays as it is for \(Self.seconds(remaining)) s more"
            )
        }
        guard let content = plan.content(of: file, status, ledger) else {
            if let unread = unreadState(of: file, status, plan, ledger) { return unread }
            if status.size == 0 || !isAllowed(file.path), isRecorded(unreadable: file, plan, ledger)
            {
                return (.done, recordedReason)
            }
            guard plan.shots == nil else {
                return (
                    .deferred,
                    "not in the output of the earlier pass under this path, size and time"
                )
            }
            return (.todo, "not in the output under this path, size and time")
        }
        if plan.isWaitingForShots(content) {
            return (.deferred, "not all of its shots are in the output of the earlier pass yet")
        }
        let verdicts = plan.pipeline.tasks.indices.map { task in
            verdict(on: content, task: task, file, plan, ledger)
        }
        if verdicts.contains(.missing) {
            let count = verdicts.filter { $0 == .missing }.count
            return (.todo, "\(count) of \(verdicts.count) tasks are new or changed")
        }
        if verdicts.contains(.failed) { return (.retry, "failed before") }
        if let task = verdicts.firstIndex(of: .parked) {
            let reasons = [nil, file.relativePath].lazy.compactMap { copy in
                parkedKey(content, task: task, copy, plan, ledger)
                    .flatMap { ledger.reasonForParking($0) }
            }
            return (.parked, reasons.first ?? "failed too often")
        }
        return (.done, "")
    }

    private static func seconds(_ value: Double) -> Int {
        Int(min(max(-1e9, value.rounded(.up)), 1e9))
    }

    private static let recordedReason = "recorded as unreadable"

    /// What the ledger says about a task of a file: of its clips, the one that has most left to do.
    private static func verdict(
        on content: [UInt8], task: Int, _ file: FoundFile, _ plan: RunPlan, _ ledger: Ledger
    ) -> Ledger.Verdict {
        let copies: [PathBytes?] = [nil, file.relativePath]
        for copy in copies {
            let first = plan.key(content, index: 0, task: task, copy: copy)
            guard let entry = ledger.entries[first] else { continue }
            let verdicts = (0..<entry.boundedClipCount).map { index in
                plan.verdict(
                    on: plan.key(content, index: index, task: task, copy: copy), content,
                    task: task, ledger)
            }
            return [.missing, .failed, .parked].first { verdicts.contains($0) } ?? .done
        }
        return .missing
    }

    /// The first of a file's clips that is parked.
    private static func parkedKey(
        _ content: [UInt8], task: Int, _ copy: PathBytes?, _ plan: RunPlan, _ ledger: Ledger
    ) -> LedgerKey? {
        let first = plan.key(content, index: 0, task: task, copy: copy)
        guard let entry = ledger.entries[first] else { return nil }
        return (0..<entry.boundedClipCount).lazy
            .map { plan.key(content, index: $0, task: task, copy: copy) }
            .first { ledger.verdict(on: $0, retries: plan.settings.retries) == .parked }
    }

    /// What would become of a file whose bytes took too long to read, and that has not changed since; nil for another one.
    private static func unreadState(
        of file: FoundFile, _ status: FileStatus, _ plan: RunPlan, _ ledger: Ledger
    ) -> (State, String)? {
        guard ledger.holdsUnread else { return nil }
        let verdicts = plan.pipeline.tasks.indices.map {
            plan.verdict(unread: file, status, task: $0, ledger)
        }
        if verdicts.allSatisfy({ $0 == .parked }) {
            let key = plan.key(unreadable: file.relativePath, task: 0)
            return (.parked, ledger.reasonForParking(key) ?? "failed too often")
        }
        return verdicts.contains(.missing) ? nil : (.retry, "failed before")
    }

    /// Whether every task has its record of a file that cannot be read.
    private static func isRecorded(unreadable file: FoundFile, _ plan: RunPlan, _ ledger: Ledger)
        -> Bool
    {
        plan.pipeline.tasks.indices.allSatisfy {
            ledger.holds(plan.key(unreadable: file.relativePath, task: $0))
        }
    }

    /// Whether the system lets this user read the file.
    private static func isAllowed(_ path: PathBytes) -> Bool {
        unsafe path.withBytes { name in unsafe access(name, R_OK) } == 0
    }

    /// How many files have `state`.
    package func count(_ state: State) -> Int {
        lines.filter { $0.state == state }.count
    }

    /// The sum and the estimate, in one sentence.
    package var text: String {
        let counts = State.allCases.filter { count($0) > 0 }
            .map { "\(count($0)) \($0.rawValue)" }.joined(separator: ", ")
        let answers = (count(.todo) + count(.retry)) * taskCount
        guard answers > 0 else { return counts.isEmpty ? "nothing found" : counts }
        guard let estimate else {
            return "\(counts); no estimate before a first run or wade benchmark\(retrieval)"
        }
        let seconds = Double(answers) * min(estimate.secondsPerAnswer, 1e6)
        let minutes = Int((seconds / 60).rounded(.up))
        switch estimate.source {
        case .latestRun:
            return "\(counts); about \(minutes) min for at least \(answers) answers\(retrieval)"
        case .benchmark:
            return
                "\(counts); about \(minutes) min for at least \(answers) answers of full length, "
                + "by wade benchmark\(retrieval)"
        }
    }

    /// Out of how many demonstrations each answer gets its own.
    private static func retrieval(_ pipeline: Pipeline) -> String {
        let pools = pipeline.tasks.map { pipeline.demonstrations(for: $0).count }.filter { $0 > 0 }
        guard let retrieval = pipeline.retrieval, let least = pools.min(), let most = pools.max()
        else { return "" }
        let pool = least == most ? "\(most)" : "\(least) to \(most)"
        return "; behind the \(retrieval.count) nearest of \(pool) demonstrations"
    }
}
