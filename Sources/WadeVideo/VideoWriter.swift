//! Writes pictures as a real video file.
package import WadeImage

/// An MP4 that is being written: H.264 where FFmpeg has libx264, else MPEG-4. The same pictures and settings give the same bytes with
/// the same FFmpeg. A value that goes away without `finish` leaves a file without an index.
package struct VideoWriter: ~Copyable {
    private let encoder: Encoder
    private let muxer: Muxer
    private let packet: Packet
    private var count = 0

    /// Opens `path`, bytes as the kernel knows them. Sizes are even and at least 16; `rate` in frames a second; `quality` is a constant
    /// rate factor from 0 (best) to 51. Throws `unsupported_codec` when FFmpeg cannot encode, `io_error` when the file cannot be written.
    package init(path: [UInt8], width: Int, height: Int, rate: Int, quality: Int = 23)
        throws(VideoError)
    {
        precondition(
            width >= 16 && height >= 16 && width % 2 == 0 && height % 2 == 0 && rate > 0
                && (0...51).contains(quality),
            "VideoWriter: \(width)x\(height), \(rate) fps, quality \(quality)")
        FFmpegLibrary.prepare(maximumAllocation: VideoLimits().maximumAllocation)
        FFmpegLibrary.forgetLines()
        let encoder = try Encoder(
            width: width, height: height, .video(rate: rate, quality: quality))
        let muxer = try Muxer(path: path)
        let packet = try Packet()
        try muxer.begin(encoder)
        self.encoder = encoder
        self.muxer = muxer
        self.packet = packet
    }

    /// Writes the next frame, of the size given at the beginning.
    package mutating func append(_ image: RGBImage) throws(VideoError) {
        try encoder.send(image, index: count)
        count += 1
        try writePackets()
    }

    /// Writes what the encoder still holds, and the index; only now the file is whole.
    package consuming func finish() throws(VideoError) {
        try encoder.drain()
        try writePackets()
        try muxer.finish()
    }

    private func writePackets() throws(VideoError) {
        while try encoder.receive(into: packet) {
            try muxer.write(packet, of: encoder)
            packet.clear()
        }
    }
}
