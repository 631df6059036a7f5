//! Tokens beside the model's own: matched in the text before it is encoded.

/// An entry of `added_tokens`.
struct AddedToken: Sendable, Equatable {
    /// The token's id.
    let id: Int
    /// The text that becomes the token.
    let content: TokenText
    /// Whether the token is control, such as `<image>`, rather than text.
    let isSpecial: Bool
    /// Whether it is matched in normalised text, by its own normalised form.
    var isNormalized = false
    /// Whether it takes the space before it.
    var stripsLeft = false
    /// Whether it takes the space after it.
    var stripsRight = false
    /// Whether it is only matched when no word character touches it.
    var isSingleWord = false

    /// The entry of the section `field`.
    static func read(_ field: JSONField) throws -> AddedToken {
        let content = try field.required("content")
        guard try !content.text().bytes.isEmpty else {
            throw content.malformed(expected: "a string that is not empty")
        }
        let isSpecial = try field.boolean("special", absent: false)
        return AddedToken(
            id: try field.required("id").identifier(), content: try content.text(),
            isSpecial: isSpecial,
            isNormalized: try field.boolean("normalized", absent: !isSpecial),
            stripsLeft: try field.boolean("lstrip", absent: false),
            stripsRight: try field.boolean("rstrip", absent: false),
            isSingleWord: try field.boolean("single_word", absent: false))
    }
}

/// Finds added tokens in UTF-8: leftmost first, longest at a place, not overlapping.
struct AddedTokenMatcher: Sendable {
    private var children: [UInt64: Int] = [:]
    private var tokens: [AddedToken?] = [nil]
    private var startsToken = [Bool](repeating: false, count: 256)

    /// A matcher of these patterns (none empty) and what each means.
    init(_ patterns: [(pattern: [UInt8], token: AddedToken)]) {
        for (pattern, token) in patterns { insert(pattern, token) }
    }

    private mutating func insert(_ pattern: [UInt8], _ token: AddedToken) {
        guard let first = pattern.first else { return }
        startsToken[Int(first)] = true
        var node = 0
        for byte in pattern {
            let key = UInt64(node) << 8 | UInt64(byte)
            if let child = children[key] {
                node = child
            } else {
                tokens.append(nil)
                node = tokens.count - 1
                children[key] = node
            }
        }
        tokens[node] = token
    }

    /// The parts of `text` in order: tokens, and the text between them. A special token's text stays text
    /// when `recognizesSpecial` is false.
    func split(_ text: ArraySlice<UInt8>, recognizesSpecial: Bool) -> [TextPart] {
        guard !children.isEmpty else { return text.isEmpty ? [] : [.text(text)] }
        var parts: [TextPart] = []
        var unmatched = text.startIndex
        var position = text.startIndex
        while position < text.endIndex {
            guard let match = longestMatch(in: text, at: position) else {
                position += 1
                continue
            }
            let start = position
            position = match.end
            if match.token.isSpecial, !recognizesSpecial { continue }
            if match.token.isSingleWord, isTouched(start..<match.end, in: text) { continue }
            var left = start
            var right = match.end
            if match.token.stripsLeft { left = max(spaceStart(in: text, before: left), unmatched) }
            if match.token.stripsRight { right = spaceEnd(in: text, from: right) }
            if unmatched < left { parts.append(.text(text[unmatched..<left])) }
            parts.append(.token(match.token.id))
            unmatched = right
            position = max(position, right)
        }
        if unmatched < text.endIndex { parts.append(.text(text[unmatched...])) }
        return parts
    }

    private func longestMatch(
        in text: ArraySlice<UInt8>, at start: Int
    ) -> (end: Int, token: AddedToken)? {
        guard startsToken[Int(text[start])] else { return nil }
        var best: (end: Int, token: AddedToken)?
        var node = 0
        var position = start
        while position < text.endIndex,
            let child = children[UInt64(node) << 8 | UInt64(text[position])]
        {
            node = child
            position += 1
            if let token = tokens[node] { best = (position, token) }
        }
        return best
    }

    private func isTouched(_ range: Range<Int>, in text: ArraySlice<UInt8>) -> Bool {
        let before = lastScalar(of: text[text.startIndex..<range.lowerBound])
        let after = firstScalar(of: text[range.upperBound...])
        return [before, after].contains { $0.map(isWordCharacter) ?? false }
    }

    private func spaceStart(in text: ArraySlice<UInt8>, before end: Int) -> Int {
        var start = end
        while let scalar = lastScalar(of: text[text.startIndex..<start]),
            scalar.properties.isWhitespace
        {
            start -= UTF8.width(scalar)
        }
        return start
    }

    private func spaceEnd(in text: ArraySlice<UInt8>, from start: Int) -> Int {
        var end = start
        while let scalar = firstScalar(of: text[end...]), scalar.properties.isWhitespace {
            end += UTF8.width(scalar)
        }
        return end
    }
}

/// A part of a text that was searched for added tokens.
enum TextPart {
    /// Text to be encoded.
    case text(ArraySlice<UInt8>)
    /// An added token's id.
    case token(Int)
}

private func firstScalar(of text: ArraySlice<UInt8>) -> Unicode.Scalar? {
    String(decoding: text.prefix(4), as: UTF8.self).unicodeScalars.first
}

private func lastScalar(of text: ArraySlice<UInt8>) -> Unicode.Scalar? {
    guard let start = text.suffix(4).lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return nil }
    return String(decoding: text[start...], as: UTF8.self).unicodeScalars.first
}

/// `\w` of Rust's regular expressions (UTS #18): alphabetic, mark, decimal number, connector punctuation, join control.
private func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
        return true
    default:
        return scalar.properties.isAlphabetic || scalar.properties.isJoinControl
    }
}
