//! Hands a descriptor's bytes to FFmpeg, so that no name ever reaches it and nothing else can be opened.
internal import CFFmpeg
internal import Glibc

/// Where one demuxer stands in the file, and when it has to be done. Lives behind FFmpeg's opaque pointer.
struct InputState {
    let descriptor: Int32
    let size: Int64
    var position: Int64 = 0
    /// Monotonic nanoseconds at which reading is refused; `UInt64.max` for never.
    var deadline: UInt64 = .max
    /// The system's error number of the last read that failed; 0 when none did.
    var systemError: Int32 = 0

    /// Whether the time limit has passed.
    var isOverdue: Bool { deadline != .max && InputState.now() > deadline }

    /// Monotonic clock in nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        let seconds = UInt64(max(0, time.tv_sec)), rest = UInt64(max(0, time.tv_nsec))
        return seconds &* 1_000_000_000 &+ rest
    }
}

/// Owns an `AVIOContext` that reads a descriptor by position, and the state behind it.
@safe struct InputContext: ~Copyable {
    let context: UnsafeMutablePointer<AVIOContext>
    let state: UnsafeMutablePointer<InputState>

    /// A reader of `file` from its first byte; `file` must outlive it.
    init(file: borrowing InputFile) throws(VideoError) {
        let size: Int32 = 32 << 10
        let state = UnsafeMutablePointer<InputState>.allocate(capacity: 1)
        unsafe state.initialize(
            to: InputState(descriptor: file.descriptor, size: Int64(file.size)))
        guard let buffer = unsafe av_malloc(Int(size)),
            let made = unsafe avio_alloc_context(
                buffer.assumingMemoryBound(to: UInt8.self), size, 0, state, readBytes, nil,
                seekBytes)
        else {
            unsafe state.deallocate()
            throw VideoError(.tooLarge, "no memory for a read buffer")
        }
        unsafe context = unsafe made
        unsafe self.state = unsafe state
    }

    deinit {
        var buffer: UnsafeMutableRawPointer? = unsafe UnsafeMutableRawPointer(
            context.pointee.buffer)
        unsafe av_freep(&buffer)
        var pointer: UnsafeMutablePointer<AVIOContext>? = unsafe context
        unsafe avio_context_free(&pointer)
        unsafe state.deallocate()
    }

    /// The reason of the last failed read, nil when none failed.
    var failure: VideoError? {
        let number = unsafe state.pointee.systemError
        guard number != 0 else { return nil }
        let reason = unsafe String(cString: strerror(number))
        return VideoError(.inputOutput, "could not read the file: \(reason)")
    }

    /// Allows `seconds` from now; 0 allows any time.
    func allow(seconds: Double) {
        guard seconds > 0, seconds < 1e9 else {
            unsafe state.pointee.deadline = .max
            return
        }
        unsafe state.pointee.deadline = InputState.now() &+ UInt64(seconds * 1e9)
    }
}

private let readBytes:
    @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt8>?, Int32) -> Int32 = {
        opaque, buffer, count in
        guard let opaque = unsafe opaque, let buffer = unsafe buffer, count > 0 else {
            return ffmpeg_error_io
        }
        let state = unsafe opaque.assumingMemoryBound(to: InputState.self)
        if unsafe state.pointee.isOverdue { return ffmpeg_error_exit }
        // Past the size at opening there is nothing, however far a broken index points or the file has grown.
        if unsafe state.pointee.position >= state.pointee.size { return ffmpeg_error_end_of_file }
        while true {
            let got = unsafe pread(
                state.pointee.descriptor, buffer, Int(count), Int(state.pointee.position))
            if got > 0 {
                unsafe state.pointee.position += Int64(got)
                return Int32(truncatingIfNeeded: got)
            }
            if got == 0 { return ffmpeg_error_end_of_file }
            if errno == EINTR { continue }
            unsafe state.pointee.systemError = errno
            return ffmpeg_error_io
        }
    }

private let seekBytes: @convention(c) (UnsafeMutableRawPointer?, Int64, Int32) -> Int64 = {
    opaque, offset, whence in
    guard let opaque = unsafe opaque else { return Int64(ffmpeg_error_io) }
    let state = unsafe opaque.assumingMemoryBound(to: InputState.self)
    let base: Int64
    switch whence & ~AVSEEK_FORCE {
    case AVSEEK_SIZE: return unsafe state.pointee.size
    case SEEK_SET: base = 0
    case SEEK_CUR: base = unsafe state.pointee.position
    case SEEK_END: base = unsafe state.pointee.size
    default: return Int64(ffmpeg_error_invalid_data)
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    guard !overflow, target >= 0 else { return Int64(ffmpeg_error_invalid_data) }
    unsafe state.pointee.position = target
    return target
}
