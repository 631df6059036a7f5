//! Parallel work with results in the order of the input; the only place where Dispatch runs anything.
internal import CLinux
import Dispatch
import Synchronization

/// A second stage that takes what the first one made, several at a time.
package struct Gathering<Output: Sendable>: Sendable {
    /// How much a result of the first stage adds to a gathering; 0 when the second stage has nothing to do with it.
    var load: @Sendable (Output) -> Int
    /// A load that is worth a worker's while. Less is taken only when nothing waits for the first stage, and never more than twice
    /// as much, but for the last one's sake.
    var enough: Int
    /// One result for every one that it is given, in their order.
    var finish: @Sendable ([Output]) -> [Output]
}

/// A pool of workers that is pulled: `next` keeps a bounded number of items in flight and gives the results in the order in which
/// the items came, so what follows never sees how many workers there are.
package final class WorkerPool<Input: Sendable, Output: Sendable> {
    /// A result that is still being made, or that will not be made any more.
    private final class Slot: Sendable {
        let number: Int
        private let output = Mutex<Output?>(nil)
        private let ready = DispatchSemaphore(value: 0)

        init(_ number: Int) {
            self.number = number
        }

        func fill(_ value: Output?) {
            output.withLock { $0 = value }
            ready.signal()
        }

        func wait() -> Output? {
            ready.wait()
            return output.withLock { $0 }
        }
    }

    /// What a worker does next.
    private enum Step {
        case begin(Input, Slot)
        case finish([(output: Output, slot: Slot)])
    }

    /// Items that wait for a worker, what waits for the second stage, and how many workers are running.
    private struct Waiting: Sendable {
        var items: [(input: Input, slot: Slot)] = []
        /// In the order of the input.
        var gathered: [(output: Output, slot: Slot, load: Int)] = []
        var running = 0
        var hasDropped = false
        /// Nobody will take any further result.
        var isClosed = false

        mutating func gather(_ output: Output, _ slot: Slot, load: Int) {
            var place = gathered.count
            while place > 0, gathered[place - 1].slot.number > slot.number { place -= 1 }
            gathered.insert((output, slot, load), at: place)
        }

        /// The oldest results for the second stage; nil when a worker has better things to do.
        mutating func takeGathered(enough: Int) -> Step? {
            guard !gathered.isEmpty,
                items.isEmpty || gathered.reduce(0, { $0 + $1.load }) >= enough
            else { return nil }
            var (count, load) = (0, 0)
            while count < gathered.count, load < 2 * enough {
                load += gathered[count].load
                count += 1
            }
            let taken = gathered.prefix(count).map { (output: $0.output, slot: $0.slot) }
            gathered.removeFirst(count)
            return .finish(taken)
        }

        /// Gives up what no worker has in hand.
        mutating func drop() {
            let slots = items.map(\.slot) + gathered.map(\.slot)
            hasDropped = hasDropped || !slots.isEmpty
            items.removeAll()
            gathered.removeAll()
            for slot in slots { slot.fill(nil) }
        }
    }

    /// What the workers share.
    private final class Desk: Sendable {
        let waiting = Mutex(Waiting())
    }

    private let workers: Int
    private let inFlight: Int
    private let work: @Sendable (Input) -> Output
    private let gathering: Gathering<Output>?
    private let isStopped: @Sendable () -> Bool
    /// The nice value that the workers take: Dispatch's threads have 0, whatever the process was started with. One of Dispatch's own,
    /// which waits for timers and signals, keeps -4 when the user may give that (root); it does next to nothing, and nobody outside
    /// Dispatch gets hold of it.
    private let niceness: Int32
    private let desk = Desk()
    private let queue = DispatchQueue(label: "wade.workers", attributes: .concurrent)
    private let group = DispatchGroup()
    private var slots: [Slot] = []
    private var first = 0
    /// Items taken so far.
    private var submitted = 0

    /// A pool of `workers` threads with at most `inFlight` items taken and not yet delivered; `gathering` is the second stage, if there
    /// is one. They are as nice as the caller's thread unless told otherwise. Once the pool `isStopped`, what no worker has in hand
    /// is dropped.
    package init(
        workers: Int, inFlight: Int, niceness: Int32? = nil, gathering: Gathering<Output>? = nil,
        isStopped: @escaping @Sendable () -> Bool = { false },
        work: @escaping @Sendable (Input) -> Output
    ) {
        precondition(
            workers > 0 && inFlight > 0, "WorkerPool: \(workers) workers, \(inFlight) items")
        self.workers = workers
        self.inFlight = inFlight
        self.work = work
        self.gathering = gathering
        self.isStopped = isStopped
        self.niceness = niceness ?? linux_niceness()
    }

    /// Items that no worker has begun are dropped, the others are waited for: a process must not end under a working thread.
    deinit {
        desk.waiting.withLock {
            $0.isClosed = true
            $0.drop()
        }
        group.wait()
    }

    /// Whether items were dropped, so that their results and those behind them are missing.
    package var hasDropped: Bool { desk.waiting.withLock { $0.hasDropped } }

    /// Whether everything that was taken is delivered.
    package var isEmpty: Bool { first == slots.count }

    /// The next result in the order of the input; nil when `input` has no more and everything is delivered, or when the result was
    /// dropped. New items are taken from `input` first, until the pool is full, so that the workers never wait for whoever pulls.
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
        let slot = Slot(submitted)
        submitted += 1
        slots.append(slot)
        let limit = workers
        let starts = desk.waiting.withLock { waiting in
            waiting.items.append((item, slot))
            guard waiting.running < limit else { return false }
            waiting.running += 1
            return true
        }
        guard starts else { return }
        queue.async(group: group) { [desk, work, gathering, isStopped, niceness] in
            linux_set_niceness(niceness)
            while let step = Self.take(from: desk, gathering, isStopped) {
                switch step {
                case .begin(let input, let slot):
                    let output = work(input)
                    if let load = gathering?.load(output), load > 0 {
                        desk.waiting.withLock { $0.gather(output, slot, load: load) }
                    } else {
                        slot.fill(output)
                    }
                case .finish(let gathered):
                    let outputs = gathering?.finish(gathered.map(\.output)) ?? []
                    for (place, taken) in gathered.enumerated() { taken.slot.fill(outputs[place]) }
                }
            }
        }
    }

    private static func take(
        from desk: Desk, _ gathering: Gathering<Output>?, _ isStopped: () -> Bool
    ) -> Step? {
        desk.waiting.withLock { waiting in
            if waiting.isClosed || isStopped() { waiting.drop() }
            if let gathering, let step = waiting.takeGathered(enough: gathering.enough) {
                return step
            }
            guard !waiting.items.isEmpty else {
                waiting.running -= 1
                return nil
            }
            let item = waiting.items.removeFirst()
            return .begin(item.input, item.slot)
        }
    }
}
