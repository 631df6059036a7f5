//! Tokenizers: their files, and text for those that are right.
import Foundation
import WadeTokenizer

extension FuzzedParser {
    private static let texts = [
        "", " ", "ab é€ <unk>", "Hello world's  123\n\t", "e\u{301}\u{1F600}▁▁a",
    ]

    func feedTokenizer(_ bytes: [UInt8]) throws -> Bool {
        let read = try refusing([TokenizerError.self]) {
            try Tokenizer(json: bytes, file: "tokenizer.json")
        }
        if let read { try use(read) }
        return read != nil
    }

    func feedSentencePiece(_ bytes: [UInt8]) throws -> Bool {
        let read = try refusing([TokenizerError.self]) {
            try SentencePieceModel(bytes: bytes, file: "tokenizer.model")
        }
        guard let read else { return false }
        let tokenizer = try refusing([TokenizerError.self]) { try read.tokenizer() }
        let json = try refusing([TokenizerError.self]) {
            try read.tokenizerJSON(addingSpecialTokens: ["<image>"])
        }
        if let tokenizer { try use(tokenizer) }
        if let json {
            let again = try refusing([TokenizerError.self]) {
                try Tokenizer(json: json, file: "written.json")
            }
            if let again { try use(again) }
        }
        return tokenizer != nil
    }

    private func use(_ tokenizer: Tokenizer) throws {
        let tokenizer = tokenizer.addingSpecialTokens(["<image>", "<|endofchunk|>"])
        for text in Self.texts {
            try decode(tokenizer.encode(text, applyingTemplate: true), with: tokenizer)
        }
    }

    /// Decodes `ids` whole and in a stream: the texts must be equal.
    @discardableResult
    private func decode(_ ids: [Int], with tokenizer: Tokenizer) throws -> String {
        let whole = try tokenizer.decode(ids, skipSpecialTokens: false)
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
        var streamed = ""
        for id in ids { streamed += try decoder.append(id) }
        streamed += decoder.finish()
        try BrokenPromise.unless(
            Array(streamed.utf8) == Array(whole.utf8),
            "streamed \(streamed.debugDescription), whole \(whole.debugDescription)")
        return whole
    }

    /// The first byte chooses the tokenizer and what the others are: text, or ids of two bytes.
    func feedText(_ bytes: [UInt8]) throws -> Bool {
        guard let choice = bytes.first else { return false }
        let tokenizers = try Self.tokenizers.get()
        let tokenizer = choice & 1 == 0 ? tokenizers.neox : tokenizers.llama
        let rest = bytes.dropFirst()
        if choice & 2 != 0 {
            let ids = zip(rest, rest.dropFirst()).map { Int($0) << 8 | Int($1) }
            try decode(ids.filter { tokenizer.token(of: $0) != nil }, with: tokenizer)
            return true
        }
        let text = String(decoding: rest, as: UTF8.self)
        try decode(tokenizer.encode(text, applyingTemplate: true), with: tokenizer)
        let ids = tokenizer.encode(
            text, applyingTemplate: false, recognizingSpecialTokens: false)
        let decoded = try decode(ids, with: tokenizer)
        // LLaMA's pieces lose nothing but the difference between U+2581 and a space; GPT-NeoX's lose nothing but what
        // canonical composition changes.
        let isLossless =
            choice & 1 == 0
            ? text.utf8.allSatisfy { $0 < 0x80 } : !text.unicodeScalars.contains("▁")
        try BrokenPromise.unless(
            !isLossless || Array(decoded.utf8) == Array(text.utf8),
            "\(text.debugDescription) came back as \(decoded.debugDescription)")
        return true
    }

    private static let tokenizers = Result {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/tokenizers")
        return (
            neox: try Tokenizer(path: folder.appendingPathComponent("neox/tokenizer.json").path),
            llama: try Tokenizer(path: folder.appendingPathComponent("llama/tokenizer.json").path)
        )
    }
}
