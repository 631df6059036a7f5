//! One end of the talk between a run and a decoder process.
internal import CLinux
internal import Glibc

/// Owns one end of a connected pair of sockets.
struct DecoderSocket: ~Copyable {
    let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Why nothing could be sent or received.
    enum Failure: Error, Equatable {
        /// The other end is closed.
        case gone
        /// The time is over.
        case late
        /// What came is no message.
        case garbled(WireError)
    }

    /// Sends `message`, and `file` beside it unless it is negative; waits until `deadline` (`InputState.now()`) for room.
    func send(_ message: DecoderMessage, file: Int32 = -1, deadline: UInt64 = .max) throws(Failure)
    {
        let bytes = message.bytes
        var sent = 0
        while sent < bytes.count {
            if deadline != .max { try wait(for: Int16(POLLOUT), until: deadline) }
            let companion = sent == 0 ? file : -1
            let flags = deadline == .max ? 0 : 1
            let count = unsafe bytes.withUnsafeBytes { buffer in
                // With a deadline, never more than the socket takes at once.
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[sent...])
                let part = flags == 0 ? rest.count : min(rest.count, 4096)
                return unsafe linux_send(descriptor, rest.baseAddress, part, companion)
            }
            if count >= 0 {
                sent += count
            } else if errno != EINTR {
                throw .gone
            }
        }
    }

    /// Receives the next message and the descriptor that may come with it (the caller's to close), waiting until `deadline`.
    func receive(atMost longest: Int, deadline: UInt64 = .max) throws(Failure) -> (
        message: DecoderMessage, file: Int32
    ) {
        var file: Int32 = -1
        do throws(Failure) {
            let start = try receive(
                bytes: DecoderMessage.headerSize, deadline: deadline, file: &file)
            let header: DecoderMessage.Header
            do { header = try DecoderMessage.header(start[...]) } catch { throw .garbled(error) }
            guard header.length <= longest else {
                throw .garbled(WireError("\(header.length) bytes, expected at most \(longest)"))
            }
            let payload = try receive(bytes: header.length, deadline: deadline, file: &file)
            do {
                return (try DecoderMessage(header, payload: payload), file)
            } catch {
                throw Failure.garbled(error)
            }
        } catch {
            if file >= 0 { close(file) }
            throw error
        }
    }

    private func receive(bytes count: Int, deadline: UInt64, file: inout Int32) throws(Failure)
        -> [UInt8]
    {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            if deadline != .max { try wait(for: Int16(POLLIN), until: deadline) }
            var companion: Int32 = -1
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[received...])
                return unsafe linux_receive(descriptor, rest.baseAddress, rest.count, &companion)
            }
            if companion >= 0 {
                if file >= 0 { close(file) }
                file = companion
            }
            if got > 0 {
                received += got
            } else if got == 0 || errno != EINTR {
                throw .gone
            }
        }
        return bytes
    }

    /// Whether the other end is there and nothing has come from it.
    var isQuiet: Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&state, 1, 0) == 0
    }

    private func wait(for events: Int16, until deadline: UInt64) throws(Failure) {
        while true {
            let now = InputState.now()
            let milliseconds =
                now < deadline ? min((deadline - now) / 1_000_000 + 1, 1_000_000) : 0
            var state = pollfd(fd: descriptor, events: events, revents: 0)
            let code = unsafe poll(&state, 1, Int32(milliseconds))
            // What is there already counts as in time: this process may have been the one that stood still.
            if code > 0 { return }
            if code == 0, now >= deadline { throw .late }
            if code < 0, errno != EINTR { throw .gone }
        }
    }
}
