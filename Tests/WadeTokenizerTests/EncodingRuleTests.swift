//! Rules of encoding and decoding that the fixtures' strings may not touch.
import Foundation
import Testing
import WadeTestSupport

@testable import WadeTokenizer

@Suite("Encoding rules")
struct EncodingRuleTests {
    private func lengths(_ text: String) -> [Int] {
        wordLengths(of: text.unicodeScalars.map(\.value))
    }

    private func composed(_ scalars: [UInt32]) -> [UInt32] {
        let text = String(String.UnicodeScalarView(scalars.compactMap(Unicode.Scalar.init)))
        return scalarValues(of: canonicallyComposed(Array(text.utf8))[...])
    }

    // Expected lengths: `tokenizers` 0.23.3, pre_tokenizers.ByteLevel(add_prefix_space=False).
    @Test("words are GPT-2's")
    func words() {
        #expect(lengths("It's we'll I've o'clock") == [2, 2, 3, 3, 2, 3, 2, 1, 5])
        #expect(lengths("a   b") == [1, 2, 2])
        #expect(lengths("a\n b") == [1, 1, 2])
        #expect(lengths("a \nb  ") == [1, 1, 1, 1, 2])
        #expect(lengths("x12½Ⅷ٣!?") == [1, 5, 2])
        #expect(lengths("e\u{301}e") == [1, 1, 1])
        #expect(lengths("\u{85}\u{A0}\u{2028}\u{3000}") == [4])
        #expect(lengths("\u{200B}\u{200D}\u{180E}\u{FEFF}") == [4])
        #expect(lengths("'S'") == [1, 1, 1])
        #expect(lengths("") == [])
    }

    @Test("letters later than Unicode 16.0 are no letters, as in the library")
    func laterLetters() {
        // U+323B0, in CJK Extension J, came with Unicode 17.0; U+31350 with 15.0.
        #expect(lengths("a\u{323B0}") == [1, 1])
        #expect(lengths("a\u{31350}") == [2])
    }

    // Expected scalars: `tokenizers` 0.23.3, normalizers.NFC.
    @Test("composition is the library's where Foundation's is not")
    func composition() {
        #expect(composed([0x65, 0x301]) == [0xE9])
        #expect(composed([0x212B, 0x344]) == [0xC5, 0x308, 0x301])
        #expect(composed([0x1100, 0x1161, 0x11A8]) == [0xAC01])
        #expect(composed([0x1113, 0x1171]) == [0x1113, 0x1171])
        #expect(composed([0x1100, 0x1176]) == [0x1100, 0x1176])
        #expect(composed([0xD788, 0x11C2]) == [0xD7A3])
        #expect(composed([0xAC01, 0x11A8]) == [0xAC01, 0x11A8])
        #expect(composed([0xD7A4, 0x354, 0xF73, 0x32D]) == [0xD7A4, 0xF71, 0xF72, 0x354, 0x32D])
        #expect(composed([0x10041, 0x300]) == [0x10041, 0x300])
        #expect(composed([0x603C9, 0x345]) == [0x603C9, 0x345])
        #expect(composed([0xCC6, 0xCC2, 0xCD5]) == [0xCCB])
        #expect(composed([0x11131, 0x11127, 0x11935, 0x11930]) == [0x1112E, 0x11935, 0x11930])
        #expect(composed([0x61, 0x302, 0x323]) == [0x1EAD])
        // U+0898 came with Unicode 14.0, so the library does not sort it behind U+0334.
        #expect(composed([0x61, 0x898, 0x334]) == [0x61, 0x898, 0x334])
    }

    @Test("an added special token is matched before normalisation and takes no spaces")
    func addedTokens() throws {
        let tokenizer = try SmallTokenizer().tokenizer().addingSpecialTokens(
            ["<image>", "<im", "a", "<image>", ""])
        #expect(tokenizer.vocabularyCount == 12)
        #expect(tokenizer.id(of: "<image>") == 10)
        #expect(tokenizer.id(of: "<im") == 11)
        #expect(tokenizer.specialTokenIdentifiers == [0, 2, 10, 11])
        #expect(tokenizer.encode("<image>b<ima", applyingTemplate: false) == [10, 1, 3, 11, 2])
        #expect(try tokenizer.decode([10, 1, 3], skipSpecialTokens: true) == "b")
    }

    @Test("unknown text becomes one token, and nothing at all without an unknown token")
    func unknown() throws {
        let tokenizer = try SmallTokenizer().tokenizer()
        #expect(tokenizer.encode("☃☃a", applyingTemplate: false) == [1, 0, 2])
        let vocabulary = #"{"<unk>":0,"a":1}"#
        let json = SmallTokenizer(vocabulary: vocabulary, merges: "[]").json
            .replacingOccurrences(of: #""unk_token":"<unk>","#, with: "")
        let silent = try Tokenizer(json: Array(json.utf8), file: "small.json")
        #expect(silent.encode("☃a☃", applyingTemplate: false) == [1])
    }

    @Test("a byte run is held back until it is decided, then is text or U+FFFD for each byte")
    func byteRuns() throws {
        let tokenizer = try SmallTokenizer().tokenizer()
        #expect(
            try streamed([1, 2, 6, 7, 2], by: tokenizer, skipSpecialTokens: false)
                == ["", "a", "", "", "éa", ""])
        #expect(
            try streamed([6, 7, 6], by: tokenizer, skipSpecialTokens: false)
                == ["", "", "", "\u{FFFD}\u{FFFD}\u{FFFD}"])
        #expect(
            try streamed([1, 1, 2, 8, 9], by: tokenizer, skipSpecialTokens: false)
                == ["", " ", "a", "", "", "\u{FFFD}\u{FFFD}"])
    }

    @Test("byte-level pieces of a character are held back until it is whole or cannot be")
    func byteLevelPieces() throws {
        // â Ĥ ¬ are the bytes E2 82 AC of €; À is C0, which UTF-8 never has.
        let tokenizer = try SmallTokenizer(
            normalizer: "null", decoder: #"{"type":"ByteLevel"}"#,
            vocabulary: #"{"<unk>":0,"a":1,"â":2,"Ĥ":3,"¬":4,"À":5,"ðŁ":6,"ĺĢ":7}"#, merges: "[]"
        ).tokenizer()
        func parts(_ ids: [Int]) throws -> [String] {
            try streamed(ids, by: tokenizer, skipSpecialTokens: false)
        }
        #expect(try parts([1, 2, 3, 4, 1]) == ["a", "", "", "€", "a", ""])
        #expect(try parts([2, 3, 1]) == ["", "", "\u{FFFD}a", ""])
        #expect(try parts([2, 3]) == ["", "", "\u{FFFD}"])
        #expect(try parts([5, 1]) == ["\u{FFFD}", "a", ""])
        #expect(try parts([6, 7]) == ["", "😀", ""])
        #expect(try parts([6, 6]) == ["", "\u{FFFD}", "\u{FFFD}"])
    }

    @Test("incomplete tails are the proper prefixes of characters")
    func incompleteTails() {
        let cases: [([UInt8], Int)] = [
            ([], 0), ([0x61], 0), ([0xC3], 1), ([0xC1], 0), ([0xE2, 0x82], 2), ([0xE2], 1),
            ([0xE0, 0x80], 0), ([0xED, 0xA0], 0), ([0xF0, 0x9F, 0x98], 3), ([0xF0, 0x80], 0),
            ([0xF4, 0x90], 0), ([0xF5], 0), ([0x82], 0), ([0xE2, 0x82, 0xAC], 0),
            ([0xF0, 0x9F, 0x98, 0x80], 0), ([0xE2, 0xE2], 1), ([0x80, 0x80, 0x80, 0x80], 0),
        ]
        for (bytes, count) in cases { #expect(incompleteTailCount(bytes) == count, "\(bytes)") }
    }

    @Test("the clean-up removes spaces before English punctuation, also before a combining mark")
    func cleanUp() {
        #expect(cleaningUpSpaces(in: "Is n't it , I 'm 's . ?") == "Isn't it, I'm's.?")
        #expect(cleaningUpSpaces(in: "a ' b ' ve") == "a'b've")
        #expect(isSame([cleaningUpSpaces(in: "a .\u{301}")], ["a.\u{301}"]))
    }

    @Test("long text without spaces is not quadratic", .timeLimit(.minutes(2)))
    func longText() throws {
        let tokenizer = try Tokenizer(path: Fixtures.url("tokenizers/llama/tokenizer.json").path)
        let text = String(repeating: "abcdefghij", count: 20_000)
        let ids = tokenizer.encode(text, applyingTemplate: false)
        #expect(try tokenizer.decode(ids, skipSpecialTokens: true) == text)
    }
}
