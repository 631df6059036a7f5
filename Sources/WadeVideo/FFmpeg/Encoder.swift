//! A video encoder with one thread, set up so that the same pictures give the same bytes.
internal import CFFmpeg
internal import WadeImage

/// Owns an `AVCodecContext` that encodes: videos as H.264 by libx264 where FFmpeg has it, else as MPEG-4; pictures as JPEG.
@safe struct Encoder: ~Copyable {
    /// What is made.
    enum Product {
        /// A video, both sides even, with this many frames a second. `quality` is libx264's constant rate factor: about 18 looks
        /// like the source, 35 is coarse.
        case video(rate: Int, quality: Int)
        /// A JPEG picture; `quantizer` runs from 2 (fine) to 31 (coarse).
        case picture(quantizer: Int)
    }

    private let context: UnsafeMutablePointer<AVCodecContext>
    private let picture: Frame
    private let input: Frame
    private let converter: UnsafeMutableRawPointer
    private let width: Int
    private let height: Int

    /// An encoder of pictures of this size.
    init(width: Int, height: Int, _ product: Product) throws(VideoError) {
        let isH264: Bool
        let found: UnsafePointer<AVCodec>?
        switch product {
        case .video:
            let best = unsafe avcodec_find_encoder_by_name("libx264")
            isH264 = unsafe best != nil
            unsafe found = unsafe best ?? avcodec_find_encoder(AV_CODEC_ID_MPEG4)
        case .picture:
            isH264 = false
            unsafe found = unsafe avcodec_find_encoder(AV_CODEC_ID_MJPEG)
        }
        guard let codec = unsafe found else {
            throw VideoError(
                .unsupportedCodec,
                "this FFmpeg has no encoder: found none of libx264, mpeg4 and mjpeg that is needed")
        }
        let format = product.format
        let picture = try Frame()
        let input = try Frame()
        let (wide, high) = (Int32(clamping: width), Int32(clamping: height))
        try picture.allocate(format, wide, high)
        try input.allocate(AV_PIX_FMT_RGB24, wide, high)
        let flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_BITEXACT
        guard
            let converter = unsafe ffmpeg_converter_alloc(
                input.pointer, SWS_CS_ITU601, format, wide, high, flags)
        else { throw VideoError(.unsupportedCodec, "no conversion from RGB to YUV 4:2:0") }
        guard let made = unsafe avcodec_alloc_context3(codec) else {
            unsafe ffmpeg_converter_free(converter)
            throw VideoError(.tooLarge, "no memory for an encoder")
        }
        unsafe made.pointee.width = wide
        unsafe made.pointee.height = high
        unsafe made.pointee.pix_fmt = format
        unsafe made.pointee.thread_count = 1
        unsafe made.pointee.flags |= AV_CODEC_FLAG_BITEXACT
        switch product {
        case .video(let rate, let quality):
            unsafe made.pointee.time_base = AVRational(num: 1, den: Int32(clamping: rate))
            unsafe made.pointee.framerate = AVRational(num: Int32(clamping: rate), den: 1)
            unsafe made.pointee.gop_size = Int32(clamping: rate)
            unsafe made.pointee.colorspace = AVCOL_SPC_SMPTE170M
            unsafe made.pointee.color_range = AVCOL_RANGE_MPEG
            unsafe made.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
            if isH264 {
                unsafe av_opt_set(made.pointee.priv_data, "preset", "veryfast", 0)
                unsafe av_opt_set(made.pointee.priv_data, "crf", String(quality), 0)
                // libx264's code for AVX-512 (seen in core 164) decides by memory that it never wrote: the same pictures gave other
                // bytes from run to run.
                if av_get_cpu_flags() & AV_CPU_FLAG_AVX512 != 0 {
                    unsafe av_opt_set(made.pointee.priv_data, "x264-params", "asm=AVX2", 0)
                }
            } else {
                // MPEG-4's quantiser runs from 2 to 31 where H.264's runs twice around.
                unsafe made.pointee.setQuantizer(max(2, quality / 4))
            }
        case .picture(let quantizer):
            unsafe made.pointee.time_base = AVRational(num: 1, den: 1)
            unsafe made.pointee.color_range = AVCOL_RANGE_JPEG
            // Only with square samples stated does FFmpeg write JFIF's header.
            unsafe made.pointee.sample_aspect_ratio = AVRational(num: 1, den: 1)
            unsafe made.pointee.setQuantizer(quantizer)
        }
        let status = unsafe avcodec_open2(made, codec, nil)
        guard status >= 0 else {
            var freed: UnsafeMutablePointer<AVCodecContext>? = unsafe made
            unsafe avcodec_free_context(&freed)
            unsafe ffmpeg_converter_free(converter)
            throw failure(status, "open the encoder", otherwise: .unsupportedCodec)
        }
        unsafe context = unsafe made
        unsafe self.converter = unsafe converter
        self.picture = picture
        self.input = input
        self.width = width
        self.height = height
    }

    deinit {
        var freed: UnsafeMutablePointer<AVCodecContext>? = unsafe context
        unsafe avcodec_free_context(&freed)
        unsafe ffmpeg_converter_free(converter)
    }

    /// Seconds a tick.
    var clock: AVRational { unsafe context.pointee.time_base }

    /// Tells `stream` what it will hold.
    func describe(_ stream: UnsafeMutablePointer<AVStream>) throws(VideoError) {
        unsafe stream.pointee.time_base = clock
        try unsafe check(
            avcodec_parameters_from_context(stream.pointee.codecpar, context),
            "describe the stream", otherwise: .unsupportedCodec)
    }

    /// Hands over the picture of frame `index`, of the encoder's size.
    func send(_ image: RGBImage, index: Int) throws(VideoError) {
        precondition(
            image.width == width && image.height == height,
            "Encoder: \(image.width)x\(image.height) for \(width)x\(height)")
        // The encoder may still hold the picture before.
        try picture.makeWritable()
        try input.makeWritable()
        let stride = unsafe Int(input.pointer.pointee.linesize.0)
        let target = unsafe input.pointer.pointee.data.0
        unsafe image.pixels.withUnsafeBufferPointer { pixels in
            guard let from = pixels.baseAddress, let target = unsafe target else { return }
            for y in 0..<height {
                unsafe (target + y * stride).update(from: from + y * width * 3, count: width * 3)
            }
        }
        let rows = unsafe ffmpeg_convert_frame(converter, input.pointer, picture.pointer)
        guard rows == Int32(clamping: height) else {
            throw VideoError(.tooLarge, "\(rows) of \(height) rows could be converted")
        }
        unsafe picture.pointer.pointee.pts = Int64(index)
        // Codecs with a fixed quantiser take it from the picture.
        unsafe picture.pointer.pointee.quality = context.pointee.global_quality
        unsafe picture.pointer.pointee.pict_type = AV_PICTURE_TYPE_NONE
        try unsafe check(
            avcodec_send_frame(context, picture.pointer), "encode a picture",
            otherwise: .unsupportedCodec)
    }

    /// Says that no picture follows.
    func drain() throws(VideoError) {
        try unsafe check(
            avcodec_send_frame(context, nil), "end the encoding", otherwise: .unsupportedCodec)
    }

    /// Takes the next compressed picture out; false when there is none yet or none any more.
    func receive(into packet: borrowing Packet) throws(VideoError) -> Bool {
        let status = unsafe avcodec_receive_packet(context, packet.pointer)
        if status == ffmpeg_error_again || status == ffmpeg_error_end_of_file { return false }
        try check(status, "encode a picture", otherwise: .unsupportedCodec)
        unsafe packet.pointer.pointee.duration = 1
        return true
    }
}

extension Encoder.Product {
    /// How the codec takes pictures; JPEG's range is the full one.
    fileprivate var format: AVPixelFormat {
        if case .picture = self { return AV_PIX_FMT_YUVJ420P }
        return AV_PIX_FMT_YUV420P
    }
}

extension AVCodecContext {
    /// Has every picture made with this quantiser.
    fileprivate mutating func setQuantizer(_ quantizer: Int) {
        unsafe flags |= AV_CODEC_FLAG_QSCALE
        unsafe global_quality = Int32(clamping: quantizer) * FF_QP2LAMBDA
    }
}

extension Frame {
    /// Gives the frame a buffer of this format and size.
    fileprivate func allocate(_ format: AVPixelFormat, _ width: Int32, _ height: Int32)
        throws(VideoError)
    {
        unsafe pointer.pointee.width = width
        unsafe pointer.pointee.height = height
        unsafe pointer.pointee.format = format.rawValue
        try unsafe check(
            av_frame_get_buffer(pointer, 0), "make a picture of \(width)x\(height)",
            otherwise: .tooLarge)
    }

    /// Takes a new buffer when somebody else still reads the old one.
    fileprivate func makeWritable() throws(VideoError) {
        try unsafe check(
            av_frame_make_writable(pointer), "make a picture", otherwise: .tooLarge)
    }
}
