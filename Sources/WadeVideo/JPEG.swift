//! Pictures as JPEG files, where a page holds thousands of them and PNG would take five times the room.
package import WadeImage

/// The JPEG format (JFIF, baseline, 4:2:0); writing only.
package enum JPEG {
    /// The bytes of a JPEG file of `image`; `quantizer` runs from 2 (fine) to 31 (coarse). The same picture gives the same bytes with
    /// the same FFmpeg. Throws when FFmpeg cannot encode.
    package static func encode(_ image: RGBImage, quantizer: Int) throws(VideoError) -> [UInt8] {
        precondition((2...31).contains(quantizer), "JPEG: quantizer \(quantizer)")
        FFmpegLibrary.prepare(maximumAllocation: VideoLimits().maximumAllocation)
        FFmpegLibrary.forgetLines()
        let encoder = try Encoder(
            width: image.width, height: image.height, .picture(quantizer: quantizer))
        let packet = try Packet()
        try encoder.send(image, index: 0)
        try encoder.drain()
        guard try encoder.receive(into: packet) else {
            throw VideoError(.unsupportedCodec, "the encoder gave no picture")
        }
        return packet.payload
    }
}
