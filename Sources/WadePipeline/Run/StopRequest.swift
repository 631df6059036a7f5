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
    }

    private let wish = Mutex<Reason?>(nil)
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

    /// Publishes the last words, once; what a run publishes itself when it comes to its end is not published again.
    func abandon() {
        guard let reason else { return }
        let words = lastWords.withLock { words in
            defer { words = [] }
            return words
        }
        for say in words { say(reason) }
    }

    /// The run has come to its end: it speaks for itself.
    func settle() {
        lastWords.withLock { $0 = [] }
    }
}
