//! Published tokenizers and those of the IDEFICS fixtures, where the fixture folder has them.
import Foundation
import Testing
import WadeTestSupport
import WadeTokenizer

/// A case of `tokenizers-real/cases.json`.
private struct PublishedCase: Decodable {
    let text: String
    let neoxIdentifiers: [Int]
    let neoxDecoded: String
    let llamaIdentifiers: [Int]
    let llamaDecoded: String

    enum CodingKeys: String, CodingKey {
        case text
        case neoxIdentifiers = "neox_ids"
        case neoxDecoded = "neox_decoded"
        case llamaIdentifiers = "llama_ids"
        case llamaDecoded = "llama_decoded"
    }
}

/// `idefics/*/tokenizer_cases.json`.
private struct ProcessorCases: Decodable {
    struct Encoding: Decodable {
        let text: String
        let ids: [Int]
    }

    struct Decoding: Decodable {
        let ids: [Int]
        let text: String
        let textSkippingSpecial: String

        enum CodingKeys: String, CodingKey {
            case ids, text
            case textSkippingSpecial = "text_skip_special"
        }
    }

    let encode: [Encoding]
    let decode: [Decoding]
}

@Suite("Published tokenizer Parity")
struct PublishedTokenizerParityTests {
    /// Published tokenizers are not ours to copy, so only a fixture folder given by `WADE_FIXTURES` has them.
    private static let folder = Fixtures.url("tokenizers-real")
    static let hasPublished = FileManager.default.fileExists(
        atPath: folder.appendingPathComponent("cases.json").path)
    static let processors = Fixtures.folders(in: "idefics").filter { name in
        FileManager.default.fileExists(
            atPath: Fixtures.url("idefics/\(name)/tokenizer_cases.json").path)
    }

    private static func cases() throws -> [PublishedCase] {
        let url = folder.appendingPathComponent("cases.json")
        return try JSONDecoder().decode([PublishedCase].self, from: Data(contentsOf: url))
    }

    @Test(
        "GPT-NeoX-20B's tokenizer equals the library",
        .enabled(if: hasPublished, "tokenizers-real is only found through WADE_FIXTURES"))
    func equalsGPTNeoX() throws {
        let path = Self.folder.appendingPathComponent("gpt-neox-20b.tokenizer.json").path
        let tokenizer = try Tokenizer(path: path)
        for one in try Self.cases() {
            let ids = tokenizer.encode(one.text, applyingTemplate: false)
            #expect(ids == one.neoxIdentifiers, "\(one.text.debugDescription)")
            let decoded = try tokenizer.decode(one.neoxIdentifiers, skipSpecialTokens: false)
            #expect(isSame([decoded], [one.neoxDecoded]), "\(one.text.debugDescription)")
            let parts = try streamed(one.neoxIdentifiers, by: tokenizer, skipSpecialTokens: false)
            #expect(isSame([parts.joined()], [one.neoxDecoded]))
        }
    }

    @Test(
        "LLaMA's SentencePiece model equals the SentencePiece library",
        .enabled(if: hasPublished, "tokenizers-real is only found through WADE_FIXTURES"))
    func equalsSentencePiece() throws {
        let path = Self.folder.appendingPathComponent("llama.tokenizer.model").path
        let model = try SentencePieceModel(path: path)
        let written = try model.tokenizerJSON(addingSpecialTokens: [])
        for tokenizer in [
            try model.tokenizer(), try Tokenizer(json: written, file: "tokenizer.json"),
        ] {
            for one in try Self.cases() {
                let ids = tokenizer.encode(
                    one.text, applyingTemplate: false, recognizingSpecialTokens: false)
                #expect(ids == one.llamaIdentifiers, "\(one.text.debugDescription)")
                let decoded = try tokenizer.decode(one.llamaIdentifiers, skipSpecialTokens: false)
                #expect(isSame([decoded], [one.llamaDecoded]), "\(one.text.debugDescription)")
                let parts = try streamed(
                    one.llamaIdentifiers, by: tokenizer, skipSpecialTokens: false)
                #expect(isSame([parts.joined()], [one.llamaDecoded]))
            }
        }
    }

    @Test(
        "IDEFICS' tokenizer.json and tokenizer.model both give the processor's ids",
        .enabled(if: !processors.isEmpty, "there is no idefics folder in the fixtures"),
        arguments: processors)
    func equalsProcessor(name: String) throws {
        func path(_ file: String) -> String { Fixtures.url("idefics/\(name)/\(file)").path }
        let cases = try JSONDecoder().decode(
            ProcessorCases.self,
            from: Data(contentsOf: URL(fileURLWithPath: path("tokenizer_cases.json"))))
        let added = try JSONDecoder().decode(
            [String: Int].self,
            from: Data(contentsOf: URL(fileURLWithPath: path("added_tokens.json"))))
        let addedInOrder = added.sorted { $0.value < $1.value }.map(\.key)
        let model = try SentencePieceModel(path: path("tokenizer.model"))
        let written = try model.tokenizerJSON(addingSpecialTokens: addedInOrder)
        let tokenizers = [
            try Tokenizer(path: path("tokenizer.json")),
            try model.tokenizer().addingSpecialTokens(addedInOrder),
            try Tokenizer(json: written, file: "tokenizer.json"),
        ]
        for tokenizer in tokenizers {
            for (token, id) in added { #expect(tokenizer.id(of: token) == id) }
            for one in cases.encode {
                let ids = tokenizer.encode(one.text, applyingTemplate: false)
                #expect(ids == one.ids, "\(one.text.debugDescription)")
            }
            for one in cases.decode {
                let text = try tokenizer.decode(one.ids, skipSpecialTokens: false)
                #expect(isSame([text], [one.text]), "\(one.ids)")
                let skipped = try tokenizer.decode(one.ids, skipSpecialTokens: true)
                #expect(isSame([skipped], [one.textSkippingSpecial]), "\(one.ids)")
                let parts = try streamed(one.ids, by: tokenizer, skipSpecialTokens: false)
                #expect(isSame([parts.joined()], [one.text]), "\(one.ids)")
            }
        }
    }
}
