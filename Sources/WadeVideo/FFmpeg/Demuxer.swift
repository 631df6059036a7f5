//! An opened container with its chosen video stream.
internal import CFFmpeg

/// Owns an `AVFormatContext` over an `InputContext`.
@safe struct Demuxer: ~Copyable {
    private let input: InputContext
    let context: UnsafeMutablePointer<AVFormatContext>
    /// FFmpeg's name of the container, such as `matroska,webm`.
    let containerName: String
    /// Index of the chosen video stream.
    let streamIndex: Int

    /// Opens `file` (which must outlive this), refusing formats off the list, and chooses the video stream.
    init(file: borrowing InputFile, limits: VideoLimits) throws(VideoError) {
        FFmpegLibrary.prepare(maximumAllocation: limits.maximumAllocation)
        FFmpegLibrary.forgetLines()
        let input = try InputContext(file: file)
        input.allow(seconds: limits.timeout)
        let format = try unsafe Demuxer.probe(input)
        let opened = try unsafe Demuxer.open(input, format.pointer, limits)
        do throws(VideoError) {
            streamIndex = try unsafe Demuxer.chooseVideo(opened, limits)
        } catch {
            unsafe Demuxer.close(opened)
            throw error
        }
        unsafe context = unsafe opened
        containerName = unsafe format.name
        self.input = input
    }

    deinit { unsafe Demuxer.close(context) }

    var stream: UnsafeMutablePointer<AVStream> {
        // The index was checked against nb_streams when it was chosen; streams are never removed.
        unsafe context.pointee.streams[streamIndex].unsafelyUnwrapped
    }

    private var streamCount: Int { unsafe Int(context.pointee.nb_streams) }

    /// Allows `seconds` from now for reading; 0 allows any time.
    func allow(seconds: Double) { input.allow(seconds: seconds) }

    /// Throws `timeout` once the allowed time is over.
    func checkTime() throws(VideoError) {
        if unsafe input.state.pointee.isOverdue {
            throw VideoError(.timeout, "the time limit for one file is over")
        }
    }

    /// Makes the demuxer pass over what belongs to other streams.
    func discardOtherStreams() {
        for index in 0..<streamCount where index != streamIndex {
            unsafe context.pointee.streams[index]?.pointee.discard = AVDISCARD_ALL
        }
    }

    /// What reading a packet came to.
    enum Reading {
        case packet
        case end
        /// The container is broken here; reading may go on.
        case damaged
    }

    /// Reads the next packet of any stream that is not discarded.
    func read(into packet: borrowing Packet) throws(VideoError) -> Reading {
        try checkTime()
        packet.clear()
        let status = unsafe av_read_frame(context, packet.pointer)
        if status >= 0 { return .packet }
        if let failure = input.failure { throw failure }
        if status == ffmpeg_error_end_of_file { return .end }
        if status == ffmpeg_error_exit {
            throw VideoError(.timeout, "the time limit for one file is over")
        }
        if status == ffmpeg_error_no_memory {
            throw failure(status, "read a packet", otherwise: .tooLarge)
        }
        return .damaged
    }

    /// Seconds by the clock of the packet's own stream at which its content ends; minus infinity when unknown.
    func endSeconds(_ packet: borrowing Packet) -> Double {
        let index = packet.streamIndex
        guard index >= 0, index < streamCount,
            let stream = unsafe context.pointee.streams[index],
            let ticks = packet.presentation ?? packet.decoding
        else { return -.infinity }
        let base = unsafe stream.pointee.time_base
        guard base.num > 0, base.den > 0 else { return -.infinity }
        let clock = StreamClock(numerator: base.num, denominator: base.den)
        return clock.seconds(ticks) + clock.seconds(packet.duration)
    }

    /// Ticks of the last key picture at or before `ticks` that the container's index knows; nil without one.
    func indexedKey(before ticks: Int64) -> Int64? {
        guard
            let entry = unsafe avformat_index_get_entry_from_timestamp(
                stream, ticks, AVSEEK_FLAG_BACKWARD)
        else { return nil }
        return unsafe timestamp(entry.pointee.timestamp)
    }

    /// Moves to the last key picture at or before `ticks` of the chosen stream; false when the container cannot.
    func seek(to ticks: Int64) -> Bool {
        unsafe av_seek_frame(context, Int32(streamIndex), ticks, AVSEEK_FLAG_BACKWARD) >= 0
    }

    private static func probe(_ input: borrowing InputContext) throws(VideoError) -> (
        pointer: UnsafePointer<AVInputFormat>, name: String
    ) {
        var found: UnsafePointer<AVInputFormat>?
        let score = unsafe av_probe_input_buffer2(input.context, &found, "", nil, 0, 1 << 20)
        if let failure = input.failure { throw failure }
        guard score >= 0, let format = unsafe found else {
            if score == ffmpeg_error_exit { throw failure(score, "recognise", otherwise: .timeout) }
            throw VideoError(.notMedia, "no known container begins like this file")
        }
        let name = unsafe String(cString: format.pointee.name)
        guard Containers.allowed.contains(name) else {
            throw VideoError(.blockedFormat, "the file looks like '\(name)', which is not opened")
        }
        return unsafe (format, name)
    }

    private static func open(
        _ input: borrowing InputContext, _ format: UnsafePointer<AVInputFormat>,
        _ limits: VideoLimits
    ) throws(VideoError) -> UnsafeMutablePointer<AVFormatContext> {
        guard let context = unsafe avformat_alloc_context() else {
            throw VideoError(.tooLarge, "no memory for a container")
        }
        unsafe context.pointee.pb = unsafe input.context
        unsafe context.pointee.max_streams = Int32(clamping: limits.maximumStreams)
        unsafe context.pointee.io_open = unsafe refuseOpening
        unsafe context.pointee.interrupt_callback = unsafe AVIOInterruptCB(
            callback: isOverdue, opaque: UnsafeMutableRawPointer(input.state))
        var options: OpaquePointer?
        defer { unsafe av_dict_free(&options) }
        unsafe av_dict_set(&options, "protocol_whitelist", "file", 0)
        unsafe av_dict_set(
            &options, "format_whitelist", Containers.allowed.sorted().joined(separator: ","), 0)
        var opening: UnsafeMutablePointer<AVFormatContext>? = unsafe context
        // On failure this frees the context.
        let status = unsafe avformat_open_input(&opening, nil, format, &options)
        if status < 0, let failure = input.failure { throw failure }
        try check(status, "open the container", otherwise: .containerDamaged)
        return unsafe context
    }

    /// Lets FFmpeg find out what the headers do not say, then picks the stream it holds to be the main one.
    private static func chooseVideo(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ limits: VideoLimits
    ) throws(VideoError) -> Int {
        try unsafe findStreamInformation(context, limits)
        var hasCover = false
        let count = unsafe Int(context.pointee.nb_streams)
        for index in 0..<count {
            guard let stream = unsafe context.pointee.streams[index] else { continue }
            if unsafe stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0 {
                hasCover = true
                unsafe stream.pointee.discard = AVDISCARD_ALL
            }
        }
        // av_find_best_stream prefers the default disposition, then more frames seen, then bit rate.
        let best = unsafe av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
        guard best >= 0, best < Int32(clamping: count),
            let stream = unsafe context.pointee.streams[Int(best)],
            unsafe stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0
        else {
            throw VideoError(
                .noVideoStream,
                hasCover
                    ? "the only picture is an attached cover"
                    : "none of the \(count) streams is video")
        }
        return Int(best)
    }

    private static func findStreamInformation(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ limits: VideoLimits
    ) throws(VideoError) {
        // FFmpeg decodes the first pictures here; the pixel limit has to reach those decoders too.
        let count = unsafe Int(context.pointee.nb_streams)
        var options: [OpaquePointer?] = unsafe Array(repeating: nil, count: count)
        for index in 0..<count {
            unsafe av_dict_set(&options[index], "max_pixels", String(limits.maximumPixels), 0)
            unsafe av_dict_set(&options[index], "threads", "1", 0)
        }
        let status = unsafe options.withUnsafeMutableBufferPointer { buffer in
            unsafe avformat_find_stream_info(context, buffer.baseAddress)
        }
        for index in 0..<count { unsafe av_dict_free(&options[index]) }
        try check(status, "read the streams' headers", otherwise: .containerDamaged)
    }

    private static func close(_ context: UnsafeMutablePointer<AVFormatContext>) {
        var closing: UnsafeMutablePointer<AVFormatContext>? = unsafe context
        unsafe avformat_close_input(&closing)
    }
}

/// No container may open a second file.
private let refuseOpening:
    @convention(c) (
        UnsafeMutablePointer<AVFormatContext>?,
        UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?, UnsafePointer<CChar>?, Int32,
        UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 = { _, _, _, _, _ in ffmpeg_error_access }

/// FFmpeg asks this while it waits for input.
private let isOverdue: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { opaque in
    guard let opaque = unsafe opaque else { return 0 }
    return unsafe opaque.assumingMemoryBound(to: InputState.self).pointee.isOverdue ? 1 : 0
}
