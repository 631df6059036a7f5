//! A file that is being written, as FFmpeg holds it.
internal import CFFmpeg

/// Owns an `AVFormatContext` for writing one MP4 with one stream. The file is whole only after `finish`.
@safe struct Muxer: ~Copyable {
    private let context: UnsafeMutablePointer<AVFormatContext>
    private let stream: UnsafeMutablePointer<AVStream>

    /// Opens `path` (bytes as the kernel knows them) for writing, replacing what is there.
    init(path: [UInt8]) throws(VideoError) {
        var made: UnsafeMutablePointer<AVFormatContext>?
        let status = unsafe avformat_alloc_output_context2(&made, nil, "mp4", nil)
        guard status >= 0, let context = unsafe made else {
            throw VideoError(.unsupportedCodec, "this FFmpeg cannot write MP4")
        }
        do throws(VideoError) {
            // The protocol is named, so that no path is taken for an address.
            let address = (Array("file:".utf8) + path + [0]).map { CChar(bitPattern: $0) }
            try unsafe check(
                avio_open(&context.pointee.pb, address, AVIO_FLAG_WRITE),
                "open the file for writing",
                otherwise: .inputOutput)
            guard let stream = unsafe avformat_new_stream(context, nil) else {
                throw VideoError(.tooLarge, "no memory for a stream")
            }
            unsafe self.stream = unsafe stream
        } catch {
            unsafe Muxer.free(context)
            throw error
        }
        // No version numbers and dates: the same pictures give the same bytes.
        unsafe context.pointee.flags |= AVFMT_FLAG_BITEXACT
        unsafe self.context = unsafe context
    }

    deinit { unsafe Muxer.free(context) }

    /// Writes what precedes the pictures of `encoder`.
    func begin(_ encoder: borrowing Encoder) throws(VideoError) {
        try unsafe encoder.describe(stream)
        try unsafe check(
            avformat_write_header(context, nil), "write the file's head", otherwise: .inputOutput)
    }

    /// Writes one compressed picture, whose times count in `encoder`'s clock.
    func write(_ packet: borrowing Packet, of encoder: borrowing Encoder) throws(VideoError) {
        unsafe av_packet_rescale_ts(packet.pointer, encoder.clock, stream.pointee.time_base)
        unsafe packet.pointer.pointee.stream_index = unsafe stream.pointee.index
        try unsafe check(
            av_interleaved_write_frame(context, packet.pointer), "write a picture",
            otherwise: .inputOutput)
    }

    /// Writes the index and brings everything to the file.
    func finish() throws(VideoError) {
        try unsafe check(
            av_write_trailer(context), "write the file's index", otherwise: .inputOutput)
        // A disk that is full says so here at the latest.
        try unsafe check(
            avio_closep(&context.pointee.pb), "finish the file", otherwise: .inputOutput)
    }

    private static func free(_ context: UnsafeMutablePointer<AVFormatContext>) {
        unsafe avio_closep(&context.pointee.pb)
        unsafe avformat_free_context(context)
    }
}
