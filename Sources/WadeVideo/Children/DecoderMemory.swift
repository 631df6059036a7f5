//! How much memory decoding a stream takes, told from its headers before anything is decoded.
internal import CFFmpeg
internal import CLinux

/// Estimates of memory, in bytes. They are generous: what they grant is also what the kernel enforces.
package enum DecoderMemory {
    /// What a decoder process takes beside pictures: demuxer, packets, tables.
    static let base = 48 << 20
    /// What opening a file may take before anything is known about it; enough for 1080p.
    package static let opening = 160 << 20
    /// What decoding one file may take when nobody says otherwise; enough for 8K.
    package static let unbounded = 2 << 30

    /// A stream of `width` × `height` pictures with `bits` for each pixel, of which the decoder keeps `pictures`.
    static func estimate(width: Int, height: Int, bits: Int, pictures: Int) -> Int {
        let (pixels, overflow) = max(0, width).multipliedReportingOverflow(by: max(0, height))
        // No picture beyond the limits is decoded, whatever the header says.
        guard !overflow, pixels < 1 << 32 else { return unbounded }
        // Decoded pictures; then RGB with its rows padded, without, stretched and turned, 3 bytes each.
        return base + pixels * max(bits, 12) / 8 * pictures + pixels * 3 * 4
    }

    /// Whether the pictures made of one of `width` × `height` can be had: an array that cannot would end the process.
    static func hasRoom(forPictureOf width: Int, _ height: Int) -> Bool {
        let (pixels, overflow) = max(0, width).multipliedReportingOverflow(by: max(0, height))
        guard !overflow, pixels > 1 << 18, pixels < 1 << 32 else { return true }
        return linux_has_room(pixels * 3 * 4) != 0
    }

    /// The estimate for the chosen stream of `demuxer`.
    static func estimate(_ demuxer: borrowing Demuxer) -> Int {
        let stream = unsafe demuxer.stream
        guard let parameters = unsafe stream.pointee.codecpar else { return base }
        let format = unsafe AVPixelFormat(rawValue: parameters.pointee.format)
        let description = unsafe av_pix_fmt_desc_get(format)
        let bits = unsafe description.map { unsafe Int(av_get_padded_bits_per_pixel($0)) } ?? 24
        let codec = unsafe parameters.pointee.codec_id
        // The reference pictures that a stream may ask for, those waiting for their turn, and those in our hands.
        let references = [
            AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1,
        ].contains(codec)
        return unsafe estimate(
            width: Int(parameters.pointee.width), height: Int(parameters.pointee.height),
            bits: bits, pictures: references ? 12 : 6)
    }
}
