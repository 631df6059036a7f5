//! One decoder process as its run sees it.
internal import CLinux
internal import Glibc
internal import Synchronization

/// A running decoder; it is used by one thread at a time and ends with the value.
final class DecoderChild: Sendable {
    /// The process's id.
    let process: Int32
    /// Bytes that it had resident at its start.
    let resident: Int
    private let socket: DecoderSocket
    /// Whether the process has been waited for.
    private let isReaped = Mutex(false)

    /// Seconds that a new process has to say that it is ready; a loaded machine may take some to link it.
    private static let startSeconds = 60.0
    /// Seconds that the machine has to find room for one more process, and what it may be short of until then.
    private static let shortageSeconds = 10.0
    private static let shortages: Set<Int32> = [EAGAIN, ENOMEM, EMFILE, ENFILE]
    /// Replies without pictures are short; the times of all cuts of a long film are the longest.
    static let longestReply = 16 << 20
    /// The first word is a number, or a sentence about what is missing.
    private static let longestGreeting = 4096

    /// Starts a decoder with `spawner` and waits until it is ready, until `end` at most. The error of one that cannot be started, or
    /// finds nothing to decode with, is the system's.
    init(spawner: ChildSpawner, until end: UInt64) throws(VideoError) {
        var start = spawner.start()
        // What a machine is short of may be there again in a moment.
        let patience = min(end, Self.deadline(seconds: Self.shortageSeconds))
        while Self.shortages.contains(start.code), InputState.now() < patience {
            usleep(100_000)
            start = spawner.start()
        }
        guard start.code == 0 else {
            let reason = unsafe String(cString: strerror(start.code))
            var error = VideoError(
                .decoderCrashed, "no decoder process could be started: \(reason)")
            error.isFaultOfSystem = true
            throw error
        }
        process = start.process
        socket = DecoderSocket(descriptor: start.socket)
        do throws(VideoError) {
            resident = try Self.greeting(
                socket, deadline: min(end, Self.deadline(seconds: Self.startSeconds)))
        } catch {
            _ = Self.end(start.process, patience: 0)
            if !error.isFaultOfSystem, InputState.now() >= end { throw VideoError.overTime }
            throw error
        }
    }

    /// The bytes that a new process at the other end of `socket` says that it has resident.
    private static func greeting(_ socket: borrowing DecoderSocket, deadline: UInt64)
        throws(VideoError) -> Int
    {
        guard
            let (message, file) = try? socket.receive(
                atMost: longestGreeting, deadline: deadline)
        else { throw VideoError(.decoderCrashed, "the decoder process did not start") }
        if file >= 0 { close(file) }
        switch try? DecoderReply(message) {
        case .ready(let bytes): return bytes
        case .failed(var error):
            error.isFaultOfSystem = true
            throw error
        default: throw VideoError(.decoderCrashed, "the decoder process did not start")
        }
    }

    deinit { finish() }

    /// Whether the process is there and says nothing, as one that waits for work does.
    var isQuiet: Bool { socket.isQuiet }

    /// The moment `seconds` from now on the clock of deadlines.
    static func deadline(seconds: Double) -> UInt64 {
        guard seconds > 0, seconds < 1e9 else { return .max }
        return InputState.now() &+ UInt64(seconds * 1e9)
    }

    /// Sends `request`, with an open file beside it if that is not negative.
    func send(_ request: DecoderRequest, file: Int32 = -1, deadline: UInt64) throws(VideoError) {
        do {
            try socket.send(request.message, file: file, deadline: deadline)
        } catch {
            throw failure(error)
        }
    }

    /// The next reply of at most `longest` bytes; an error that the decoder reports is thrown.
    func receive(atMost longest: Int = longestReply, deadline: UInt64) throws(VideoError)
        -> DecoderReply
    {
        let reply: DecoderReply
        do {
            let (message, file) = try socket.receive(atMost: longest, deadline: deadline)
            if file >= 0 { close(file) }
            do { reply = try DecoderReply(message) } catch {
                throw DecoderSocket.Failure.garbled(error)
            }
        } catch let error as DecoderSocket.Failure {
            throw failure(error)
        } catch {
            throw failure(.gone)
        }
        if case .failed(let error) = reply {
            // Only this side can know that a decoder has crashed.
            guard error.code != .decoderCrashed else { throw unexpected("a crash of its own") }
            throw error
        }
        return reply
    }

    /// What a reply means that nobody asked for; ends the process.
    func unexpected(_ found: String) -> VideoError {
        failure(.garbled(WireError(found)))
    }

    /// What it means that the time is over; ends the process.
    func overTime() -> VideoError { failure(.late) }

    /// Ends the process and says what to make of it.
    private func failure(_ failure: DecoderSocket.Failure) -> VideoError {
        switch failure {
        case .late:
            finish()
            return .overTime
        case .garbled(let error):
            finish()
            return VideoError(.decoderCrashed, "the decoder process said \(error.found)")
        case .gone:
            // It is about to end, or has; how tells why.
            let status = finish(patience: 1)
            let signal = status.map { linux_signal_of($0) } ?? SIGKILL
            if signal == SIGXCPU { return .overTime }
            return VideoError(
                .decoderCrashed,
                signal > 0
                    ? "the decoder process was ended by signal \(signal)"
                    : "the decoder process ended by itself")
        }
    }

    /// Ends the process if it has not ended; its status when it is still to be had. A process that ends by itself has `patience`
    /// seconds to do so.
    @discardableResult
    private func finish(patience: Double = 0) -> Int32? {
        isReaped.withLock { isReaped in
            guard !isReaped else { return nil }
            isReaped = true
            return Self.end(process, patience: patience)
        }
    }

    /// Waits `patience` seconds for the end of `process`, then kills it. A process that hangs in the kernel (a dead file server) is
    /// left behind after a second: it ends when the kernel lets it, and nobody waits for that.
    private static func end(_ process: Int32, patience: Double) -> Int32? {
        if patience > 0, let status = wait(for: process, seconds: patience) { return status }
        kill(process, SIGKILL)
        return wait(for: process, seconds: 1)
    }

    private static func wait(for process: Int32, seconds: Double) -> Int32? {
        let deadline = deadline(seconds: seconds)
        var pause: UInt32 = 100
        while true {
            var status: Int32 = 0
            let code = unsafe waitpid(process, &status, WNOHANG)
            if code == process { return status }
            guard code == 0 || errno == EINTR, InputState.now() < deadline else { return nil }
            usleep(pause)
            pause = min(pause * 2, 5000)
        }
    }
}

extension VideoError {
    /// The time for one file is over.
    static let overTime = VideoError(.timeout, "the time limit for one file is over")
}
