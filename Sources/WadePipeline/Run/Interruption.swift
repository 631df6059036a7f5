//! Signals and the clock: who asks a run to stop.
import Dispatch
import Glibc
import Synchronization

/// Turns signals into a wish to stop.
package enum Interruption {
    /// Seconds that the clip in work has before the process ends anyway; service managers wait longer before they kill.
    package static let graceSeconds = 10

    /// Watches SIGINT, SIGTERM and SIGHUP, and the clock. The first signal asks the run to stop; a second one, or the end of the
    /// grace, ends the process at once, which loses nothing: the output holds whole lines only. Writing to a closed pipe and beyond a
    /// file size limit become errors. A signal that is ignored from the start, as `nohup` has it, stays ignored.
    package static func watch(limit: TimeLimit?) -> StopRequest {
        let stop = StopRequest()
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        let queue = DispatchQueue(label: "wade.signals")
        for number in [SIGINT, SIGTERM, SIGHUP] {
            let inherited = unsafe unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            guard unsafe inherited != unsafeBitCast(SIG_IGN, to: Int.self) else { continue }
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if case .signal = stop.reason { _exit(128 + number) }
                stop.stop(.signal(number))
                queue.asyncAfter(deadline: .now() + .seconds(graceSeconds)) { _exit(128 + number) }
                withExtendedLifetime(source) {}
            }
            source.resume()
        }
        if let seconds = limit?.maximumRuntime {
            queue.asyncAfter(deadline: .now() + .seconds(seconds)) { stop.stop(.timeLimit) }
        }
        if let end = limit?.until {
            let deadline = DispatchWallTime(timespec: timespec(tv_sec: end, tv_nsec: 0))
            queue.asyncAfter(wallDeadline: deadline) { stop.stop(.timeLimit) }
        }
        return stop
    }
}
