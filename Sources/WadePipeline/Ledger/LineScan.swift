//! A walk over the members of a line that passes over what nobody asks for.

import Glibc

/// A position in a line of JSON.
@safe struct LineScan {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    /// A scan of `bytes`, which must outlive it.
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        unsafe self.bytes = unsafe bytes
    }

    /// Whether everything has been read.
    var isAtEnd: Bool { position == count }

    private var current: UInt8 {
        unsafe position < bytes.count ? bytes[position] : 0
    }

    /// Passes over `byte` if it stands here.
    mutating func accept(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    /// Bytes of the whole line.
    var count: Int { unsafe bytes.count }

    /// A copy of the whole line.
    var all: [UInt8] { unsafe Array(bytes) }

    /// Where the name of a member stands; passes over it and its colon. Nil when there is none.
    mutating func name() -> Range<Int>? {
        guard let name = string(), accept(0x3A) else { return nil }
        return name
    }

    /// Where the bytes between the quotes of a string stand, escapes as they are; nil when no string stands here.
    mutating func string() -> Range<Int>? {
        guard accept(0x22) else { return nil }
        let start = position
        let end = count
        var at = position
        while at < end {
            if end - at >= 8 {
                let marks = marks(at)
                guard marks != 0 else {
                    at += 8
                    continue
                }
                at += marks.trailingZeroBitCount >> 3
            }
            let byte = unsafe bytes[at]
            if byte == 0x22 {
                position = at + 1
                return start..<at
            }
            at += byte == 0x5C ? 2 : 1
        }
        position = end
        return nil
    }

    /// The highest bit of each of the eight bytes at `at` that is a quote or a backslash; above the first one perhaps others, too (a
    /// word has a zero byte where subtracting one from each byte borrows: H. Warren, "Hacker's Delight", 6-1). The caller has
    /// seen that there are eight bytes.
    @inline(__always)
    func marks(_ at: Int) -> UInt64 {
        let word = eight(at)
        let quotes = word ^ 0x2222_2222_2222_2222
        let backslashes = word ^ 0x5C5C_5C5C_5C5C_5C5C
        let zeros =
            ((quotes &- 0x0101_0101_0101_0101) & ~quotes)
            | ((backslashes &- 0x0101_0101_0101_0101) & ~backslashes)
        return zeros & 0x8080_8080_8080_8080
    }

    /// Eight bytes as a number, the first one lowest; zero where there are not so many.
    @inline(__always)
    func eight(_ at: Int) -> UInt64 {
        guard at >= 0, at <= count - 8, let base = unsafe bytes.baseAddress else { return 0 }
        return UInt64(
            littleEndian: unsafe UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self))
    }

    /// A copy of the bytes at `place`.
    func bytes(at place: Range<Int>) -> [UInt8] {
        precondition(place.lowerBound >= 0 && place.upperBound <= count)
        return unsafe Array(UnsafeBufferPointer(rebasing: bytes[place]))
    }

    /// Whether the bytes at `place` are `text`.
    func equals(_ place: Range<Int>, _ text: [UInt8]) -> Bool {
        guard place.count == text.count, place.upperBound <= count else { return false }
        for (index, at) in place.enumerated() where unsafe bytes[at] != text[index] { return false }
        return true
    }

    /// Whether the bytes at `place` spell `text`.
    @inline(__always)
    func equals(_ place: Range<Int>, _ text: StaticString) -> Bool {
        guard place.count == text.utf8CodeUnitCount, place.upperBound <= count,
            let base = unsafe bytes.baseAddress
        else { return false }
        return unsafe memcmp(base + place.lowerBound, text.utf8Start, place.count) == 0
    }

    /// Puts the bytes at `place` into `hasher`.
    func hash(_ place: Range<Int>, into hasher: inout Hasher) {
        precondition(place.lowerBound >= 0 && place.upperBound <= count)
        hasher.combine(place.count)
        unsafe hasher.combine(
            bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[place]))
    }

    /// A hash of the bytes at `place`, valid in this process.
    func hash(_ place: Range<Int>) -> UInt64 {
        var hasher = Hasher()
        hash(place, into: &hasher)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The key that the 64 lower-case hexadecimal digits at `place` spell; nil when there are others.
    func key(_ place: Range<Int>) -> LedgerKey? {
        guard place.count == 64, place.upperBound <= count else { return nil }
        var words: [4 of UInt64] = [0, 0, 0, 0]
        for group in 0..<8 {
            guard let value = eightDigits(place.lowerBound + 8 * group) else { return nil }
            words[group / 2] = words[group / 2] << 32 | value
        }
        return LedgerKey(words: (words[0], words[1], words[2], words[3]))
    }

    /// The number that the eight lower-case hexadecimal digits at `at` spell, all at once; nil when there are others. The caller has
    /// seen that there are eight bytes.
    private func eightDigits(_ at: Int) -> UInt64? {
        let text = eight(at)
        let isLetter = (text >> 6) & 0x0101_0101_0101_0101
        let digits = (text & 0x0F0F_0F0F_0F0F_0F0F) &+ isLetter &* 9
        // Spelled again the digits must be the same text.
        let isHigh = ((digits &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        guard digits & 0xF0F0_F0F0_F0F0_F0F0 == 0,
            digits &+ 0x3030_3030_3030_3030 &+ isHigh &* 0x27 == text
        else { return nil }
        var value = digits.byteSwapped
        value = (value | value >> 4) & 0x00FF_00FF_00FF_00FF
        value = (value | value >> 8) & 0x0000_FFFF_0000_FFFF
        return (value | value >> 16) & 0xFFFF_FFFF
    }

    /// An integer; nil when none stands here or it is too long for one.
    mutating func integer() -> Int? {
        let isNegative = accept(0x2D)
        var value = 0
        let start = position
        while (0x30...0x39).contains(current), position - start < 18 {
            value = value * 10 + Int(current - 0x30)
            position += 1
        }
        return position > start ? (isNegative ? -value : value) : nil
    }

    /// The time whose text stands at `place` as a number that orders times: 2026-11-27T17:34:13Z without what is no digit. What is no
    /// time is some number.
    func time(at place: Range<Int>) -> Int {
        var value = 0
        for at in place.prefix(32) where at < count {
            let byte = unsafe bytes[at]
            guard (0x30...0x39).contains(byte), value < Int.max / 100 else { continue }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    /// `true` is true; any other value is passed over.
    mutating func flag() -> Bool {
        let isTrue = current == 0x74
        skipValue()
        return isTrue
    }

    /// Calls `body` for every member of the object that stands here; it must pass over the member's value.
    mutating func members(_ body: (Range<Int>, inout LineScan) -> Void) {
        guard accept(0x7B) else { return skipValue() }
        while let name = name() {
            body(name, &self)
            guard accept(0x2C) else { break }
        }
        _ = accept(0x7D)
    }

    /// Passes over one value of any kind.
    mutating func skipValue() {
        var depth = 0
        let count = count
        while position < count {
            switch unsafe bytes[position] {
            case 0x22: _ = string()
            case 0x7B, 0x5B:
                depth += 1
                position += 1
            case 0x7D, 0x5D:
                if depth == 0 { return }
                depth -= 1
                position += 1
            case 0x2C:
                if depth == 0 { return }
                position += 1
            default: position += 1
            }
            if depth == 0, position < count {
                let next = unsafe bytes[position]
                if next == 0x2C || next == 0x7D || next == 0x5D { return }
            }
        }
    }
}
