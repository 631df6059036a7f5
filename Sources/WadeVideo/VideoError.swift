//! Why a file gave no frames: a code from the record's closed list and a sentence for people.

/// An error of the video room; the file's name is added by whoever reports it, since names are bytes.
package struct VideoError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The part of the record's `error.code` list that a file can cause; raw values are the record's spelling.
    package enum Code: String, Sendable, CaseIterable {
        case emptyFile = "empty_file"
        case notMedia = "not_media"
        case containerDamaged = "container_damaged"
        case noVideoStream = "no_video_stream"
        case noFrames = "no_frames"
        case decodeFailed = "decode_failed"
        case encrypted
        case tooLarge = "too_large"
        case unsupportedCodec = "unsupported_codec"
        case permissionDenied = "permission_denied"
        case inputOutput = "io_error"
        case notRegularFile = "not_regular_file"
        case brokenSymlink = "broken_symlink"
        case symlinkLoop = "symlink_loop"
        case timeout
        case blockedFormat = "blocked_format"
        case changedWhileReading = "changed_while_reading"
        case decoderCrashed = "decoder_crashed"
    }

    /// Which of the closed list.
    package let code: Code
    /// What was found and what was expected, lower case, without a full stop.
    package let message: String

    /// Bytes of memory that it takes to go on, where too few were granted.
    let neededMemory: Int?
    /// Whether another setting than the file is to blame, so that a later run may do better with the same bytes.
    package var isFaultOfSettings = false
    /// Whether the machine is to blame, so that no file can be decoded: an error of the run and not of a file.
    package var isFaultOfSystem = false

    init(_ code: Code, _ message: String, neededMemory: Int? = nil) {
        self.code = code
        self.message = message
        self.neededMemory = neededMemory
    }

    /// Whether trying again later can help although the file stays the same.
    package var isRetryable: Bool {
        switch code {
        case .inputOutput, .permissionDenied, .timeout, .changedWhileReading, .decoderCrashed: true
        default: false
        }
    }

    package var description: String { "\(code.rawValue): \(message)" }
}
