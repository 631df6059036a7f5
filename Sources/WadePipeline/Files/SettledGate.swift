//! Is a file in a folder whole, or is somebody still writing it?
import Glibc

/// Looks at a file's size and time, and at how long its container says it is, before anything is made of its content.
struct SettledGate: Sendable {
    /// A file that is to settle within so many seconds is waited for; one that needs longer is left to the next run.
    static let patience = 10.0
    /// A container that says it is not complete has to rest so many times longer: whoever writes it may only have paused. After that it
    /// is taken as it is, and its record says what is wrong with it.
    static let incompleteFactor = 5.0
    /// Seconds; a time of change that lies further ahead is no time to wait for.
    static let farFuture = 86_400.0

    /// Seconds without a change after which a file counts as settled; 0 takes every file as it is.
    let minimumAge: Int

    /// What one look says.
    enum Look: Equatable {
        /// It has rested long enough, or nothing can be learned by waiting.
        case settled
        /// It has changed `age` seconds ago and would be settled in `remaining` seconds.
        case young(age: Double, remaining: Double, isIncomplete: Bool, FileStatus)
    }

    /// One look at `path`; `isKnown` says whether the output holds the file as it is, which needs no waiting.
    func look(at path: PathBytes, isKnown: (FileStatus) -> Bool) -> Look {
        guard minimumAge > 0, let status = try? FileStatus.of(path, followingLinks: true),
            !isKnown(status)
        else { return .settled }
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        let age =
            Double(now.tv_sec) - Double(status.modifiedSeconds)
            + Double(now.tv_nsec - status.modifiedNanoseconds) * 1e-9
        // A time in the future says nothing about age (cameras, clocks set back): such a file is waited for as a new one, and one that is
        // not complete until that time has come, if it comes within a day.
        let rest = max(0, age)
        let least = Double(minimumAge)
        guard rest < least * Self.incompleteFactor else { return .settled }
        let isIncomplete = ContainerEnd.isMissing(path, size: status.size)
        var remaining = (isIncomplete ? least * Self.incompleteFactor : least) - rest
        if age < 0, !isIncomplete || age < -Self.farFuture {
            remaining = min(remaining, Self.patience)
        }
        guard remaining > 0 else { return .settled }
        return .young(
            age: age, remaining: remaining, isIncomplete: isIncomplete, status)
    }

    /// Whether the file at `path` is settled. One that will be soon is waited for and looked at a second time: it is settled when size
    /// and time are what they were. Ends early when `stop` is wished.
    func isSettled(
        _ path: PathBytes, stop: StopRequest, isKnown: (FileStatus) -> Bool
    ) -> Bool {
        guard case .young(_, let remaining, _, let first) = look(at: path, isKnown: isKnown) else {
            return true
        }
        guard remaining <= Self.patience else { return false }
        let steps = Int((remaining / 0.1).rounded(.up))
        for _ in 0..<steps {
            guard stop.reason == nil else { return false }
            usleep(100_000)
            // One that grows meanwhile is known to be under way: no need to wait for the end of the rest.
            guard (try? FileStatus.of(path, followingLinks: true)) == first else { return false }
        }
        return true
    }
}
