//! A token's text as bytes: Swift's `String` calls canonically equivalent texts equal, a vocabulary does not.

/// UTF-8 text compared and hashed byte by byte.
struct TokenText: Hashable, Sendable {
    /// Well-formed UTF-8.
    let bytes: [UInt8]

    /// The text of well-formed UTF-8 `bytes`.
    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The text of `string`.
    init(_ string: String) {
        bytes = Array(string.utf8)
    }

    /// The text as Swift's string.
    var string: String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// The only scalar of the text; nil when there is none or more than one.
    var onlyScalar: UInt32? {
        guard let first = bytes.first else { return nil }
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard bytes.count == length else { return nil }
        return string.unicodeScalars.first?.value
    }

    func hash(into hasher: inout Hasher) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }
}

/// The scalar values of well-formed UTF-8 `bytes`.
func scalarValues(of bytes: ArraySlice<UInt8>) -> [UInt32] {
    String(decoding: bytes, as: UTF8.self).unicodeScalars.map(\.value)
}

/// `bytes` with every leftmost, non-overlapping occurrence of `pattern` (not empty) replaced by `content`.
func replacing(_ pattern: [UInt8], with content: [UInt8], in bytes: [UInt8]) -> [UInt8] {
    guard let first = pattern.first, bytes.contains(first) else { return bytes }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
        if bytes[position] == first, bytes[position...].starts(with: pattern) {
            result.append(contentsOf: content)
            position += pattern.count
        } else {
            result.append(bytes[position])
            position += 1
        }
    }
    return result
}
