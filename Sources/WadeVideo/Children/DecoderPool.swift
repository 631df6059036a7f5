//! The decoder processes of a run: one per worker, used for many files, replaced when one of them goes wrong.
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Opens files in decoder processes.
///
/// Note [What one file can cost]: a decoder that crashes, hangs or eats memory is ended and costs that file's record only. After a
/// crash the file gets one more try in a fresh process; after its time is over it gets none, and neither after its memory is over,
/// unless its process had files before, whose leavings count.
///
/// Note [How much memory one file gets]: at most `clipMemory`, whatever the budget and however many decode beside it, so that what
/// becomes of a file depends on the file and on that number alone. Under a budget a file is first opened with less; when its headers
/// say that it takes more, it waits until that much is free. What is granted is what the kernel enforces (RLIMIT_AS), so a
/// wrong estimate costs the file and not the budget; and nothing bad is believed of a file, no failure and no lost frame,
/// before it has been tried with all of `clipMemory`.
package final class DecoderPool: Sendable {
    /// A process and the files it has had.
    private struct Idle: Sendable {
        let child: DecoderChild
        let files: Int
    }

    /// Files after which a process is replaced: whatever a library leaks does not grow.
    private static let filesPerChild = 200

    private let limits: VideoLimits
    private let budget: MemoryBudget?
    private let clipMemory: Int
    /// Whether what a caller needs beside the decoder is held to `clipMemory`, too.
    private let limitsCompanions: Bool
    private let capacity: Mutex<Int>
    private let spawner: ChildSpawner
    private let places: DispatchSemaphore
    private let idle = Mutex<[Idle]>([])
    private let mostResident = Mutex<Int?>(nil)

    /// A pool of at most `capacity` processes of `program`, this program itself unless tests say otherwise. A file's time
    /// is `limits.timeout`, held here by the clock; `budget` bounds the memory of all of them together and has to have room for
    /// `clipMemory`, the bytes that decoding one file may take, and encoding it as much again afterwards. When that is not given it is
    /// `DecoderMemory.unbounded`, and without a budget encoding may take any.
    package init(
        capacity: Int, limits: VideoLimits = VideoLimits(), budget: MemoryBudget? = nil,
        clipMemory: Int? = nil, program: String = "/proc/self/exe"
    ) {
        precondition(capacity > 0, "DecoderPool: \(capacity) processes")
        self.limits = limits
        self.budget = budget
        self.clipMemory = clipMemory ?? DecoderMemory.unbounded
        limitsCompanions = budget != nil || clipMemory != nil
        self.capacity = Mutex(capacity)
        spawner = ChildSpawner(program: program)
        // Begun with a value of its own a semaphore traps when it goes with less, as it would after `restrict`.
        places = DispatchSemaphore(value: 0)
        for _ in 0..<capacity { places.signal() }
    }

    /// How many files can be decoded at once.
    package var size: Int { capacity.withLock { $0 } }

    /// Lets no more than `count` processes work at once, at least one, and never more than before; the others' files wait. Says how
    /// many it is.
    package func restrict(to count: Int) -> Int {
        let (most, surplus) = capacity.withLock { capacity in
            let surplus = max(0, capacity - max(1, count))
            capacity -= surplus
            return (capacity, surplus)
        }
        for _ in 0..<surplus { places.wait() }
        idle.withLock { $0.removeFirst(max(0, $0.count - most)) }
        return most
    }

    /// Bytes that a process has resident with nothing to do, the most of those started so far; nil before the first.
    package var idleMemory: Int? { mostResident.withLock { $0 } }

    /// Starts a process if there is none; throws when none can be had within the time of one file.
    package func requireProcess() throws(VideoError) {
        places.wait()
        defer { places.signal() }
        put(try take(until: OpenVideo.deadline(limits)))
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
        var grant = Grant(limit: clipMemory, isLent: budget != nil)
        var hasCrashed = false
        // Whether the next try needs a process that has had no file, and whether the last one had one that has.
        var (needsFresh, wasUsed) = (false, false)
        while true {
            let lease = budget?.reserve(grant.bytes)
            do throws(VideoError) {
                switch try attempt(
                    file, isFresh: needsFresh, wasUsed: &wasUsed, grant, companion, body)
                {
                case .done(let value, let rest, let isWhole):
                    if isWhole || grant.isAll {
                        lease?.shrink(to: rest)
                        return (value, lease)
                    }
                    grant.raise(to: .max)
                case .needs(let bytes): grant.raise(to: bytes)
                }
            } catch {
                // Neither more time nor another process would help.
                if error.isFaultOfSystem { throw error }
                let isFinal = error.code == .timeout
                if error.code == .decoderCrashed, !hasCrashed {
                    (hasCrashed, needsFresh) = (true, true)
                    grant.raise(to: .max)
                } else if error.code == .tooLarge, wasUsed, !error.isFaultOfSettings {
                    // RLIMIT_AS counts what earlier files have left mapped.
                    needsFresh = true
                } else if !grant.isAll, !isFinal, !error.isFaultOfSettings {
                    grant.raise(to: .max)
                } else {
                    throw grant.explained(error, hasCrashed: hasCrashed)
                }
            }
        }
    }

    private enum Attempt<Value> {
        /// The body's value, bytes that the caller needs from here on, and whether nothing of the file was lost.
        case done(Value, rest: Int, isWhole: Bool)
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
            // The decoder gives its memory back before the caller takes the rest: the greater of the two is what is lent.
            let rest = max(0, companion(metadata))
            if limitsCompanions, rest > clipMemory {
                throw grant.tooSmall(for: rest, doing: "encoding")
            }
            if grant.isChecked, max(memory, rest) > grant.bytes, !grant.isAll {
                outcome = .needs(max(memory, rest))
            } else {
                var video = OpenVideo(one.child, metadata, limits, deadline: deadline)
                let value = try body(&video)
                outcome = .done(value, rest: rest, isWhole: !video.hasLosses)
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
        let child = try DecoderChild(spawner: spawner, until: end)
        mostResident.withLock { $0 = max($0 ?? 0, child.resident) }
        return Idle(child: child, files: 0)
    }

    private func put(_ one: Idle) {
        guard one.files < Self.filesPerChild else { return }
        idle.withLock { $0.append(one) }
    }
}

/// How much memory the next try of a file gets; see Note [How much memory one file gets].
private struct Grant {
    /// Bytes that any try may get.
    private let limit: Int
    /// What decoding the file takes, by estimate, where that is more than the limit.
    private var needed: Int?
    /// Bytes that the next try gets.
    private(set) var bytes: Int
    /// Whether the decoder has to compare what its file takes with `bytes`: false when no more can be had anyway.
    private(set) var isChecked = true

    /// `isLent` says that others wait for what this file does not need.
    init(limit: Int, isLent: Bool) {
        self.limit = limit
        bytes = isLent ? min(DecoderMemory.opening, limit) : limit
    }

    /// Whether no try will get more.
    var isAll: Bool { bytes == limit }

    /// Asks for `wanted` bytes next time, for all that one file may have when that is less.
    mutating func raise(to wanted: Int) {
        if wanted > limit, wanted < .max { needed = wanted }
        bytes = min(max(wanted, bytes), limit)
        isChecked = wanted <= limit
    }

    /// The last try's error as it is told: both sizes where the limit is to blame, both tries where there were two.
    func explained(_ error: VideoError, hasCrashed: Bool) -> VideoError {
        if let needed, error.code == .tooLarge || error.code == .decoderCrashed {
            return tooSmall(for: needed, doing: "decoding")
        }
        guard error.code == .decoderCrashed, hasCrashed else { return error }
        return VideoError(.decoderCrashed, "\(error.message), the second one that tried this file")
    }

    /// The error of a file for which `work` takes `needed` bytes, more than one file may have.
    func tooSmall(for needed: Int, doing work: String) -> VideoError {
        var error = VideoError(
            .tooLarge,
            "\(work) takes about \(needed >> 20) MiB, more than the limit of \(limit >> 20) MiB for one clip"
        )
        error.isFaultOfSettings = true
        return error
    }
}
