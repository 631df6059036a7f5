//! What a decoder process answers; its words are checked as those of a stranger, since a hostile file may speak through it.
internal import WadeImage

/// A reply.
package enum DecoderReply: Equatable, Sendable {
    /// The process is ready; bytes of memory that it has resident with nothing to do.
    case ready(resident: Int)
    /// The file is open; bytes of memory that decoding it takes at most, by estimate.
    case opened(VideoMetadata, memory: Int)
    /// The file is not opened, for decoding it takes more memory than was granted.
    case needs(memory: Int)
    /// The request failed; as the first word, no request can be served on this machine.
    case failed(VideoError)
    /// The request is being worked on, and has come further.
    case progress
    /// Seconds at which new shots begin.
    case cuts([Double])
    /// The frame for the time numbered `index`.
    case picture(index: Int, VideoFrame)
    /// The frame for the time numbered `index` is the one before.
    case again(index: Int)
    /// All frames have been sent.
    case sampled(distinct: Int, failed: Int, flags: [VideoFlag])
    /// The file is closed.
    case closed

    /// The message that says it.
    package var message: DecoderMessage {
        var writer = WireWriter()
        let kind: UInt8
        switch self {
        case .ready(let resident):
            kind = 64
            writer.add(resident)
        case .opened(let metadata, let memory):
            kind = 65
            writer.add(metadata)
            writer.add(memory)
        case .needs(let memory):
            kind = 66
            writer.add(memory)
        case .failed(let error):
            kind = 67
            writer.add(error.code.rawValue)
            writer.add(error.message)
        case .progress: kind = 68
        case .cuts(let cuts):
            kind = 69
            writer.add(cuts)
        case .picture(let index, let frame):
            kind = 70
            writer.add(index)
            writer.add(frame.time)
            writer.add(frame.duration)
            writer.add(frame.image.width)
            writer.add(frame.image.height)
            writer.add(bytes: frame.image.pixels)
        case .again(let index):
            kind = 71
            writer.add(index)
        case .sampled(let distinct, let failed, let flags):
            kind = 72
            writer.add(distinct)
            writer.add(failed)
            writer.add(flags.count)
            for flag in flags { writer.add(flag.rawValue) }
        case .closed: kind = 73
        }
        return DecoderMessage(kind: kind, payload: writer.bytes)
    }

    /// The reply that `message` is.
    package init(_ message: DecoderMessage) throws(WireError) {
        var reader = WireReader(message.payload[...])
        switch message.kind {
        case 64: self = .ready(resident: try reader.integer(in: 0...(1 << 50)))
        case 65:
            self = .opened(
                try reader.metadata(), memory: try reader.integer(in: 0...(1 << 50)))
        case 66: self = .needs(memory: try reader.integer(in: 0...(1 << 50)))
        case 67:
            guard let code = VideoError.Code(rawValue: try reader.text()) else {
                throw WireError("an error that is not on the list")
            }
            self = .failed(VideoError(code, try reader.text()))
        case 68: self = .progress
        case 69:
            let cuts = try reader.numbers(atMost: message.payload.count / 8)
            guard cuts.allSatisfy(\.isFinite) else { throw WireError("a cut that is no time") }
            self = .cuts(cuts)
        case 70:
            self = .picture(
                index: try reader.integer(in: 0...Int(Int32.max)), try reader.frame())
        case 71: self = .again(index: try reader.integer(in: 0...Int(Int32.max)))
        case 72:
            let distinct = try reader.integer(in: 0...Int(Int32.max))
            let failed = try reader.integer(in: 0...Int(Int32.max))
            self = .sampled(distinct: distinct, failed: failed, flags: try reader.flags())
        case 73: self = .closed
        default: throw WireError("a reply of kind \(message.kind)")
        }
        try reader.end()
    }
}

extension WireWriter {
    mutating func add(_ metadata: VideoMetadata) {
        add(metadata.width)
        add(metadata.height)
        add(metadata.rotationDegrees)
        add(metadata.isMirrored)
        add(metadata.codec)
        add(metadata.pixelFormat)
        add(metadata.transfer)
        add(metadata.isHighDynamicRange)
        add(metadata.averageRate)
        add(metadata.hasVariableRate)
        add(metadata.container)
        add(metadata.containerDuration)
        add(metadata.duration)
        add(metadata.frameCount)
        add(metadata.startTime)
        add(metadata.streamIndex)
        add(metadata.videoStreamCount)
        add(metadata.isTruncated)
        add(metadata.isStill)
    }
}

extension WireReader {
    /// A number that a file's clock can give; what is no number would end up in a record.
    private mutating func finite() throws(WireError) -> Double {
        let value = try number()
        guard value.isFinite else { throw WireError("\(value) for a time or a rate") }
        return value
    }

    mutating func metadata() throws(WireError) -> VideoMetadata {
        let sides = 1...(1 << 30)
        let (width, height) = (try integer(in: sides), try integer(in: sides))
        let rotation = try integer()
        guard [0, 90, 180, 270].contains(rotation) else { throw WireError("\(rotation) degrees") }
        return VideoMetadata(
            width: width, height: height, rotationDegrees: rotation, isMirrored: try flag(),
            codec: try text(), pixelFormat: try text(), transfer: try text(),
            isHighDynamicRange: try flag(), averageRate: try finite(),
            hasVariableRate: try flag(), container: try text(), containerDuration: try finite(),
            duration: try finite(), frameCount: try integer(in: -1...Int.max),
            startTime: try finite(), streamIndex: try integer(in: 0...Int(Int32.max)),
            videoStreamCount: try integer(in: 0...Int(Int32.max)), isTruncated: try flag(),
            isStill: try flag())
    }

    mutating func frame() throws(WireError) -> VideoFrame {
        let (time, duration) = (try finite(), try finite())
        let sides = 1...(1 << 24)
        let (width, height) = (try integer(in: sides), try integer(in: sides))
        let pixels = try block()
        guard pixels.count == width * height * 3 else {
            throw WireError("\(pixels.count) bytes for a picture of \(width)x\(height)")
        }
        return VideoFrame(
            image: RGBImage(width: width, height: height, pixels: Array(pixels)), time: time,
            duration: duration)
    }

    mutating func flags() throws(WireError) -> [VideoFlag] {
        let count = try integer(in: 0...VideoFlag.allCases.count)
        var flags: [VideoFlag] = []
        for _ in 0..<count {
            guard let flag = VideoFlag(rawValue: try text()) else {
                throw WireError("a flag that is not on the list")
            }
            flags.append(flag)
        }
        return flags
    }
}
