//! Parallel work with results in the order of the input; the only place where Dispatch runs anything.
internal import CLinux
import Dispatch
import Synchronization

/// A pool of workers that is pulled: `next` keeps a bounded number of items in flight and gives the results in the order in which
/// the items came, so what follows never sees how many workers there are.
package final class WorkerPool<Input: Sendable, Output: Sendable> {
    /// A result that is still being made.
    private final class Slot: Sendable {
        private let output = Mutex<Output?>(nil)
        private let ready = DispatchSemaphore(value: 0)

        func fill(_ value: Output) {
            output.withLock { $0 = value }
            ready.signal()
        }

        func wait() -> Output? {
            ready.wait()
            return output.withLock { $0 }
        }
    }

    /// Items that wait for a worker, and how many workers are running.
    private struct Waiting: Sendable {
        var items: [(input: Input, slot: Slot)] = []
        var running = 0
    }

    /// What the workers share.
    private final class Desk: Sendable {
        let waiting = Mutex(Waiting())
    }

    private let workers: Int
    private let inFlight: Int
    private let work: @Sendable (Input) -> Output
    /// The nice value that the workers take: Dispatch's threads have 0, whatever the process was started with. One of Dispatch's own,
    /// which waits for timers and signals, keeps -4 when the user may give that (root); it does next to nothing, and nobody outside
    /// Dispatch gets hold of it.
    private let niceness: Int32
    private let desk = Desk()
    private let queue = DispatchQueue(label: "wade.workers", attributes: .concurrent)
    private let group = DispatchGroup()
    private var slots: [Slot] = []
    private var first = 0

    /// A pool of `workers` threads with at most `inFlight` items taken and not yet delivered.
    /// They are as nice as the caller's thread unless told otherwise.
    package init(
        workers: Int, inFlight: Int, niceness: Int32? = nil,
        work: @escaping @Sendable (Input) -> Output
    ) {
        precondition(
            workers > 0 && inFlight > 0, "WorkerPool: \(workers) workers, \(inFlight) items")
        self.workers = workers
        self.inFlight = inFlight
        self.work = work
        self.niceness = niceness ?? linux_niceness()
    }

    /// Items that no worker has begun are dropped, the others are waited for: a process must not end under a working thread.
    deinit {
        desk.waiting.withLock { $0.items.removeAll() }
        group.wait()
    }

    /// The next result in the order of the input; nil when `input` has no more and everything is delivered. New items are taken from
    /// `input` first, until the pool is full, so that the workers never wait for whoever pulls.
    package func next(from input: () -> Input?) -> Output? {
        while slots.count - first < inFlight, let item = input() { submit(item) }
        guard first < slots.count else { return nil }
        let output = slots[first].wait()
        first += 1
        if first >= 64 {
            slots.removeFirst(first)
            first = 0
        }
        return output
    }

    private func submit(_ item: Input) {
        let slot = Slot()
        slots.append(slot)
        let limit = workers
        let starts = desk.waiting.withLock { waiting in
            waiting.items.append((item, slot))
            guard waiting.running < limit else { return false }
            waiting.running += 1
            return true
        }
        guard starts else { return }
        queue.async(group: group) { [desk, work, niceness] in
            linux_set_niceness(niceness)
            while let next = Self.take(from: desk) { next.slot.fill(work(next.input)) }
        }
    }

    private static func take(from desk: Desk) -> (input: Input, slot: Slot)? {
        desk.waiting.withLock { waiting in
            guard !waiting.items.isEmpty else {
                waiting.running -= 1
                return nil
            }
            return waiting.items.removeFirst()
        }
    }
}
