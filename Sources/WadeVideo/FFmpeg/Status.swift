//! The one place where FFmpeg's status codes become errors, and where the library is set up.
internal import CFFmpeg
internal import Glibc

/// Passes `status` on when it is no failure, else throws: "could not `action`: FFmpeg's reason".
@discardableResult
func check(_ status: Int32, _ action: String, otherwise code: VideoError.Code) throws(VideoError)
    -> Int32
{
    guard status < 0 else { return status }
    throw failure(status, action, otherwise: code)
}

/// The error that `status` stands for; `code` unless the status itself says more.
func failure(_ status: Int32, _ action: String, otherwise code: VideoError.Code) -> VideoError {
    let line = FFmpegLibrary.lastLine()
    let text = isWorded(status) ? statusText(status) : line.isEmpty ? "error \(status)" : ""
    let reason = [text, text.isEmpty || line.isEmpty ? line : "(\(line))"].filter { !$0.isEmpty }
        .joined(separator: " ")
    let message = "could not \(action): \(reason)"
    if status == ffmpeg_error_no_memory { return VideoError(.tooLarge, message) }
    if status == ffmpeg_error_exit {
        return VideoError(.timeout, "could not \(action) within the time limit")
    }
    // Every size check of the library ends in one of these two lines (imgutils.c, get_buffer.c); a side of 0 is not too large.
    if line.contains(#/icture size (0x|\d+x0\b)/#) { return VideoError(code, message) }
    if line.contains("icture size") || line.contains("exceeds the limit") {
        return VideoError(.tooLarge, message)
    }
    return VideoError(code, message)
}

/// Whether FFmpeg means `status` by itself: its own codes are four letters, far from zero. Small numbers are the system's; some
/// decoders return one of their own making (-1, -16) or what an earlier call has left behind, and its words would mislead.
private func isWorded(_ status: Int32) -> Bool {
    status < -4096
        || [ENOMEM, EINVAL, EIO, ENOSYS, ERANGE, ENOSPC, EDQUOT, EROFS, EFBIG].contains(-status)
}

/// FFmpeg's own words for a status code.
private func statusText(_ status: Int32) -> String {
    var text = [CChar](repeating: 0, count: 128)
    unsafe text.withUnsafeMutableBufferPointer { buffer in
        if let start = buffer.baseAddress { _ = unsafe av_strerror(status, start, buffer.count) }
    }
    return decoded(text)
}

/// A C string's bytes up to its end, as text; broken UTF-8 is replaced, control characters become spaces.
private func decoded(_ characters: [CChar]) -> String {
    let bytes = characters.prefix { $0 != 0 }.map {
        $0 < 32 && $0 >= 0 ? 32 : UInt8(bitPattern: $0)
    }
    var text = String(decoding: bytes, as: UTF8.self)
    while text.last == " " { text.removeLast() }
    return text
}

/// Process-wide settings of FFmpeg.
enum FFmpegLibrary {
    /// Bounds FFmpeg's allocations and takes its log; the allocation limit is one per process, the last call decides.
    static func prepare(maximumAllocation: Int) {
        _ = installed
        av_max_alloc(maximumAllocation)
    }

    private static let installed: Bool = {
        ffmpeg_log_install()
        return true
    }()

    /// Starts a new message: what was logged before has nothing to do with what follows.
    static func forgetLines() { ffmpeg_log_forget() }

    /// The last warning or error that FFmpeg logged on this thread, empty when none.
    static func lastLine() -> String {
        guard let line = unsafe ffmpeg_log_line() else { return "" }
        let length = unsafe strnlen(line, 255)
        let characters = unsafe [CChar](UnsafeBufferPointer(start: line, count: length))
        return decoded(characters)
    }
}

/// A stream whose packets all failed: `found`, and what the decoder said last.
func decodeFailure(_ found: String) -> VideoError {
    failure(ffmpeg_error_invalid_data, "decode, \(found)", otherwise: .decodeFailed)
}
