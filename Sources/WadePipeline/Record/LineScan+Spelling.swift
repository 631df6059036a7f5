//! The parts of a line in the one spelling that `JSONWriter` gives them: what is spelled in another way is nil here.

extension LineScan {
    /// Whether the line is UTF-8 without any character that `JSONWriter` escapes for being a control or a line end.
    var isTextWithoutControls: Bool {
        var at = 0
        var isASCII = true
        while at + 8 <= count {
            let word = eight(at)
            let deletes = word ^ 0x7F7F_7F7F_7F7F_7F7F
            // Bytes below 0x20, and DEL, which is zero in `deletes`.
            let controls =
                ((word &- 0x2020_2020_2020_2020) & ~word)
                | ((deletes &- 0x0101_0101_0101_0101) & ~deletes)
            guard controls & 0x8080_8080_8080_8080 == 0 else { return false }
            if word & 0x8080_8080_8080_8080 != 0 { isASCII = false }
            at += 8
        }
        while at < count {
            let byte = unsafe bytes[at]
            guard byte >= 0x20, byte != 0x7F else { return false }
            if byte >= 0x80 { isASCII = false }
            at += 1
        }
        return isASCII || isTextBeyondASCII
    }

    private var isTextBeyondASCII: Bool {
        guard let text = unsafe String(validating: bytes, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy {
            !(0x7F..<0xA0).contains($0.value) && !(0x2028...0x2029).contains($0.value)
        }
    }

    /// Passes over the bytes of `text` if they stand here.
    mutating func accept(_ text: [UInt8]) -> Bool {
        guard text.count <= count - position else { return false }
        for index in text.indices where unsafe bytes[position + index] != text[index] {
            return false
        }
        position += text.count
        return true
    }

    /// Where the bytes between the quotes of a string stand; nil when an escape is spelled in another way than ours.
    mutating func plainString() -> Range<Int>? {
        guard accept(0x22) else { return nil }
        let start = position
        var at = position
        while at < count {
            if count - at >= 8 {
                let marks = marks(at)
                guard marks != 0 else {
                    at += 8
                    continue
                }
                at += marks.trailingZeroBitCount >> 3
            }
            switch unsafe bytes[at] {
            case 0x22:
                position = at + 1
                return start..<at
            case 0x5C:
                guard let length = escapeLength(at) else { return nil }
                at += length
            default: at += 1
            }
        }
        return nil
    }

    /// Bytes of the escape that begins at `at`; nil for one that `JSONWriter` does not write.
    private func escapeLength(_ at: Int) -> Int? {
        guard at + 1 < count else { return nil }
        switch unsafe bytes[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "n"), UInt8(ascii: "r"),
            UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard at + 6 <= count,
                let digits = unsafe Hexadecimal.bytes(bytes[(at + 2)..<(at + 6)])
            else { return nil }
            switch Int(digits[0]) << 8 | Int(digits[1]) {
            case 0x09, 0x0A, 0x0D: return nil
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: return 6
            default: return nil
            }
        default: return nil
        }
    }

    /// Whether the bytes at `place` have `shape`.
    func matches(_ place: Range<Int>, _ shape: TextShape) -> Bool {
        guard place.lowerBound >= 0, place.upperBound <= count else { return false }
        return shape.matches(count: place.count) { unsafe bytes[place.lowerBound + $0] }
    }

    /// An integer of at most 18 digits.
    mutating func plainInteger() -> Int64? {
        let isNegative = accept(UInt8(ascii: "-"))
        let start = position
        guard let digits = digits(atMost: 18) else { return nil }
        let isZero = position == start + 1 && digits == 0
        guard isZero ? !isNegative : isFirstDigitSignificant(start) else { return nil }
        return isNegative ? -Int64(digits) : Int64(digits)
    }

    /// `true` or `false`; whether one of them stands here.
    mutating func plainFlag() -> Bool {
        accept(Array("true".utf8)) || accept(Array("false".utf8))
    }

    /// A number with a point, spelled as `JSONWriter.spelling` does.
    mutating func shortestNumber() -> Double? {
        let start = position
        let isNegative = accept(UInt8(ascii: "-"))
        let first = position
        if let number = shortNumber(from: first) { return isNegative ? -number : number }
        position = start
        while position < count, Self.isOfNumber(unsafe bytes[position]) { position += 1 }
        guard position - start <= 40 else { return nil }
        let text = unsafe String(decoding: bytes[start..<position], as: UTF8.self)
        guard let number = Double(text), number.isFinite, JSONWriter.spelling(of: number) == text
        else { return nil }
        return number
    }

    /// A number without sign and exponent, of at most 15 digits: so many always come back from a Double, so what ends with no needless
    /// zero is the shortest spelling (DBL_DIG), and numerator and power of ten are exact, so their quotient is the number. Nil leaves
    /// the position anywhere. Below 0.001 the exponent form may be the one.
    private mutating func shortNumber(from first: Int) -> Double? {
        guard let whole = digits(atMost: 15) else { return nil }
        let wholeCount = position - first
        guard wholeCount == 1 || isFirstDigitSignificant(first), accept(UInt8(ascii: ".")) else {
            return nil
        }
        let start = position
        guard let fraction = digits(atMost: 15 - (whole == 0 ? 0 : wholeCount)) else { return nil }
        let places = position - start
        let isEnd = position >= count || !Self.isOfNumber(unsafe bytes[position])
        guard isEnd, places == 1 || !fraction.isMultiple(of: 10) else { return nil }
        let power = Self.powersOfTen[places]
        guard whole > 0 || fraction == 0 || fraction * 1000 >= power else { return nil }
        return Double(whole * power + fraction) / Double(power)
    }

    private static let powersOfTen = (0...15).map { exponent in
        (0..<exponent).reduce(UInt64(1)) { power, _ in power * 10 }
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private func isFirstDigitSignificant(_ at: Int) -> Bool {
        unsafe bytes[at] != UInt8(ascii: "0")
    }

    /// The number that the digits from here on spell, at least one and at most `most`; passes over them.
    private mutating func digits(atMost most: Int) -> UInt64? {
        var value: UInt64 = 0
        let start = position
        while position < count {
            let byte = unsafe bytes[position]
            guard (0x30...0x39).contains(byte) else { break }
            guard position - start < most else { return nil }
            value = value * 10 + UInt64(byte - 0x30)
            position += 1
        }
        return position > start ? value : nil
    }

    /// A list of values, each of which `element` passes over if it is right; whether all are.
    mutating func list(_ element: (inout LineScan) -> Bool) -> Bool {
        guard accept(UInt8(ascii: "[")) else { return false }
        if accept(UInt8(ascii: "]")) { return true }
        repeat {
            guard element(&self) else { return false }
        } while accept(UInt8(ascii: ","))
        return accept(UInt8(ascii: "]"))
    }
}
