//! What a run and its decoder processes say to each other.
import WadeVideo

extension FuzzedParser {
    /// The bytes as they come out of the socket; then, so that the fuzzer need not find checksums, as kind and payload of a message
    /// whose header is right.
    func feedDecoder(_ bytes: [UInt8]) throws -> Bool {
        let isRead = try readMessages(bytes)
        guard let kind = bytes.first else { return isRead }
        return try readMessages(message(kind, Array(bytes.dropFirst()))) || isRead
    }

    /// Reads messages until none is left; each is a request, a reply or nothing, and what it says is spelled in one way only.
    private func readMessages(_ bytes: [UInt8]) throws -> Bool {
        var rest = bytes[...]
        var isRead = false
        while let parsed = try refusing([WireError.self], { try DecoderMessage.parse(rest) }) ?? nil
        {
            let (message, length) = parsed
            try BrokenPromise.unless(
                length >= DecoderMessage.headerSize && length <= rest.count,
                "a message of \(length) bytes in \(rest.count)")
            let request = try refusing([WireError.self]) { try DecoderRequest(message) }
            let reply = try refusing([WireError.self]) { try DecoderReply(message) }
            try BrokenPromise.unless(
                request == nil || reply == nil, "kind \(message.kind) asks and answers")
            for again in [request?.message, reply?.message].compactMap(\.self) {
                try BrokenPromise.unless(again == message, "a message that changes on its way")
                isRead = true
            }
            rest = rest.dropFirst(length)
        }
        return isRead
    }

    /// A message with the header that `payload` needs: magic, kind, length, CRC-32, 4 bytes each.
    private func message(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var remainder = UInt32.max
        for byte in payload {
            remainder ^= UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0)
            }
        }
        var header: [UInt8] = [0x57, 0x44, 0x43, 1]
        for word in [UInt32(kind), UInt32(payload.count), ~remainder] {
            header += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
        return header + payload
    }
}
