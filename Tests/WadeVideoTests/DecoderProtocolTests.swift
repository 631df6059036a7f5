//! Facts about the talk between a run and its decoders: what is said comes over, what is garbled is refused and never trapped on.
import Testing
import WadeImage

@testable import WadeVideo

@Suite("the decoders' protocol")
struct DecoderProtocolTests {
    private static func preprocessing() throws -> Preprocessing {
        try Preprocessing(
            imageSize: 8, resizedSize: 10, fit: .shorterSideTorchvision,
            passOrder: .strongerFirst, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
    }

    private static let metadata = VideoMetadata(
        width: 640, height: 480, rotationDegrees: 90, isMirrored: true, codec: "h264",
        pixelFormat: "yuv420p", transfer: "bt709", isHighDynamicRange: false, averageRate: 25,
        hasVariableRate: true, container: "mov", containerDuration: -1, duration: 12.25,
        frameCount: -1, startTime: -0.5, streamIndex: 1, videoStreamCount: 2, isTruncated: true,
        isStill: false)

    private static let frame = VideoFrame(
        image: RGBImage(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6]), time: 0.5,
        duration: 0.04)

    private static func requests() throws -> [DecoderRequest] {
        var limits = VideoLimits()
        limits.timeout = 1.5
        limits.maximumMemory = 77
        return [
            .open(limits, memory: 1 << 31), .cuts, .frames([0, 1.5, .nan], nil),
            .frames([], try preprocessing()), .close,
        ]
    }

    private static let replies: [DecoderReply] = [
        .ready(resident: 5), .opened(metadata, memory: 9), .needs(memory: 1 << 40),
        .failed(VideoError(.tooLarge, "a picture é")), .progress, .cuts([1, 2.5]),
        .picture(index: 3, frame), .again(index: 4),
        .sampled(distinct: 2, failed: 1, flags: [.framesMissing, .shortClip]), .closed,
    ]

    @Test("every request and every reply is what it was after its way as bytes")
    func roundTrip() throws {
        for request in try Self.requests() {
            let bytes = request.message.bytes
            let (message, length) = try #require(try DecoderMessage.parse(bytes[...]))
            #expect(length == bytes.count)
            // Times that are no numbers are equal to nothing.
            #expect(try DecoderRequest(message).message == request.message)
        }
        for reply in Self.replies {
            let (message, _) = try #require(try DecoderMessage.parse(reply.message.bytes[...]))
            #expect(try DecoderReply(message) == reply)
        }
    }

    @Test("a message that is cut anywhere is not there yet, and a payload cut anywhere is none")
    func truncated() throws {
        let messages = try Self.requests().map(\.message) + Self.replies.map(\.message)
        for message in messages {
            let bytes = message.bytes
            for end in bytes.indices {
                #expect(try DecoderMessage.parse(bytes[..<end]) == nil)
            }
            for end in message.payload.indices {
                let short = DecoderMessage(
                    kind: message.kind, payload: Array(message.payload[..<end]))
                #expect(throws: WireError.self) { try DecoderReply(short) }
                #expect(throws: WireError.self) { try DecoderRequest(short) }
            }
        }
    }

    @Test("a flipped bit anywhere is seen by the header or the checksum")
    func flippedBits() throws {
        let bytes = DecoderReply.picture(index: 3, Self.frame).message.bytes
        for at in bytes.indices {
            for bit in 0..<8 {
                var garbled = bytes
                garbled[at] ^= 1 << bit
                let kindBytes = 4..<8
                var parsed: (message: DecoderMessage, length: Int)?
                do { parsed = try DecoderMessage.parse(garbled[...]) } catch { continue }
                // A longer length waits for more; another kind has the same payload.
                guard let message = parsed?.message else { continue }
                #expect(kindBytes.contains(at))
                #expect((try? DecoderReply(message)) == nil || message.kind == 70)
            }
        }
    }

    @Test("payloads that lie with a right checksum are refused", arguments: 0..<9)
    func lies(number: Int) throws {
        var writer = WireWriter()
        let kind: UInt8
        switch number {
        case 0:  // a picture of 2^24 x 2^24
            kind = 70
            for value in [0, 0, 0, 1 << 24, 1 << 24] { writer.add(value) }
            writer.add(bytes: [])
        case 1:  // a negative size
            kind = 70
            for value in [0, 0, 0, -1, -1] { writer.add(value) }
            writer.add(bytes: [1, 2, 3])
        case 2:  // a length near the end of the numbers
            kind = 67
            writer.add(Int.max)
        case 3:  // more numbers than bytes
            kind = 69
            writer.add(Int.max / 8)
        case 4:  // a time that is none
            kind = 70
            writer.add(0)
            writer.add(Double.nan)
            writer.add(0.0)
            writer.add(1)
            writer.add(1)
            writer.add(bytes: [1, 2, 3])
        case 5:  // an error that is on no list
            kind = 67
            writer.add("parked")
            writer.add("")
        case 6:  // a text that is not UTF-8
            kind = 67
            writer.add("timeout")
            writer.add(bytes: [0xFF, 0xFE])
        case 7:  // too many flags
            kind = 72
            for value in [1, 1, 1 << 40] { writer.add(value) }
        default:  // bytes too many
            kind = 68
            writer.add(UInt8(0))
        }
        #expect(throws: WireError.self) {
            try DecoderReply(DecoderMessage(kind: kind, payload: writer.bytes))
        }
    }

    @Test("a header may announce no more than the longest payload")
    func announced() {
        var writer = WireWriter()
        for byte in DecoderMessage.magic { writer.add(byte) }
        writer.add(UInt32(70))
        writer.add(UInt32.max)
        writer.add(UInt32(0))
        #expect(throws: WireError.self) { try DecoderMessage.parse(writer.bytes[...]) }
    }
}
