//! What decoding found out, as a record says it.
import WadeVideo

extension ClipFailure {
    /// A failure of decoding.
    init(_ error: VideoError) {
        self.init(
            code: FailureCode(rawValue: error.code.rawValue) ?? .internal, stage: .decode,
            message: error.message)
        isRetryable = isRetryable || error.isFaultOfSettings
        isFaultOfSystem = error.isFaultOfSystem
    }
}

extension AnnotationRecord.Video {
    /// What decoding has found out about a file.
    init(_ metadata: VideoMetadata) {
        self.init()
        duration = metadata.duration
        width = metadata.width
        height = metadata.height
        rotation = metadata.rotationDegrees
        codec = metadata.codec
        pixelFormat = metadata.pixelFormat
        transfer = metadata.transfer
        averageFrameRate = metadata.averageRate
        isVariableFrameRate = metadata.hasVariableRate
    }
}
