//! Checked reads of a pickle's opcodes and their arguments.

/// Walks once over a pickle; every read beyond its end is a `TensorError.malformed` that says where.
struct PickleReader {
    /// The checkpoint's path, for messages.
    let file: String
    private let bytes: [UInt8]
    private var position = 0

    /// A reader at the start of `bytes`.
    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// An error at the current position.
    func fault(_ found: String, _ expected: String) -> TensorError {
        .malformed(
            file: file, found: "\(found) before byte \(position) of the pickle", expected: expected)
    }

    /// The next byte.
    mutating func byte() throws -> UInt8 { try integer(UInt8.self) }

    /// The next little-endian number.
    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws -> Integer {
        let width = Integer.bitWidth / 8
        let start = position
        try skip(width)
        var value: Integer = 0
        for byte in bytes[start..<start + width].reversed() {
            value = width == 1 ? Integer(truncatingIfNeeded: byte) : value << 8 | Integer(byte)
        }
        return value
    }

    /// The next little-endian number as a length or a memo key.
    mutating func count(_ type: (some FixedWidthInteger & UnsignedInteger).Type) throws -> Int {
        let stated = try integer(type)
        guard let count = Int(exactly: stated) else {
            throw fault("the length \(stated)", "\(bytes.count) bytes in all")
        }
        return count
    }

    /// Passes over `count` bytes, which must exist; with `keep` they are only checked (a frame's length).
    mutating func skip(_ count: Int, keep: Bool = false) throws {
        guard count >= 0, count <= bytes.count - position else {
            throw fault("\(count) bytes wanted of \(bytes.count - position)", "a whole pickle")
        }
        if !keep { position += count }
    }

    /// The next `count` bytes as UTF-8.
    mutating func text(count: Int) throws -> String {
        let start = position
        try skip(count)
        guard let text = String(validating: bytes[start..<start + count], as: UTF8.self) else {
            throw fault("a string that is not UTF-8", "UTF-8")
        }
        return text
    }

    /// The text up to the next line feed, as the GLOBAL opcode has it.
    mutating func line() throws -> String {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw fault("a name without an end", "a line feed")
        }
        let text = try text(count: end - position)
        position = end + 1
        return text
    }

    /// A two's complement integer of `count` bytes; opaque when it does not fit 64 bits.
    mutating func long(count: Int) throws -> PickleValue {
        let start = position
        try skip(count)
        guard count <= 8 else { return .opaque }
        var value = count > 0 && bytes[start + count - 1] >= 0x80 ? -1 : 0
        for byte in bytes[start..<start + count].reversed() { value = value << 8 | Int(byte) }
        return .integer(value)
    }
}
