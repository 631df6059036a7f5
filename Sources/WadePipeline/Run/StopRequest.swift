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

    /// No wish yet.
    package init() {}

    /// Why to stop; nil as long as nobody wishes.
    package var reason: Reason? { wish.withLock { $0 } }

    /// Asks to stop; the first reason stands.
    package func stop(_ reason: Reason) {
        wish.withLock { $0 = $0 ?? reason }
    }
}
