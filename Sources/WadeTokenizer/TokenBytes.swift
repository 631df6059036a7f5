//! What each token adds to a text, byte by byte: a token of a byte-level vocabulary may end within a character.

extension Tokenizer {
    /// The bytes that token `id` adds in the midst of a text; nil for special tokens and for ids that no token has.
    package func bytes(of id: Int) -> [UInt8]? {
        guard !isSpecial(id), let text = try? text(of: id) else { return nil }
        guard let decoder else { return [0x20] + text.bytes }
        var bytes = text.bytes
        var isJoined = false
        for step in decoder {
            switch step {
            case .replace(let pattern, let content):
                bytes = replacing(pattern, with: content, in: bytes)
            case .byteFallback:
                if let byte = TextDecoding.byte(ofToken: bytes) { bytes = [byte] }
            case .fuse: isJoined = true
            // What is stripped from joined tokens is the beginning of the text.
            case .strip(let content, let count) where !isJoined:
                var remaining = count
                bytes = TextDecoding.stripping(content, from: bytes, &remaining)
            case .strip: break
            case .byteLevel:
                bytes = ByteAlphabet.decode(TokenText(bytes: bytes))
                isJoined = true
            case .metaspace(let replacement, _):
                bytes = replacing(replacement, with: [0x20], in: bytes)
            }
        }
        return bytes
    }
}
