//! The decoder processes of a run: one per worker, used for many files, replaced when one of them goes wrong.
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Opens files in decoder processes.
///
/// Note [What one file can cost]: a decoder that crashes, hangs or eats memory is ended and costs that file's record only. After a
/// crash the file gets one more try in a fresh process; after its time is over it gets none, and neither after its memory is over,
/// unless its process had files before, whose leavings count. With a budget, a file is
/// first opened with little memory; when its headers say that it takes more, it waits until that much is free, and when there is
/// not that much at all, it is tried alone with everything there is. What is granted is what the kernel enforces
/// (RLIMIT_AS), so a wrong estimate costs the file and not the budget.
package final class DecoderPool: Sendable {
    /// A process and the files it has had.
    private struct Idle: Sendable {
        let child: DecoderChild
        let files: Int
    }

    /// Files after which a process is replaced: whatever a library leaks does not grow.
    private static let filesPerChild = 200
    /// Least memory that makes sense to try with.
    private static let leastMemory = 32 << 20

    private let limits: VideoLimits
    private let budget: MemoryBudget?
    private let spawner: ChildSpawner
    private let places: DispatchSemaphore
    private let idle = Mutex<[Idle]>([])

    /// A pool of at most `capacity` processes of `program`, this program itself unless tests say otherwise. A file's time
    /// is `limits.timeout`, held here by the clock; `budget` bounds the memory of all of them together.
    package init(
        capacity: Int, limits: VideoLimits = VideoLimits(), budget: MemoryBudget? = nil,
        program: String = "/proc/self/exe"
    ) {
        precondition(capacity > 0, "DecoderPool: \(capacity) processes")
        self.limits = limits
        self.budget = budget
        spawner = ChildSpawner(program: program)
        places = DispatchSemaphore(value: capacity)
    }

    /// Bytes that a process has resident with nothing to do; starts one if there is none.
    package func idleMemory() throws(VideoError) -> Int {
        places.wait()
        defer { places.signal() }
        let one = try take(until: .max)
        put(one)
        return one.child.resident
    }

    /// Opens the file at `path`, bytes as the kernel knows them, and gives it to `body`, which may be called a second time after a
    /// crash. `companion` says how much memory the caller needs beside the decoder for a file; it stays lent until the
    /// lease goes.
    package func read<Value>(
        path: [UInt8], companion: (VideoMetadata) -> Int = { _ in 0 },
        _ body: (inout OpenVideo) throws(VideoError) -> Value
    ) throws(VideoError) -> (value: Value, lease: MemoryBudget.Lease?) {
        let file = try InputFile(path: path)
        places.wait()
        defer { places.signal() }
        var grant = Grant(budget)
        var hasCrashed = false
        // Whether the next try needs a process that has had no file, and whether the last one had one that has.
        var (needsFresh, wasUsed) = (false, false)
        while true {
            let lease = grant.lease()
            do throws(VideoError) {
                switch try attempt(
                    file, isFresh: needsFresh, wasUsed: &wasUsed, grant, companion, body)
                {
                case .done(let value, let rest):
                    lease?.shrink(to: rest)
                    return (value, lease)
                case .needs(let bytes): grant.raise(to: bytes)
                }
            } catch {
                let mayGrow = grant.canGrow
                if error.code == .decoderCrashed, !hasCrashed {
                    // A decoder that got too little may well crash instead of saying so.
                    (hasCrashed, needsFresh) = (true, true)
                    if mayGrow { grant.raise(to: .max) }
                } else if error.code == .tooLarge, wasUsed, !error.isFaultOfSettings {
                    // RLIMIT_AS counts what earlier files have left mapped.
                    needsFresh = true
                } else if error.code == .tooLarge, mayGrow {
                    grant.raise(to: .max)
                } else {
                    throw grant.explained(error, hasCrashed: hasCrashed)
                }
            }
        }
    }

    private enum Attempt<Value> {
        case done(Value, rest: Int)
        case needs(Int)
    }

    /// One try: the body's value, or how much memory it takes. A process that had to report an error is not used again.
    private func attempt<Value>(
        _ file: borrowing InputFile, isFresh: Bool, wasUsed: inout Bool, _ grant: Grant,
        _ companion: (VideoMetadata) -> Int,
        _ body: (inout OpenVideo) throws(VideoError) -> Value
    ) throws(VideoError) -> Attempt<Value> {
        let deadline = OpenVideo.deadline(limits)
        wasUsed = false
        let one = isFresh ? try start(until: deadline) : try take(until: deadline)
        wasUsed = one.files > 0
        var limits = limits
        limits.maximumMemory = grant.isChecked ? grant.bytes : .max
        try one.child.send(
            .open(limits, memory: grant.bytes), file: file.descriptor, deadline: deadline)
        let outcome: Attempt<Value>
        switch try one.child.receive(deadline: deadline) {
        case .needs(let bytes): outcome = .needs(bytes)
        case .opened(let metadata, let memory):
            let rest = companion(metadata)
            let (sum, overflow) = memory.addingReportingOverflow(max(0, rest))
            if grant.isChecked, overflow || sum > grant.bytes {
                outcome = .needs(overflow ? Int.max - 1 : sum)
            } else if budget != nil, overflow || rest > grant.bytes - Self.leastMemory {
                throw grant.tooSmall(for: sum)
            } else {
                var video = OpenVideo(one.child, metadata, limits, deadline: deadline)
                outcome = .done(try body(&video), rest: rest)
            }
        default: throw one.child.unexpected("something else than facts")
        }
        try one.child.send(.close, deadline: DecoderChild.deadline(seconds: 10))
        guard case .closed = try one.child.receive(deadline: DecoderChild.deadline(seconds: 10))
        else { throw one.child.unexpected("something else than goodbye") }
        put(Idle(child: one.child, files: one.files + 1))
        return outcome
    }

    private func take(until end: UInt64) throws(VideoError) -> Idle {
        while let one = idle.withLock({ $0.popLast() }) {
            if one.child.isQuiet { return one }
        }
        return try start(until: end)
    }

    private func start(until end: UInt64) throws(VideoError) -> Idle {
        Idle(child: try DecoderChild(spawner: spawner, until: end), files: 0)
    }

    private func put(_ one: Idle) {
        guard one.files < Self.filesPerChild else { return }
        idle.withLock { $0.append(one) }
    }
}

/// How much memory the next try of a file gets.
private struct Grant {
    private let budget: MemoryBudget?
    /// What the file is known to take.
    private var needed: Int?
    /// Bytes that the next try gets.
    private(set) var bytes: Int
    /// Whether the decoder has to compare what its file takes with `bytes`: false when no more can be had anyway.
    private(set) var isChecked: Bool

    init(_ budget: MemoryBudget?) {
        self.budget = budget
        guard let budget else {
            bytes = DecoderMemory.unbounded
            isChecked = false
            return
        }
        bytes = min(DecoderMemory.opening, budget.capacity)
        isChecked = true
    }

    var canGrow: Bool { isChecked }

    /// The memory for the next try; waits for it.
    func lease() -> MemoryBudget.Lease? {
        guard let budget else { return nil }
        return budget.reserve(bytes)
    }

    /// Asks for `wanted` bytes next time, for everything when there are not so many.
    mutating func raise(to wanted: Int) {
        guard let budget else { return }
        if wanted < .max { needed = wanted }
        let capacity = budget.capacity
        bytes = min(max(wanted, bytes), capacity)
        isChecked = wanted < capacity
    }

    /// The last try's error as it is told: both sizes where the budget is to blame, both tries where there were two.
    func explained(_ error: VideoError, hasCrashed: Bool) -> VideoError {
        if let budget, let needed, needed > bytes,
            error.code == .tooLarge || error.code == .decoderCrashed
        {
            return tooSmall(for: needed, budget.total)
        }
        guard error.code == .decoderCrashed, hasCrashed else { return error }
        return VideoError(.decoderCrashed, "\(error.message), the second one that tried this file")
    }

    /// A file that takes `needed` bytes where there are not so many.
    func tooSmall(for needed: Int) -> VideoError { tooSmall(for: needed, budget?.total ?? bytes) }

    private func tooSmall(for needed: Int, _ total: Int) -> VideoError {
        var error = VideoError(
            .tooLarge,
            "decoding takes about \(needed >> 20) MiB, more than a memory budget of \(total >> 20) MiB leaves for it"
        )
        error.isFaultOfSettings = true
        return error
    }
}
