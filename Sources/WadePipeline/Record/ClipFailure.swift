//! The closed list of what can go wrong with one clip; such a failure becomes a record and the run goes on.

/// `error.code` of a record.
package enum FailureCode: String, Sendable, CaseIterable {
    /// The file has no bytes.
    case emptyFile = "empty_file"
    /// The content is no video or picture of a known kind.
    case notMedia = "not_media"
    /// The container's structure is broken beyond use.
    case containerDamaged = "container_damaged"
    /// Sound or subtitles only.
    case noVideoStream = "no_video_stream"
    /// A video stream without a single frame.
    case noFrames = "no_frames"
    /// Frames are there and none of those wanted can be decoded.
    case decodeFailed = "decode_failed"
    /// The content is encrypted.
    case encrypted
    /// More pixels, streams or memory than the limits allow.
    case tooLarge = "too_large"
    /// No decoder for this codec.
    case unsupportedCodec = "unsupported_codec"
    /// The system refuses to let this user read.
    case permissionDenied = "permission_denied"
    /// Reading failed.
    case inputOutput = "io_error"
    /// A pipe, socket, device or folder where a file was asked for.
    case notRegularFile = "not_regular_file"
    /// A link to nothing.
    case brokenSymlink = "broken_symlink"
    /// Links that lead to each other.
    case symlinkLoop = "symlink_loop"
    /// The time limit of one clip passed.
    case timeout
    /// A playlist or another format that reaches for other files.
    case blockedFormat = "blocked_format"
    /// The file's size or time changed between its first and last byte.
    case changedWhileReading = "changed_while_reading"
    /// The decoder died.
    case decoderCrashed = "decoder_crashed"
    /// Given up after the bounded number of tries.
    case parked
    /// The language model could not produce an answer.
    case generationFailed = "generation_failed"
    /// The answer does not fit what was asked.
    case invalidAnswer = "invalid_answer"
    /// A mistake of the program.
    case `internal`

    /// Whether the same bytes may succeed another time: a crash, a limit on time, a failing disk.
    package var isRetryable: Bool {
        switch self {
        case .inputOutput, .timeout, .changedWhileReading, .decoderCrashed, .generationFailed,
            .permissionDenied, .internal:
            return true
        default: return false
        }
    }
}

/// `error.stage` of a record: how far the clip came.
package enum FailureStage: String, Sendable, CaseIterable {
    /// While walking the folders.
    case find
    /// While reading the file's bytes for its identity.
    case read
    /// While decoding frames or finding the clips of a file.
    case decode
    /// While encoding frames to visual tokens.
    case vision
    /// While generating the answer.
    case generate
}

/// Why one clip has no answer.
package struct ClipFailure: Error, Sendable, Equatable {
    /// What went wrong.
    package var code: FailureCode
    /// How far the clip came.
    package var stage: FailureStage
    /// A sentence for people; the same for the same bytes, so without times, addresses or full paths.
    package var message: String
    /// Whether the same bytes may succeed another time, because of the code or of what the run was allowed.
    package var isRetryable: Bool
    /// Whether the machine is to blame and every clip would fail in the same way: such a failure ends the run and is no record.
    package var isFaultOfSystem = false

    /// A failure with `code` at `stage`.
    package init(code: FailureCode, stage: FailureStage, message: String) {
        self.code = code
        self.stage = stage
        self.message = message
        isRetryable = code.isRetryable
    }
}
