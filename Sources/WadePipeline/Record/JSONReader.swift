//! A JSON parser (RFC 8259) that tells `2` from `2.0`, refuses members named twice, bounds its depth and never traps.

/// Why a text is not the JSON that was expected.
struct JSONFault: Error, Equatable {
    /// Offset of the fault in the text.
    var byte: Int
    /// What stands there.
    var found: String
    /// What should stand there.
    var expected: String
}

/// Reads one JSON document.
struct JSONReader {
    /// Arrays and objects within each other; a record needs three.
    static let deepest = 32

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The value of the document `bytes`.
    static func read(_ bytes: [UInt8]) throws(JSONFault) -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw JSONFault(byte: 0, found: "bytes that are not UTF-8", expected: "UTF-8")
        }
        var reader = JSONReader(bytes)
        let value = try reader.readValue(depth: 0)
        reader.skipSpace()
        guard reader.position == bytes.count else {
            throw reader.fault("the end of the document")
        }
        return value
    }

    private func fault(_ expected: String) -> JSONFault {
        let found =
            position < bytes.count
            ? "byte 0x\(String(bytes[position], radix: 16))" : "the end of the text"
        return JSONFault(byte: position, found: found, expected: expected)
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func readValue(depth: Int) throws(JSONFault) -> JSONValue {
        skipSpace()
        guard depth <= Self.deepest else { throw fault("at most \(Self.deepest) levels") }
        guard position < bytes.count else { throw fault("a value") }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "["): return .array(try readArray(depth: depth))
        case UInt8(ascii: "{"): return .object(try readObject(depth: depth))
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: return try readNumber()
        }
    }

    private mutating func readWord(_ word: String, _ value: JSONValue) throws(JSONFault)
        -> JSONValue
    {
        for byte in word.utf8 where !accept(byte) {
            throw fault("`\(word)`")
        }
        return value
    }

    private mutating func readArray(depth: Int) throws(JSONFault) -> [JSONValue] {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if accept(UInt8(ascii: "]")) { return values }
        while true {
            values.append(try readValue(depth: depth + 1))
            skipSpace()
            if accept(UInt8(ascii: "]")) { return values }
            guard accept(UInt8(ascii: ",")) else { throw fault("`,` or `]`") }
        }
    }

    private mutating func readObject(depth: Int) throws(JSONFault) -> [JSONMember] {
        position += 1
        var members: [JSONMember] = []
        var names: Set<[UInt8]> = []
        skipSpace()
        if accept(UInt8(ascii: "}")) { return members }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw fault("a member's name in quotes")
            }
            let name = try readString()
            guard names.insert(Array(name.utf8)).inserted else {
                throw JSONFault(
                    byte: position, found: "\(name.shownShort) twice", expected: "each name once")
            }
            skipSpace()
            guard accept(UInt8(ascii: ":")) else { throw fault("`:`") }
            members.append(JSONMember(name, try readValue(depth: depth + 1)))
            skipSpace()
            if accept(UInt8(ascii: "}")) { return members }
            guard accept(UInt8(ascii: ",")) else { throw fault("`,` or `}`") }
        }
    }

    private mutating func readNumber() throws(JSONFault) -> JSONValue {
        let start = position
        _ = accept(UInt8(ascii: "-"))
        let whole = try readDigits()
        guard whole == 1 || bytes[position - whole] != UInt8(ascii: "0") else {
            throw JSONFault(byte: start, found: "a leading zero", expected: "a number")
        }
        var isInteger = true
        if accept(UInt8(ascii: ".")) {
            isInteger = false
            _ = try readDigits()
        }
        if accept(UInt8(ascii: "e")) || accept(UInt8(ascii: "E")) {
            isInteger = false
            if !accept(UInt8(ascii: "+")) { _ = accept(UInt8(ascii: "-")) }
            _ = try readDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONFault(byte: start, found: text.shownShort, expected: "a number in range")
        }
        return .number(value)
    }

    /// Passes over at least one digit and says how many there were.
    private mutating func readDigits() throws(JSONFault) -> Int {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        guard position > start else { throw fault("a digit") }
        return position - start
    }

    private mutating func readString() throws(JSONFault) -> String {
        position += 1
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                position += 1
                text.append(contentsOf: try readEscape().utf8)
            case 0..<0x20:
                throw fault("no control character inside a string")
            default:
                text.append(byte)
                position += 1
            }
        }
        throw fault("`\"`")
    }

    private mutating func readEscape() throws(JSONFault) -> String {
        guard position < bytes.count else { throw fault("an escape") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return String(UnicodeScalar(byte))
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try readCodePoint()
        default: throw fault("one of \" \\ / b f n r t u after a backslash")
        }
    }

    /// `\uXXXX`, or a surrogate pair of two; a lone surrogate is refused, because no UTF-8 can hold it.
    private mutating func readCodePoint() throws(JSONFault) -> String {
        let high = try readHexadecimal()
        var value = high
        if (0xD800..<0xDC00).contains(high), accept(UInt8(ascii: "\\")), accept(UInt8(ascii: "u")) {
            let low = try readHexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw fault("a low surrogate") }
            value = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(value) else { throw fault("no lone surrogate") }
        return String(scalar)
    }

    private mutating func readHexadecimal() throws(JSONFault) -> UInt32 {
        guard position + 4 <= bytes.count,
            bytes[position..<position + 4].allSatisfy({
                UnicodeScalar($0).properties.isASCIIHexDigit
            }),
            let value = UInt32(
                String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw fault("four hexadecimal digits") }
        position += 4
        return value
    }
}
