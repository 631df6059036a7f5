//! A strict scanner for the parts of JSON that a safetensors header is made of: objects, strings, lists of natural numbers.

/// Walks once over UTF-8 JSON; every failure is a `TensorError.malformed` that says where.
struct HeaderScanner {
    private let bytes: [UInt8]
    private var position = 0
    private let file: String

    /// A scanner at the start of `bytes`; `file` is named in errors.
    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// An error at the current position.
    func failure(found: String, expected: String) -> TensorError {
        .malformed(
            file: file, found: "\(found) at byte \(position) of the header", expected: expected)
    }

    /// Reads an object and calls `member` after each key and colon; `member` must consume the value.
    mutating func object(
        _ member: (inout HeaderScanner, String) throws -> Void
    ) throws {
        try expect(UInt8(ascii: "{"))
        if skip(UInt8(ascii: "}")) { return }
        repeat {
            skipSpace()
            let key = try string()
            try expect(UInt8(ascii: ":"))
            skipSpace()
            try member(&self, key)
        } while skip(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Reads a list of natural numbers.
    mutating func naturals() throws -> [Int] {
        var numbers: [Int] = []
        try expect(UInt8(ascii: "["))
        if skip(UInt8(ascii: "]")) { return numbers }
        repeat {
            skipSpace()
            numbers.append(try natural())
        } while skip(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
        return numbers
    }

    /// Reads a string with its escapes; the bytes must be UTF-8 and surrogates must come in pairs.
    mutating func string() throws -> String {
        guard let quote = peek(), quote == UInt8(ascii: "\"") else {
            throw unexpected("a string")
        }
        position += 1
        var content: [UInt8] = []
        while let byte = peek(), byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw unexpected("a string without control characters") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                content.append(contentsOf: try escape())
            } else {
                content.append(byte)
            }
        }
        guard peek() != nil else { throw unexpected("the end of a string") }
        position += 1
        guard let text = String(validating: content, as: UTF8.self) else {
            throw failure(found: "a string that is not UTF-8 before", expected: "UTF-8")
        }
        return text
    }

    /// Checks that nothing but space follows.
    mutating func end() throws {
        skipSpace()
        guard peek() == nil else { throw unexpected("nothing after the header's object") }
    }

    private mutating func natural() throws -> Int {
        let start = position
        var number = 0
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let (scaled, tooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = scaled.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            guard !tooLarge, !overflow else {
                throw failure(found: "a number beyond 63 bits", expected: "a natural number")
            }
            number = sum
            position += 1
        }
        guard position > start else { throw unexpected("a natural number") }
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw failure(found: "a number with a leading zero", expected: "a natural number")
        }
        return number
    }

    private mutating func escape() throws -> [UInt8] {
        guard let byte = peek() else { throw unexpected("an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var value = try codeUnit()
            if (0xD800..<0xDC00).contains(value), peek() == UInt8(ascii: "\\") {
                position += 1
                try expectExactly(UInt8(ascii: "u"))
                let low = try codeUnit()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw unexpected("the second half of a surrogate pair")
                }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw unexpected("a Unicode scalar") }
            return Array(String(scalar).utf8)
        default: throw unexpected("a known escape")
        }
    }

    private mutating func codeUnit() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else {
                throw unexpected("four hexadecimal digits")
            }
            value = value << 4 + UInt32(digit)
            position += 1
        }
        return value
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func skip(_ wanted: UInt8) -> Bool {
        skipSpace()
        guard peek() == wanted else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ wanted: UInt8) throws {
        skipSpace()
        try expectExactly(wanted)
    }

    private mutating func expectExactly(_ wanted: UInt8) throws {
        guard peek() == wanted else {
            throw unexpected("\"\(Character(Unicode.Scalar(wanted)))\"")
        }
        position += 1
    }

    private func unexpected(_ expected: String) -> TensorError {
        guard let byte = peek() else {
            return failure(found: "the end", expected: expected)
        }
        let shown = printable(String(Character(Unicode.Scalar(byte))))
        return failure(found: "\"\(shown)\"", expected: expected)
    }
}
