//! A walk over the members of a line that passes over what nobody asks for.

/// A position in a line of JSON.
@safe struct LineScan {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

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

    /// Whether the bytes at `place` spell `text`.
    func equals(_ place: Range<Int>, _ text: StaticString) -> Bool {
        guard place.count == text.utf8CodeUnitCount, place.upperBound <= count else { return false }
        for (index, at) in place.enumerated()
        where unsafe bytes[at] != text.utf8Start[index] {
            return false
        }
        return true
    }

    /// A hash of the bytes at `place`, valid in this process.
    func hash(_ place: Range<Int>) -> UInt64 {
        precondition(place.upperBound <= count)
        var hasher = Hasher()
        unsafe hasher.combine(
            bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[place]))
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The key that the 64 lower-case hexadecimal digits at `place` spell; nil when there are others.
    func key(_ place: Range<Int>) -> LedgerKey? {
        guard place.count == 64, place.upperBound <= count else { return nil }
        var words: [4 of UInt64] = [0, 0, 0, 0]
        for (index, at) in place.enumerated() {
            let digit = unsafe bytes[at]
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x57
            default: return nil
            }
            words[index / 16] = words[index / 16] << 4 | UInt64(value)
        }
        return LedgerKey(words: (words[0], words[1], words[2], words[3]))
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
