//! FFmpeg's pixel formats to RGB, at the same size; the matrix and the range are the picture's own.
internal import CFFmpeg
internal import WadeImage

/// Owns a swscale context and the rows it writes; makes them anew whenever size, format or colours of the frames change.
@safe struct PixelConverter: ~Copyable {
    /// What a context was made for.
    private struct Setup: Equatable {
        var width: Int32, height: Int32, format: Int32, matrix: Int32, range: UInt32
        var target: Int32, targetWidth: Int, targetHeight: Int
    }

    private var context: UnsafeMutableRawPointer?
    private var setup: Setup?
    private var rows: [UInt8] = []
    private var toneMap: ToneMap?
    /// VP8 is BT.601 by its specification, however large the picture.
    private let codecIsVP8: Bool

    private let maximumPixels: Int

    init(codecName: String, maximumPixels: Int) {
        unsafe context = nil
        self.maximumPixels = maximumPixels
        codecIsVP8 = codecName == "vp8"
    }

    deinit {
        if let context = unsafe context { unsafe ffmpeg_converter_free(context) }
    }

    /// The frame as RGB at its coded size: alpha is laid over black, PQ and HLG are tone-mapped to BT.709.
    mutating func picture(_ frame: borrowing Frame) throws(VideoError) -> RGBImage {
        let (width, height) = (frame.width, frame.height)
        if let transfer = HighDynamicRange(frame) {
            let stride = try convert(frame, to: AV_PIX_FMT_RGB48LE, width, height, bytesPerPixel: 6)
            if toneMap?.transfer != transfer { toneMap = ToneMap(transfer) }
            let map = toneMap ?? ToneMap(transfer)
            return map.picture(rows: rows, stride: stride, width: width, height: height)
        }
        if frame.hasAlpha {
            let stride = try convert(frame, to: AV_PIX_FMT_RGBA, width, height, bytesPerPixel: 4)
            return overBlack(stride: stride, width: width, height: height)
        }
        let stride = try convert(frame, to: AV_PIX_FMT_RGB24, width, height, bytesPerPixel: 3)
        return tight(stride: stride, width: width, height: height)
    }

    /// The same pixels as `picture` gives, of a part of the frame that holds the window `columns` × `rows`; nil where only the whole frame
    /// can be converted, or would be hardly more.
    ///
    /// Note [Parts of frames]: chroma is filtered over four samples, whose weights depend on where a pixel lies between them. In even
    /// sizes that repeats every two pixels, so a part that begins at an even one and has some more on each side has the same pixels.
    mutating func part(
        _ frame: borrowing Frame, columns: Range<Int>, rows: Range<Int>
    ) throws(VideoError) -> PicturePart? {
        let (width, height) = (frame.width, frame.height)
        guard [AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P].contains(frame.format),
            HighDynamicRange(frame) == nil, width % 2 == 0, height % 2 == 0
        else { return nil }
        let across = Self.widened(columns, to: width)
        let down = Self.widened(rows, to: height)
        guard across.count * down.count * 8 <= width * height * 7 else { return nil }
        let window = try Frame()
        unsafe ffmpeg_window(
            frame.pointer, window.pointer, Int32(clamping: across.lowerBound),
            Int32(clamping: down.lowerBound), Int32(clamping: across.count),
            Int32(clamping: down.count))
        let stride = try convert(
            window, to: AV_PIX_FMT_RGB24, across.count, down.count, bytesPerPixel: 3,
            matrix: matrix(of: frame))
        return PicturePart(
            tight(stride: stride, width: across.count, height: down.count),
            left: across.lowerBound, top: down.lowerBound, width: width, height: height)
    }

    /// `range` with more than the filters reach on both sides, from and to where vectors are aligned.
    private static func widened(_ range: Range<Int>, to length: Int) -> Range<Int> {
        let lower = max(0, range.lowerBound - 16) & ~63
        return lower..<min(length, (range.upperBound + 16 + 63) & ~63)
    }

    /// A small picture for the cut detector, never for the model: here alone swscale changes the size.
    mutating func thumbnail(_ frame: borrowing Frame, width: Int, height: Int) throws(VideoError)
        -> RGBImage
    {
        let stride = try convert(
            frame, to: AV_PIX_FMT_RGB24, width, height, bytesPerPixel: 3, flags: SWS_AREA)
        return tight(stride: stride, width: width, height: height)
    }

    /// Fills `rows`; returns the bytes from one row to the next.
    private mutating func convert(
        _ frame: borrowing Frame, to target: AVPixelFormat, _ width: Int, _ height: Int,
        bytesPerPixel: Int,
        // Bicubic chroma, rounded accurately, at every sample: FFmpeg's best quality for a change of format.
        flags: Int32 = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT,
        // A part of a frame has the whole one's.
        matrix: Int32? = nil
    ) throws(VideoError) -> Int {
        guard frame.width > 0, frame.height > 0 else {
            throw VideoError(.decodeFailed, "the decoder gave a picture without size")
        }
        let (pixels, overflow) = frame.width.multipliedReportingOverflow(by: frame.height)
        guard !overflow, pixels <= maximumPixels else {
            throw VideoError(.tooLarge, "a picture is \(frame.width)x\(frame.height)")
        }
        let wanted = unsafe Setup(
            width: frame.pointer.pointee.width, height: frame.pointer.pointee.height,
            format: frame.pointer.pointee.format, matrix: matrix ?? self.matrix(of: frame),
            range: frame.pointer.pointee.color_range.rawValue, target: target.rawValue,
            targetWidth: width, targetHeight: height)
        // swscale's vector code may write past a row's last pixel, hence the padding.
        let stride = (width * bytesPerPixel + 127) & ~63
        if wanted != setup {
            if let old = unsafe context { unsafe ffmpeg_converter_free(old) }
            unsafe context = unsafe ffmpeg_converter_alloc(
                frame.pointer, wanted.matrix, target, Int32(clamping: width),
                Int32(clamping: height), flags)
            setup = unsafe context == nil ? nil : wanted
            rows = [UInt8](repeating: 0, count: stride * height + 64)
        }
        guard let context = unsafe context else {
            throw VideoError(.unsupportedCodec, "no conversion from \(frame.formatName) to RGB")
        }
        let written = unsafe rows.withUnsafeMutableBufferPointer { buffer in
            unsafe ffmpeg_convert(
                context, frame.pointer, buffer.baseAddress, Int32(clamping: stride))
        }
        guard written == Int32(clamping: height) else {
            throw VideoError(.decodeFailed, "\(written) of \(height) rows could be converted")
        }
        return stride
    }

    /// The YUV matrix: the frame's tag; without one BT.709 from 720 lines up, else BT.601, as players guess.
    private func matrix(of frame: borrowing Frame) -> Int32 {
        let tag = unsafe frame.pointer.pointee.colorspace
        guard tag == AVCOL_SPC_UNSPECIFIED else { return Int32(clamping: tag.rawValue) }
        let isHighDefinition = frame.height >= 720 && !codecIsVP8
        return isHighDefinition ? SWS_CS_ITU709 : SWS_CS_ITU601
    }

    /// The rows without their padding.
    private func tight(stride: Int, width: Int, height: Int) -> RGBImage {
        let rowBytes = width * 3
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: rowBytes * height) {
            output, count in
            unsafe rows.withUnsafeBufferPointer { input in
                guard let from = input.baseAddress, let to = output.baseAddress else { return }
                for y in 0..<height {
                    unsafe (to + y * rowBytes).update(from: from + y * stride, count: rowBytes)
                }
            }
            count = rowBytes * height
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// RGBA rows laid over black: every channel times alpha, rounded.
    private func overBlack(stride: Int, width: Int, height: Int) -> RGBImage {
        let total = width * height * 3
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: total) { output, count in
            unsafe rows.withUnsafeBufferPointer { input in
                var target = 0
                for y in 0..<height {
                    var source = y * stride
                    for _ in 0..<width {
                        let alpha = unsafe Int(input[source + 3])
                        for channel in 0..<3 {
                            let value = unsafe Int(input[source + channel])
                            unsafe output[target + channel] = UInt8((value * alpha + 127) / 255)
                        }
                        source += 4
                        target += 3
                    }
                }
            }
            count = total
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }
}

extension Frame {
    /// Whether the pixel format has an alpha channel (palettes may hold transparent entries).
    var hasAlpha: Bool {
        guard let description = unsafe av_pix_fmt_desc_get(format) else { return false }
        let flags = unsafe description.pointee.flags
        return format == AV_PIX_FMT_PAL8 || flags & UInt64(AV_PIX_FMT_FLAG_ALPHA) != 0
    }

    /// FFmpeg's name of the pixel format, such as `yuv420p`.
    var formatName: String {
        guard let name = unsafe av_get_pix_fmt_name(format) else { return "unknown" }
        return unsafe String(cString: name)
    }

    /// FFmpeg's name of the transfer function, such as `bt709`; `unknown` when not tagged.
    var transferName: String {
        guard let name = unsafe av_color_transfer_name(pointer.pointee.color_trc) else {
            return "unknown"
        }
        return unsafe String(cString: name)
    }
}

extension HighDynamicRange {
    /// The transfer function of `frame` when it is one of high dynamic range.
    init?(_ frame: borrowing Frame) {
        switch unsafe frame.pointer.pointee.color_trc {
        case AVCOL_TRC_SMPTE2084: self = .perceptualQuantizer
        case AVCOL_TRC_ARIB_STD_B67: self = .hybridLogGamma
        default: return nil
        }
    }
}
