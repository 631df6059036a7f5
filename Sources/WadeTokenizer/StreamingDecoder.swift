//! Decoding ids one by one while they are generated.

/// Turns ids into text as they come. The texts it gives, joined, are `decode` of all the ids; none of them ends
/// within a character, and U+FFFD appears only once the bytes before it can no longer become a character.
package struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecialTokens: Bool
    private var decoding: TextDecoding

    /// A decoder at the start of a text.
    package init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        self.skipSpecialTokens = skipSpecialTokens
        decoding = TextDecoding(steps: tokenizer.decoder)
    }

    /// Takes the next id and gives the text decided by it, often empty; throws `unknownIdentifier`.
    package mutating func append(_ id: Int) throws(TokenizerError) -> String {
        let token = try tokenizer.text(of: id)
        if skipSpecialTokens, tokenizer.isSpecial(id) { return "" }
        return String(decoding: decoding.append(token.bytes), as: UTF8.self)
    }

    /// Gives the text still held back; the decoder then has nothing left.
    package mutating func finish() -> String {
        String(decoding: decoding.finish(), as: UTF8.self)
    }
}
