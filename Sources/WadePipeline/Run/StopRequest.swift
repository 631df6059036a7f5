//! How a run is asked to end early.
import Synchronization

/// A wish to stop that any thread may utter; the run looks at it before it takes new work.
package final class StopRequest: Sendable {
    /// Why a run should stop.
    package enum Reason: Sendable, Equatable {
        /// A signal of this number.
        case signal(Int32)
        /// The time that the user gave is over.
        case timeLimit

        /// The exit code of a run that it ended.
        package var exitCode: Int32 {
            switch self {
            case .signal(let number): 128 + number
            case .timeLimit: 5
            }
        }
    }

    /// Who speaks for the run: it itself as long as it works, and in the end whoever came first.
    private enum Speaker {
        case running, settled, abandoned
    }

    private let wish = Mutex<Reason?>(nil)
    private let speaker = Mutex(Speaker.running)
    private let lastWords = Mutex<[@Sendable (Reason) -> Void]>([])

    /// No wish yet.
    package init() {}

    /// Why to stop; nil as long as nobody wishes.
    package var reason: Reason? { wish.withLock { $0 } }

    /// Asks to stop; the first reason stands, but a signal outranks the clock, since its exit code says more.
    package func stop(_ reason: Reason) {
        wish.withLock { wish in
            if case .signal = wish { return }
            if case .timeLimit = reason, wish != nil { return }
            wish = reason
        }
    }

    /// Has `words` published if the process must end although the run did not stop in time.
    package func beforeAbandoning(_ words: @escaping @Sendable (Reason) -> Void) {
        lastWords.withLock { $0.append(words) }
    }

    /// Publishes the last words, once, and says whether the process may end now: not when the run has come to its end by itself, since
    /// it publishes that then and ends soon.
    func abandon() -> Bool {
        guard let reason else { return false }
        return speaker.withLock { speaker in
            guard speaker == .running else { return speaker == .abandoned }
            speaker = .abandoned
            for say in lastWords.withLock({ $0 }) { say(reason) }
            return true
        }
    }

    /// Says whether the run, come to its end, is to publish that; not when it was abandoned first. Waits for last words that are just
    /// being said.
    package func settle() -> Bool {
        speaker.withLock { speaker in
            if speaker == .running { speaker = .settled }
            return speaker == .settled
        }
    }

    /// Says something on the way, unless the run has ended; last words wait for it.
    package func whileRunning(_ say: () -> Void) {
        speaker.withLock { speaker in
            if speaker == .running { say() }
        }
    }
}
