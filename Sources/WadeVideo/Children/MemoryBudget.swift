//! How much memory a run may take, and who may take some of it now.
internal import Dispatch
internal import Synchronization

/// Memory that is lent in the order in which it is asked for; whoever asks waits until it is there.
package final class MemoryBudget: Sendable {
    /// Someone who waits.
    private struct Waiter: Sendable {
        let bytes: Int
        let ready: DispatchSemaphore
    }

    private struct State: Sendable {
        var capacity: Int
        var used = 0
        var waiting: [Waiter] = []

        /// Whether `bytes` can be lent now: what is more than everything there is gets all of it, alone.
        func admits(_ bytes: Int) -> Bool { used == 0 || bytes <= capacity - used }
    }

    /// Memory that is lent until the value goes.
    package final class Lease: Sendable {
        private let budget: MemoryBudget
        private let bytes: Mutex<Int>

        fileprivate init(_ budget: MemoryBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = Mutex(bytes)
        }

        deinit { budget.give(back: bytes.withLock { $0 }) }

        /// Bytes that are lent.
        package var size: Int { bytes.withLock { $0 } }

        /// Gives back all but `rest` bytes.
        package func shrink(to rest: Int) {
            let surplus = bytes.withLock { bytes in
                let surplus = max(0, bytes - max(0, rest))
                bytes -= surplus
                return surplus
            }
            budget.give(back: surplus)
        }
    }

    /// The whole budget in bytes, as the user has set it.
    package let total: Int
    private let state: Mutex<State>

    /// A budget of `total` bytes.
    package init(total: Int) {
        self.total = total
        state = Mutex(State(capacity: total))
    }

    /// Bytes that can be lent at most.
    package var capacity: Int { state.withLock { $0.capacity } }

    /// Bytes that are lent now.
    var used: Int { state.withLock { $0.used } }

    /// How many wait for their turn.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Takes `bytes` out of the budget for good, in place of what was held before: weights, the program itself.
    package func hold(_ bytes: Int) {
        state.withLock { $0.capacity = max(0, total - max(0, bytes)) }
        serve()
    }

    /// Lends `bytes`, or everything there is when that is less; waits for its turn.
    package func reserve(_ bytes: Int) -> Lease {
        let ready = DispatchSemaphore(value: 0)
        state.withLock { $0.waiting.append(Waiter(bytes: max(0, bytes), ready: ready)) }
        serve()
        ready.wait()
        // What was counted when the turn came.
        return Lease(self, max(0, bytes))
    }

    fileprivate func give(back bytes: Int) {
        guard bytes > 0 else { return }
        state.withLock { $0.used -= bytes }
        serve()
    }

    /// Lets those at the head of the queue go on for whom there is room.
    private func serve() {
        let admitted = state.withLock { state in
            var admitted: [Waiter] = []
            while let first = state.waiting.first, state.admits(first.bytes) {
                state.used += first.bytes
                admitted.append(state.waiting.removeFirst())
            }
            return admitted
        }
        for waiter in admitted { waiter.ready.signal() }
    }
}
