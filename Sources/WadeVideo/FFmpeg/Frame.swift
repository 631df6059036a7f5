//! Decoded pictures as FFmpeg holds them.
internal import CFFmpeg

/// Owns one `AVFrame`.
@safe struct Frame: ~Copyable {
    let pointer: UnsafeMutablePointer<AVFrame>

    init() throws(VideoError) {
        guard let made = unsafe av_frame_alloc() else {
            throw VideoError(.tooLarge, "no memory for a frame")
        }
        unsafe pointer = unsafe made
    }

    deinit {
        var freed: UnsafeMutablePointer<AVFrame>? = unsafe pointer
        unsafe av_frame_free(&freed)
    }

    var width: Int { unsafe Int(pointer.pointee.width) }
    var height: Int { unsafe Int(pointer.pointee.height) }
    var format: AVPixelFormat { unsafe AVPixelFormat(rawValue: pointer.pointee.format) }

    /// Ticks at which the picture is shown: pts, else FFmpeg's best effort, else the packet's dts.
    var ticks: Int64? {
        unsafe timestamp(pointer.pointee.pts) ?? timestamp(pointer.pointee.best_effort_timestamp)
            ?? timestamp(pointer.pointee.pkt_dts)
    }

    /// Ticks the picture is shown; 0 when unknown.
    var duration: Int64 { unsafe max(0, ffmpeg_frame_duration(pointer)) }

    /// Whether the decoder had to guess parts of the picture.
    var isDamaged: Bool {
        unsafe pointer.pointee.decode_error_flags != 0
            || pointer.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0
    }

    /// The picture's own display matrix (Exif in a JPEG, SEI in H.264).
    var orientation: Orientation? {
        guard let side = unsafe av_frame_get_side_data(pointer, AV_FRAME_DATA_DISPLAYMATRIX),
            let data = unsafe side.pointee.data
        else { return nil }
        return unsafe Orientation(
            matrixBytes: UnsafeRawBufferPointer(
                start: data, count: Int(side.pointee.size)))
    }

    /// Width over height of one sample by the stream itself; nil when it says nothing.
    var sampleAspectRatio: AspectRatio? { AspectRatio(unsafe pointer.pointee.sample_aspect_ratio) }

    /// Lets the picture go.
    func clear() { unsafe av_frame_unref(pointer) }
}
