//! What the headers say about the chosen stream, as plain values.
internal import CFFmpeg

/// Ticks of a stream as seconds.
struct StreamClock: Equatable {
    /// Seconds of one tick.
    let numerator: Int32
    let denominator: Int32

    /// `ticks` in seconds.
    func seconds(_ ticks: Int64) -> Double {
        Double(ticks) * Double(numerator) / Double(denominator)
    }

    /// `seconds` in ticks, rounded down; nil when that is no 64-bit number.
    func ticks(_ seconds: Double) -> Int64? {
        Int64(exactly: (seconds * Double(denominator) / Double(numerator)).rounded(.down))
    }
}

/// The chosen stream's headers.
struct StreamFacts {
    let clock: StreamClock
    /// Index of the chosen stream in the container.
    let streamIndex: Int
    let codecName: String
    /// Whether pictures flagged as key really start anew (no canvas or delta codecs).
    let hasTrueKeyPictures: Bool
    /// Frames per second by the headers; 0 when unknown.
    let averageRate: Double
    /// Seconds one frame lasts when nothing else says so.
    let nominalFrameDuration: Double
    /// Frames by the headers; nil when unknown.
    let frameCount: Int?
    /// Seconds by the stream's header; nil when unknown.
    let streamDuration: Double?
    /// Seconds by the container's header; nil when unknown.
    let containerDuration: Double?
    /// Seconds at which the container says it starts; 0 when unknown.
    let containerStart: Double
    let orientation: Orientation
    /// Width over height of one sample by the container; nil when it says nothing.
    let sampleAspectRatio: AspectRatio?
    /// Video streams in the container, attached covers included.
    let videoStreamCount: Int
    /// Whether the stream says that its payload is encrypted.
    let isEncrypted: Bool

    /// The headers' best word on the length in seconds.
    var duration: Double? { streamDuration ?? containerDuration }

    init(_ demuxer: borrowing Demuxer) throws(VideoError) {
        let stream = unsafe demuxer.stream
        let base = unsafe stream.pointee.time_base
        guard base.num > 0, base.den > 0 else {
            throw VideoError(.containerDamaged, "the video stream has no clock")
        }
        let clock = StreamClock(numerator: base.num, denominator: base.den)
        self.clock = clock
        streamIndex = demuxer.streamIndex
        let codec = unsafe stream.pointee.codecpar.pointee.codec_id
        codecName = unsafe String(cString: avcodec_get_name(codec))
        hasTrueKeyPictures = StreamFacts.codecsWithTrueKeyPictures.contains(codec.rawValue)
        averageRate = unsafe rate(stream.pointee.avg_frame_rate)
        let guessed = unsafe rate(av_guess_frame_rate(demuxer.context, stream, nil))
        nominalFrameDuration = guessed > 0 ? 1 / guessed : 0.04
        let count = unsafe stream.pointee.nb_frames
        frameCount = count > 0 ? Int(count) : nil
        streamDuration = unsafe timestamp(stream.pointee.duration).map(clock.seconds)
        containerDuration = unsafe timestamp(demuxer.context.pointee.duration).map {
            Double($0) / Double(ffmpeg_time_base)
        }
        containerStart =
            unsafe timestamp(demuxer.context.pointee.start_time).map {
                Double($0) / Double(ffmpeg_time_base)
            } ?? 0
        var size = 0
        orientation =
            unsafe ffmpeg_stream_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size).flatMap {
                unsafe Orientation(matrixBytes: UnsafeRawBufferPointer(start: $0, count: size))
            } ?? .upright
        sampleAspectRatio = AspectRatio(unsafe stream.pointee.sample_aspect_ratio)
        videoStreamCount = unsafe (0..<Int(demuxer.context.pointee.nb_streams)).count { index in
            unsafe demuxer.context.pointee.streams[index]?.pointee.codecpar.pointee.codec_type
                == AVMEDIA_TYPE_VIDEO
        }
        isEncrypted =
            unsafe ffmpeg_stream_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO, &size) != nil
    }

    private static let codecsWithTrueKeyPictures: Set<UInt32> = Set(
        [
            AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1,
            AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MPEG4, AV_CODEC_ID_H263,
            AV_CODEC_ID_MJPEG, AV_CODEC_ID_PRORES, AV_CODEC_ID_DNXHD, AV_CODEC_ID_FFV1,
            AV_CODEC_ID_VC1, AV_CODEC_ID_WMV3, AV_CODEC_ID_THEORA,
        ].map { $0.rawValue })
}

extension AspectRatio {
    /// A ratio that is set; nil for FFmpeg's "unknown" (0/1) and nonsense.
    init?(_ ratio: AVRational) {
        guard ratio.num > 0, ratio.den > 0 else { return nil }
        self.init(numerator: Int(ratio.num), denominator: Int(ratio.den))
    }
}

/// A frame rate as a number; 0 when unset or absurd.
private func rate(_ value: AVRational) -> Double {
    guard value.num > 0, value.den > 0 else { return 0 }
    return Double(value.num) / Double(value.den)
}
