//! Text to ids and back against the `tokenizers` library's results.
import Foundation
import Testing
import WadeTestSupport
import WadeTokenizer

/// A case of `tokenizers/*/expected.json`; see the fixtures' README.
private struct TokenizerCase: Decodable {
    let text: String
    let ids: [Int]
    let idsWithoutTemplate: [Int]?
    let tokens: [String]
    let decoded: String
    let decodedSkippingSpecial: String
    let decodedCleanedUp: String?

    enum CodingKeys: String, CodingKey {
        case text, ids, tokens, decoded
        case idsWithoutTemplate = "ids_no_special"
        case decodedSkippingSpecial = "decoded_skip_special"
        case decodedCleanedUp = "decoded_skip_special_cleanup"
    }
}

/// `tokenizers/*/expected.json`.
private struct Expectation: Decodable {
    let tokenizer: String
    let vocabularyCountBefore: Int
    let vocabularyCount: Int
    let flamingoTokens: [String: Int]
    let cases: [TokenizerCase]

    enum CodingKeys: String, CodingKey {
        case tokenizer, cases
        case vocabularyCountBefore = "vocab_size_before_flamingo_tokens"
        case vocabularyCount = "vocab_size"
        case flamingoTokens = "flamingo_token_ids"
    }

    /// The tokens to be added at run time, in their order.
    var addedTokens: [String] {
        flamingoTokens.sorted { $0.value < $1.value }.map(\.key)
    }
}

@Suite("Tokenizer Parity")
struct TokenizerParityTests {
    /// Every folder below `tokenizers`; one of another layout fails for want of its files.
    static let folders = Fixtures.folders(in: "tokenizers")

    private static func expectation(_ folder: String) throws -> Expectation {
        let url = Fixtures.url("tokenizers/\(folder)/expected.json")
        return try JSONDecoder().decode(Expectation.self, from: Data(contentsOf: url))
    }

    private static func tokenizer(_ folder: String, _ file: String) throws -> Tokenizer {
        try Tokenizer(path: Fixtures.url("tokenizers/\(folder)/\(file)").path)
    }

    @Test("there are tokenizer fixtures")
    func thereAreFixtures() {
        #expect(!Self.folders.isEmpty)
    }

    @Test("ids, tokens and texts equal the library's, added tokens in the file", arguments: folders)
    func equalsLibrary(folder: String) throws {
        let expected = try Self.expectation(folder)
        let tokenizer = try Self.tokenizer(folder, expected.tokenizer)
        #expect(tokenizer.vocabularyCount == expected.vocabularyCount)
        try Self.compare(tokenizer, expected)
    }

    @Test("tokens added at run time give the same", arguments: folders)
    func equalsLibraryWithRunTimeTokens(folder: String) throws {
        let expected = try Self.expectation(folder)
        let published = try Self.tokenizer(folder, "tokenizer.json")
        #expect(published.vocabularyCount == expected.vocabularyCountBefore)
        let tokenizer = published.addingSpecialTokens(expected.addedTokens)
        #expect(tokenizer.vocabularyCount == expected.vocabularyCount)
        try Self.compare(tokenizer, expected)
    }

    private static func compare(_ tokenizer: Tokenizer, _ expected: Expectation) throws {
        #expect(!expected.cases.isEmpty)
        for (token, id) in expected.flamingoTokens {
            #expect(tokenizer.id(of: token) == id)
            #expect(tokenizer.specialTokenIdentifiers.contains(id))
        }
        for one in expected.cases {
            let ids = tokenizer.encode(one.text, applyingTemplate: true)
            #expect(ids == one.ids, "\(one.text.debugDescription)")
            #expect(isSame(ids.map { tokenizer.token(of: $0) ?? "" }, one.tokens))
            let bare = tokenizer.encode(one.text, applyingTemplate: false)
            #expect(bare == one.idsWithoutTemplate ?? one.ids, "\(one.text.debugDescription)")
            let decoded = try tokenizer.decode(one.ids, skipSpecialTokens: false)
            #expect(isSame([decoded], [one.decoded]), "\(one.text.debugDescription)")
            let skipped = try tokenizer.decode(one.ids, skipSpecialTokens: true)
            #expect(isSame([skipped], [one.decodedSkippingSpecial]))
            let clean = try tokenizer.decode(
                one.ids, skipSpecialTokens: true, cleanUpSpaces: true)
            #expect(isSame([clean], [one.decodedCleanedUp ?? one.decodedSkippingSpecial]))
        }
    }

    @Test("each id alone decodes as the library's", arguments: folders)
    func decodesEachIdentifier(folder: String) throws {
        let expected = try Self.expectation(folder)
        let tokenizer = try Self.tokenizer(folder, expected.tokenizer)
        let url = Fixtures.url("tokenizers/\(folder)/decode_each_id.json")
        let texts = try JSONDecoder().decode([String].self, from: Data(contentsOf: url))
        #expect(texts.count == tokenizer.vocabularyCount)
        for (id, text) in texts.enumerated() {
            let decoded = try tokenizer.decode([id], skipSpecialTokens: false)
            #expect(isSame([decoded], [text]), "id \(id)")
        }
    }

    @Test(
        "streamed texts join to the library's and never end within a character", arguments: folders)
    func streams(folder: String) throws {
        let expected = try Self.expectation(folder)
        let tokenizer = try Self.tokenizer(folder, expected.tokenizer)
        for one in expected.cases {
            for skips in [false, true] {
                let parts = try streamed(one.ids, by: tokenizer, skipSpecialTokens: skips)
                let text = skips ? one.decodedSkippingSpecial : one.decoded
                #expect(isSame([parts.joined()], [text]), "\(one.text.debugDescription)")
                // A part is a string, so half a character could only show as U+FFFD.
                if !text.contains("\u{FFFD}") {
                    #expect(parts.allSatisfy { !$0.contains("\u{FFFD}") })
                }
            }
        }
    }
}

/// What a streaming decoder gives for each id and at the end.
func streamed(
    _ ids: [Int], by tokenizer: Tokenizer, skipSpecialTokens: Bool
) throws -> [String] {
    var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: skipSpecialTokens)
    var parts = try ids.map { try decoder.append($0) }
    parts.append(decoder.finish())
    return parts
}

/// Whether two lists of texts are equal scalar by scalar; `==` would call canonically equivalent ones equal.
func isSame(_ one: [String], _ other: [String]) -> Bool {
    one.count == other.count && zip(one, other).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
}
