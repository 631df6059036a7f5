//! A JSON parser (RFC 8259) that keeps strings as bytes, bounds its depth and never traps.

/// Reads one JSON document.
struct JSONReader {
    /// Arrays and objects within each other; a tokenizer needs nine.
    static let deepest = 64

    private let bytes: [UInt8]
    private let file: String
    private var position = 0

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// The value of the document `bytes`; throws `malformed` with the byte offset of the fault.
    static func read(_ bytes: [UInt8], file: String) throws(TokenizerError) -> JSONField {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .malformed(
                file: file, place: "text", found: "bytes that are not UTF-8", expected: "UTF-8")
        }
        var reader = JSONReader(bytes: bytes, file: file)
        let value = try reader.readValue(depth: 0)
        reader.skipSpace()
        guard reader.position == bytes.count else {
            throw reader.fault(expected: "the end of the document")
        }
        return JSONField(value: value, file: file, place: "")
    }

    private func fault(expected: String) -> TokenizerError {
        let found =
            position < bytes.count
            ? "byte 0x\(String(bytes[position], radix: 16))" : "the end of the file"
        return .malformed(
            file: file, place: "byte \(position)", found: found, expected: expected)
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func readValue(depth: Int) throws(TokenizerError) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw fault(expected: "a value") }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .text(TokenText(bytes: try readString()))
        case UInt8(ascii: "["): return .array(try readArray(depth: depth + 1))
        case UInt8(ascii: "{"): return .object(try readObject(depth: depth + 1))
        case UInt8(ascii: "t"): return try readWord("true", .boolean(true))
        case UInt8(ascii: "f"): return try readWord("false", .boolean(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: return try readNumber()
        }
    }

    private mutating func readWord(
        _ word: StaticString, _ value: JSONValue
    ) throws(TokenizerError) -> JSONValue {
        let text = "\(word)"
        guard bytes[position...].starts(with: text.utf8) else { throw fault(expected: "a value") }
        position += text.utf8.count
        return value
    }

    private mutating func enter(depth: Int) throws(TokenizerError) {
        guard depth <= Self.deepest else {
            throw fault(expected: "values at most \(Self.deepest) deep")
        }
        position += 1
        skipSpace()
    }

    private mutating func readArray(depth: Int) throws(TokenizerError) -> [JSONValue] {
        try enter(depth: depth)
        var values: [JSONValue] = []
        if accept(UInt8(ascii: "]")) { return values }
        while true {
            values.append(try readValue(depth: depth))
            skipSpace()
            if accept(UInt8(ascii: "]")) { return values }
            guard accept(UInt8(ascii: ",")) else { throw fault(expected: "\",\" or \"]\"") }
        }
    }

    private mutating func readObject(
        depth: Int
    ) throws(TokenizerError) -> [(key: TokenText, value: JSONValue)] {
        try enter(depth: depth)
        var members: [(key: TokenText, value: JSONValue)] = []
        if accept(UInt8(ascii: "}")) { return members }
        while true {
            skipSpace()
            let key = TokenText(bytes: try readString())
            skipSpace()
            guard accept(UInt8(ascii: ":")) else { throw fault(expected: "\":\"") }
            members.append((key, try readValue(depth: depth)))
            skipSpace()
            if accept(UInt8(ascii: "}")) { return members }
            guard accept(UInt8(ascii: ",")) else { throw fault(expected: "\",\" or \"}\"") }
        }
    }

    /// A number in the grammar of RFC 8259; kept as an integer when it is written as one and fits.
    private mutating func readNumber() throws(TokenizerError) -> JSONValue {
        let start = position
        _ = accept(UInt8(ascii: "-"))
        if !accept(UInt8(ascii: "0")) { try readDigits() }
        var isInteger = true
        if accept(UInt8(ascii: ".")) {
            isInteger = false
            try readDigits()
        }
        if accept(UInt8(ascii: "e")) || accept(UInt8(ascii: "E")) {
            isInteger = false
            if !accept(UInt8(ascii: "+")) { _ = accept(UInt8(ascii: "-")) }
            try readDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        return .number(text.count > 40 ? "\(text.prefix(40))…" : text)
    }

    private mutating func readDigits() throws(TokenizerError) {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        guard position > start else { throw fault(expected: "a value") }
    }

    private mutating func readString() throws(TokenizerError) -> [UInt8] {
        guard accept(UInt8(ascii: "\"")) else { throw fault(expected: "a string") }
        var result: [UInt8] = []
        var start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                result.append(contentsOf: bytes[start..<position])
                position += 1
                return result
            }
            guard byte >= 0x20 else { throw fault(expected: "control characters escaped") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                result.append(contentsOf: bytes[start..<(position - 1)])
                result.append(contentsOf: try readEscape())
                start = position
            }
        }
        throw fault(expected: "the end of a string")
    }

    private mutating func readEscape() throws(TokenizerError) -> [UInt8] {
        guard position < bytes.count else { throw fault(expected: "an escape") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(try readEscapedScalar()).utf8)
        default:
            position -= 1
            throw fault(expected: "an escape")
        }
    }

    private mutating func readEscapedScalar() throws(TokenizerError) -> Unicode.Scalar {
        let first = try readFourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, accept(UInt8(ascii: "\\")), accept(UInt8(ascii: "u")) else {
            throw fault(expected: "the second half of a surrogate pair")
        }
        let second = try readFourHexDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw fault(expected: "the second half of a surrogate pair") }
        return scalar
    }

    private mutating func readFourHexDigits() throws(TokenizerError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count,
                let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
            else { throw fault(expected: "a hexadecimal digit") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
