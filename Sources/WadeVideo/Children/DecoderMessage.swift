//! The frame around everything that a run and its decoders say to each other: version, kind, length, checksum.
internal import CZlib

/// One message: 4 bytes of magic with the protocol's version, the kind, the payload's length and CRC-32, then the payload.
package struct DecoderMessage: Equatable, Sendable {
    /// Bytes before the payload.
    package static let headerSize = 16
    /// "WDC" and the version; both ends are the same program, so another version is damage.
    static let magic: [UInt8] = [0x57, 0x44, 0x43, 1]
    /// The longest payload: a picture of 40 megapixels and some room.
    package static let longestPayload = 160 << 20

    /// What the payload is.
    package let kind: UInt8
    /// What is said.
    package let payload: [UInt8]

    init(kind: UInt8, payload: [UInt8]) {
        self.kind = kind
        self.payload = payload
    }

    /// What a header announces.
    struct Header: Equatable {
        let kind: UInt8
        let length: Int
        let checksum: UInt32
    }

    /// The message as it is sent.
    var bytes: [UInt8] {
        var writer = WireWriter()
        for byte in Self.magic { writer.add(byte) }
        writer.add(UInt32(kind))
        writer.add(UInt32(truncatingIfNeeded: payload.count))
        writer.add(Self.checksum(payload))
        return writer.bytes + payload
    }

    /// The header that the first 16 of `bytes` spell.
    static func header(_ bytes: ArraySlice<UInt8>) throws(WireError) -> Header {
        var reader = WireReader(bytes.prefix(headerSize))
        for expected in magic {
            guard try reader.byte() == expected else { throw WireError("no header of a message") }
        }
        let kind = try reader.word(), length = try reader.word(), checksum = try reader.word()
        guard kind <= 255, length <= longestPayload else {
            throw WireError("a message of kind \(kind) with \(length) bytes")
        }
        return Header(
            kind: UInt8(truncatingIfNeeded: kind), length: Int(length), checksum: checksum)
    }

    /// The message that `header` announces and `payload` fills.
    init(_ header: Header, payload: [UInt8]) throws(WireError) {
        guard payload.count == header.length else {
            throw WireError("\(payload.count) bytes, announced were \(header.length)")
        }
        guard Self.checksum(payload) == header.checksum else {
            throw WireError("\(payload.count) bytes that do not fit their checksum")
        }
        self.init(kind: header.kind, payload: payload)
    }

    /// The message at the start of `bytes` and how long it is; nil when `bytes` end before it does.
    package static func parse(_ bytes: ArraySlice<UInt8>) throws(WireError) -> (
        message: DecoderMessage, length: Int
    )? {
        guard bytes.count >= headerSize else { return nil }
        let header = try header(bytes)
        guard bytes.count - headerSize >= header.length else { return nil }
        let payload = Array(bytes.dropFirst(headerSize).prefix(header.length))
        return (try DecoderMessage(header, payload: payload), headerSize + header.length)
    }

    /// CRC-32 as in PNG.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        let sum = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe crc32_z(0, buffer.baseAddress, buffer.count)
        }
        return UInt32(truncatingIfNeeded: bytes.isEmpty ? 0 : sum)
    }
}
