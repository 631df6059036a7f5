//! A video decoder with one thread.
internal import CFFmpeg

/// Owns an `AVCodecContext`.
@safe struct Decoder: ~Copyable {
    private let context: UnsafeMutablePointer<AVCodecContext>

    /// A decoder for the chosen stream of `demuxer`; throws when there is none, or the picture is too large.
    init(demuxer: borrowing Demuxer, limits: VideoLimits) throws(VideoError) {
        let stream = unsafe demuxer.stream
        guard let parameters = unsafe stream.pointee.codecpar else {
            throw VideoError(.containerDamaged, "the video stream has no parameters")
        }
        let name = unsafe String(cString: avcodec_get_name(parameters.pointee.codec_id))
        guard let codec = unsafe avcodec_find_decoder(parameters.pointee.codec_id) else {
            throw VideoError(.unsupportedCodec, "no decoder for codec '\(name)'")
        }
        guard let made = unsafe avcodec_alloc_context3(codec) else {
            throw VideoError(.tooLarge, "no memory for a decoder")
        }
        do throws(VideoError) {
            try unsafe check(
                avcodec_parameters_to_context(made, parameters), "set up the decoder",
                otherwise: .decodeFailed)
            unsafe made.pointee.thread_count = 1
            unsafe made.pointee.max_pixels = Int64(limits.maximumPixels)
            unsafe made.pointee.pkt_timebase = unsafe stream.pointee.time_base
            try unsafe check(
                avcodec_open2(made, codec, nil), "open the decoder for '\(name)'",
                otherwise: .unsupportedCodec)
        } catch {
            unsafe Decoder.free(made)
            throw error
        }
        unsafe context = unsafe made
    }

    deinit { unsafe Decoder.free(context) }

    /// What handing over or taking out came to.
    enum Step {
        case done
        /// Decoder: frames have to be taken out first. Frames: more packets are needed.
        case again
        case end
        case damaged
    }

    /// Hands over a packet.
    func send(_ packet: borrowing Packet) throws(VideoError) -> Step {
        try step(unsafe avcodec_send_packet(context, packet.pointer))
    }

    /// Says that no packet follows, so that the frames still inside come out.
    func drain() throws(VideoError) -> Step {
        try step(unsafe avcodec_send_packet(context, nil))
    }

    /// Whether the decoder can pass over pictures that no other refers to: H.264 says of every picture whether that is so, and of whole
    /// frames only; without reordering there are hardly any. HEVC's flag says less: a picture of a higher layer may refer to it.
    var canPassOver: Bool {
        unsafe context.pointee.codec_id == AV_CODEC_ID_H264
            && context.pointee.field_order == AV_FIELD_PROGRESSIVE
            && context.pointee.has_b_frames > 0
    }

    /// Says whether the packets from here on are decoded only if others refer to them. A packet is decoded when it is handed over, if
    /// no frame was left to take out.
    func passOverUnreferenced(_ passes: Bool) {
        unsafe context.pointee.skip_frame = passes ? AVDISCARD_NONREF : AVDISCARD_DEFAULT
    }

    /// Takes the next frame out.
    func receive(into frame: borrowing Frame) throws(VideoError) -> Step {
        try step(unsafe avcodec_receive_frame(context, frame.pointer))
    }

    /// Forgets everything before a jump.
    func flush() { unsafe avcodec_flush_buffers(context) }

    private func step(_ status: Int32) throws(VideoError) -> Step {
        if status >= 0 { return .done }
        if status == ffmpeg_error_again { return .again }
        if status == ffmpeg_error_end_of_file { return .end }
        if status == ffmpeg_error_no_memory {
            throw failure(status, "decode a picture", otherwise: .tooLarge)
        }
        return .damaged
    }

    /// Throws when the headers announce a larger picture than is decoded.
    static func checkSize(_ demuxer: borrowing Demuxer, _ limits: VideoLimits) throws(VideoError) {
        guard let parameters = unsafe demuxer.stream.pointee.codecpar else { return }
        let (width, height) = unsafe (Int(parameters.pointee.width), Int(parameters.pointee.height))
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, pixels <= limits.maximumPixels else {
            throw VideoError(
                .tooLarge,
                "the picture is \(width)x\(height), at most \(limits.maximumPixels) pixels are decoded"
            )
        }
    }

    private static func free(_ context: UnsafeMutablePointer<AVCodecContext>) {
        var freed: UnsafeMutablePointer<AVCodecContext>? = unsafe context
        unsafe avcodec_free_context(&freed)
    }
}
