//! Facts about the bytes of single tokens.
import Foundation
import Testing
import WadeTestSupport

@testable import WadeTokenizer

@Suite("bytes of tokens")
struct TokenBytesTests {
    private static let texts = [
        "A dog runs on a beach.", "{\"colour\": \"red\", \"count\": -12.5}", "naïve café, 東京 🐕!",
        "    four spaces\tand\na line", "été", "x",
    ]

    @Test(
        "joined, they are what decoding gives, but for a space that a text begins with",
        arguments: Fixtures.folders(in: "tokenizers"))
    func joined(folder: String) throws {
        let tokenizer = try Tokenizer(
            path: Fixtures.url("tokenizers/\(folder)/tokenizer.json").path)
        for text in Self.texts {
            let ids = tokenizer.encode(text, applyingTemplate: false)
            let known = ids.filter { !tokenizer.isSpecial($0) }
            let bytes = known.flatMap { tokenizer.bytes(of: $0) ?? [] }
            let decoded = try tokenizer.decode(known, skipSpecialTokens: true)
            let joined = String(decoding: bytes, as: UTF8.self)
            #expect(joined == decoded || joined == " " + decoded, "\(folder): \(text)")
        }
        for id in tokenizer.specialTokenIdentifiers { #expect(tokenizer.bytes(of: id) == nil) }
        #expect(tokenizer.bytes(of: -1) == nil && tokenizer.bytes(of: 1 << 40) == nil)
    }
}
