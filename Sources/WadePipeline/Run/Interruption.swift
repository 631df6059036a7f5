//! Signals and the clock: who asks a run to stop.
import Dispatch
import Foundation
import Glibc
import Synchronization

/// Turns signals into a wish to stop.
package enum Interruption {
    /// Seconds that the clip in work has before the process ends anyway, when the user says nothing; service managers wait longer
    /// before they kill (systemd 90, Slurm 30).
    package static let graceSeconds = 10

    /// Watches SIGINT, SIGTERM, SIGHUP and SIGUSR1 (Slurm's warning before a time limit), and the clock. The first signal asks the
    /// run to stop; a second one, or the end of the `grace` in seconds, ends the process, which loses nothing: the output holds whole
    /// lines only. At the end of the grace the run's last words are published first;
    /// a run that is done by then and only publishes that is left to end by itself. Writing to a closed pipe and beyond a
    /// file size limit become errors. A signal that is ignored from the start, as `nohup` has it, stays ignored.
    package static func watch(
        limit: TimeLimit?, grace: Int = graceSeconds
    ) -> StopRequest {
        let stop = StopRequest()
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        let queue = DispatchQueue(label: "wade.signals")
        for number in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] {
            let inherited = unsafe unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            guard unsafe inherited != unsafeBitCast(SIG_IGN, to: Int.self) else { continue }
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if case .signal = stop.reason { _exit(128 + number) }
                stop.stop(.signal(number))
                queue.asyncAfter(deadline: .now() + .seconds(grace)) {
                    // A second signal must end the process even while this is being told. A thread of its own: Dispatch's have
                    // their hands full when there are as many workers as cores.
                    Thread.detachNewThread {
                        if stop.abandon() { _exit(128 + number) }
                    }
                }
                withExtendedLifetime(source) {}
            }
            source.resume()
        }
        if let limit { watch(limit, stop, queue) }
        return stop
    }

    /// Asks the run to stop when its time is over; at once when it is already.
    static func watch(_ limit: TimeLimit, _ stop: StopRequest, _ queue: DispatchQueue) {
        if let seconds = limit.maximumRuntime {
            queue.asyncAfter(deadline: .now() + .seconds(seconds)) { stop.stop(.timeLimit) }
        }
        guard let end = limit.until else { return }
        if limit.secondsOver(at: time(nil)) != nil { return stop.stop(.timeLimit) }
        let deadline = DispatchWallTime(timespec: timespec(tv_sec: end, tv_nsec: 0))
        queue.asyncAfter(wallDeadline: deadline) { stop.stop(.timeLimit) }
    }
}
