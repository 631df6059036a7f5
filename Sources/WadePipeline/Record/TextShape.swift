//! The few regular expressions of the record's schema, matched byte by byte.

/// A regular expression made of alternatives `^…$`, each a row of characters, classes such as `[0-9a-f]` and points, repeated by `{n}`
/// or `+`, and of rows in `(…)?`. Every repetition takes all it can: a text that passes matches the expression, but not the
/// other way round.
struct TextShape {
    /// A set of ASCII characters, and perhaps all others.
    private struct Characters {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var hasOthers = false

        /// A backslash begins an escape, which stands for another character: no set holds it.
        mutating func insert(_ byte: UInt8) {
            guard byte != UInt8(ascii: "\\") else { return }
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte & 63) }
        }

        func contains(_ byte: UInt8) -> Bool {
            if byte >= 128 { return hasOthers }
            return (byte < 64 ? low >> UInt64(byte) : high >> UInt64(byte & 63)) & 1 == 1
        }
    }

    private enum Part {
        case run(Characters, least: Int, most: Int)
        case optional([Part])
    }

    private var alternatives: [[Part]] = []

    /// Whether a text may hold `byte` as it is and without meaning more.
    static func isPlain(_ byte: UInt8) -> Bool {
        (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\") && byte != UInt8(ascii: "\"")
    }

    /// The shape that `pattern` describes; nil for other expressions.
    init?(_ pattern: String) {
        for text in pattern.split(separator: "|", omittingEmptySubsequences: false) {
            guard text.first == "^", text.last == "$", text.count > 1 else { return nil }
            var rest = Array(text.utf8.dropFirst().dropLast())[...]
            guard let parts = Self.parts(&rest), rest.isEmpty else { return nil }
            alternatives.append(parts)
        }
    }

    /// Reads parts up to the end or a closing parenthesis.
    private static func parts(_ text: inout ArraySlice<UInt8>) -> [Part]? {
        var parts: [Part] = []
        while let byte = text.first, byte != UInt8(ascii: ")") {
            if byte == UInt8(ascii: "(") {
                text.removeFirst()
                guard let inner = Self.parts(&text), text.starts(with: ")?".utf8) else {
                    return nil
                }
                text.removeFirst(2)
                parts.append(.optional(inner))
                continue
            }
            guard let characters = characters(&text), let (least, most) = repetition(&text) else {
                return nil
            }
            parts.append(.run(characters, least: least, most: most))
        }
        return parts
    }

    private static func characters(_ text: inout ArraySlice<UInt8>) -> Characters? {
        var characters = Characters()
        let byte = text.removeFirst()
        switch byte {
        case UInt8(ascii: "."):
            for byte in UInt8(0x20)..<0x7F { characters.insert(byte) }
            characters.hasOthers = true
        case UInt8(ascii: "\\"):
            guard let escaped = text.popFirst(), !isLetterOrDigit(escaped) else { return nil }
            characters.insert(escaped)
        case UInt8(ascii: "["):
            guard let end = text.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let ranges = text[text.startIndex..<end]
            text = text[(end + 1)...]
            guard !ranges.isEmpty, ranges.count.isMultiple(of: 3) else { return nil }
            for start in stride(from: ranges.startIndex, to: ranges.endIndex, by: 3) {
                let (from, dash, to) = (ranges[start], ranges[start + 1], ranges[start + 2])
                guard dash == UInt8(ascii: "-"), isLetterOrDigit(from), isLetterOrDigit(to),
                    from <= to
                else { return nil }
                for byte in from...to { characters.insert(byte) }
            }
        default:
            guard isLetterOrDigit(byte) || "-:_ ".utf8.contains(byte) else { return nil }
            characters.insert(byte)
        }
        return characters
    }

    private static func repetition(_ text: inout ArraySlice<UInt8>) -> (Int, Int)? {
        switch text.first {
        case UInt8(ascii: "+"):
            text.removeFirst()
            return (1, .max)
        case UInt8(ascii: "{"):
            guard let end = text.firstIndex(of: UInt8(ascii: "}")),
                let count = Int(
                    String(decoding: text[(text.startIndex + 1)..<end], as: UTF8.self)), count > 0
            else { return nil }
            text = text[(end + 1)...]
            return (count, count)
        case UInt8(ascii: "*"), UInt8(ascii: "?"): return nil
        default: return (1, 1)
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// Whether the text of `count` bytes, the one at each place given by `byte`, has this shape.
    func matches(count: Int, byte: (Int) -> UInt8) -> Bool {
        alternatives.contains { parts in
            Self.end(of: parts, from: 0, count, byte) == count
        }
    }

    /// Where `parts` end that begin at `start`; nil when they do not stand there.
    private static func end(of parts: [Part], from start: Int, _ count: Int, _ byte: (Int) -> UInt8)
        -> Int?
    {
        var at = start
        for part in parts {
            switch part {
            case .run(let characters, let least, let most):
                let first = at
                while at < count, at - first < most, characters.contains(byte(at)) { at += 1 }
                guard at - first >= least else { return nil }
            case .optional(let inner): at = end(of: inner, from: at, count, byte) ?? at
            }
        }
        return at
    }
}
