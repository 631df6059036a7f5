//! `wade frames`: exactly what the model sees of a file, as a picture or as JSON.

internal import Crypto
package import WadeImage
package import WadeVideo

/// The sampled frames of one file, before any model.
package struct FrameInspection: Sendable {
    /// The file as it was given.
    package let path: PathBytes
    private let metadata: VideoMetadata
    private let sampling: FrameSampling
    private let clips: [(span: ClipSpan, sampled: SampledFrames)]

    /// Lets `decoders` decode the frames that the sampling asks for, clip by clip; throws `VideoError`.
    package init(
        path: PathBytes, sampling: FrameSampling, segmentation: Segmentation,
        decoders: DecoderPool
    ) throws(VideoError) {
        self.path = path
        self.sampling = sampling
        ((metadata, clips), _) = try decoders.read(path: path.bytes) {
            (video) throws(VideoError) in
            var clips: [(ClipSpan, SampledFrames)] = []
            for span in try video.spans(segmentation) {
                video.restartClock()
                clips.append(
                    (
                        span,
                        try video.frames(at: sampling.times(in: span), preprocessing: nil)
                    ))
            }
            return (video.metadata, clips)
        }
    }

    /// One picture: a row of frames after the other with their presentation times below. With `preprocessing` the frames are
    /// cut and scaled as the vision encoder gets them.
    package func contactSheet(preprocessing: Preprocessing?) throws -> RGBImage {
        let frames = clips.flatMap { clip in
            clip.sampled.frames.map { frame in
                // A sheet of 4K frames has to stay a picture one can open.
                ContactSheet.Frame(
                    picture: preprocessing?.picture(frame.image)
                        ?? frame.image.thumbnail(longest: 240),
                    seconds: frame.time)
            }
        }
        let title =
            "\(path.name.text)  \(metadata.width)x\(metadata.height)  "
            + "\(ContactSheet.time(metadata.duration))  \(sampling.strategy)"
        return try ContactSheet(title: title, frames: frames).composed()
    }

    /// One JSON object per clip, each on a line of its own.
    package func jsonLines() throws -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, clip) in clips.enumerated() {
            bytes += try JSONWriter.bytes(of: json(clip.span, clip.sampled, index: index))
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    private func json(_ span: ClipSpan, _ sampled: SampledFrames, index: Int) -> JSONValue {
        .object([
            JSONMember("path", .string(path.text)),
            JSONMember("path_bytes_b64", .string(path.base64WhenLossy)),
            JSONMember("width", .integer(Int64(metadata.width))),
            JSONMember("height", .integer(Int64(metadata.height))),
            JSONMember("rotation_deg", .integer(Int64(metadata.rotationDegrees))),
            JSONMember("codec", .string(metadata.codec)),
            JSONMember("pix_fmt", .string(metadata.pixelFormat)),
            JSONMember("transfer", .string(metadata.transfer)),
            JSONMember("container", .string(metadata.container)),
            JSONMember("container_duration_s", .number(metadata.containerDuration)),
            JSONMember("duration_s", .number(metadata.duration)),
            JSONMember("vfr", .bool(metadata.hasVariableRate)),
            JSONMember(
                "clip",
                .object([
                    JSONMember("index", .integer(Int64(index))),
                    JSONMember("count", .integer(Int64(clips.count))),
                    JSONMember("start_s", .number(span.start)),
                    JSONMember("end_s", .number(span.end)),
                    JSONMember("boundary", .string(span.boundary.rawValue)),
                ])),
            JSONMember(
                "plan",
                .object([
                    JSONMember("strategy", .string(sampling.strategy)),
                    JSONMember("requested", .integer(Int64(sampled.times.count))),
                    JSONMember("times_s", .array(sampled.times.map { .number($0) })),
                ])),
            JSONMember("failed", .integer(Int64(sampled.failed))),
            JSONMember("flags", .array(sampled.flags.map { .string($0.rawValue) })),
            JSONMember("frames", .array(sampled.frames.map { json($0) })),
        ])
    }

    private func json(_ frame: VideoFrame) -> JSONValue {
        var sums = (0, 0, 0)
        let pixels = frame.image.pixels
        for at in stride(from: 0, to: pixels.count, by: 3) {
            sums.0 += Int(pixels[at])
            sums.1 += Int(pixels[at + 1])
            sums.2 += Int(pixels[at + 2])
        }
        let count = Double(pixels.count / 3)
        let mean = [sums.0, sums.1, sums.2].map { JSONValue.number(Double($0) / count) }
        return .object([
            JSONMember("pts_s", .number(frame.time)),
            JSONMember("duration_s", .number(frame.duration)),
            JSONMember("rgb_mean", .array(mean)),
            JSONMember("sha256", .string(Hexadecimal.text(SHA256.hash(data: pixels)))),
        ])
    }
}
