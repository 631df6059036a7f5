//! The wire format of Protocol Buffers, as far as a SentencePiece model needs it.

/// Reads the fields of one message; unknown fields are given too, groups are refused.
struct ProtocolBufferReader {
    /// A field's payload.
    enum Payload {
        /// A varint (wire type 0).
        case varint(UInt64)
        /// Eight or four bytes, little-endian (wire types 1 and 5).
        case fixed(UInt64)
        /// Bytes (wire type 2): text or a message.
        case bytes(ArraySlice<UInt8>)
    }

    private let bytes: ArraySlice<UInt8>
    private let file: String
    private var position: Int

    /// A reader of the message `bytes`; `file` is for messages of errors.
    init(_ bytes: ArraySlice<UInt8>, file: String) {
        self.bytes = bytes
        self.file = file
        position = bytes.startIndex
    }

    /// The next field's number and payload; nil at the end of the message.
    mutating func next() throws(TokenizerError) -> (field: Int, payload: Payload)? {
        guard position < bytes.endIndex else { return nil }
        let start = position
        let key = try varint()
        // Field numbers have 29 bits.
        guard key >> 3 >= 1, key >> 3 < 1 << 29 else {
            throw fault(at: start, found: "the key \(key)", expected: "a field")
        }
        let field = Int(key >> 3)
        switch key & 7 {
        case 0: return (field, .varint(try varint()))
        case 1: return (field, .fixed(try fixed(8)))
        case 5: return (field, .fixed(try fixed(4)))
        case 2:
            let length = try varint()
            guard length <= UInt64(bytes.endIndex - position) else {
                throw fault(
                    at: start, found: "a field of \(length) bytes",
                    expected: "at most the \(bytes.endIndex - position) that are left")
            }
            defer { position += Int(length) }
            return (field, .bytes(bytes[position..<(position + Int(length))]))
        default:
            throw fault(
                at: start, found: "wire type \(key & 7)", expected: "wire type 0, 1, 2 or 5")
        }
    }

    private func fault(at place: Int, found: String, expected: String) -> TokenizerError {
        .malformed(file: file, place: "byte \(place)", found: found, expected: expected)
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < bytes.endIndex else {
                throw fault(at: position, found: "the end", expected: "a number")
            }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw fault(at: position, found: "a number of over ten bytes", expected: "at most ten")
    }

    private mutating func fixed(_ count: Int) throws(TokenizerError) -> UInt64 {
        guard bytes.endIndex - position >= count else {
            throw fault(at: position, found: "the end", expected: "\(count) bytes")
        }
        defer { position += count }
        return bytes[position..<(position + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
