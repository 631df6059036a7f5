//! SentencePiece models, written here by hand.
import Testing
import WadeTokenizer

/// The bytes of a small `.model`, field by field.
private struct SmallModel {
    var pieces: [(text: String, score: Float, kind: UInt8)] = [
        ("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<0xC3>", 0, 6), ("<0xA9>", 0, 6),
        ("aaa", -1, 1), ("aa", -2, 1), ("▁a", -3, 1), ("▁", -4, 1), ("a", -5, 1), ("b", -6, 1),
    ]
    var modelType: UInt8 = 2
    var characterMap: [UInt8] = []

    var bytes: [UInt8] {
        var result: [UInt8] = []
        for piece in pieces {
            let text = Array(piece.text.utf8)
            let score = (0..<4).map { UInt8(piece.score.bitPattern >> (8 * $0) & 0xFF) }
            result += message(1, message(1, text) + [0x15] + score + [0x18, piece.kind])
        }
        // model_type, byte_fallback (field 35)
        result += message(2, [0x18, modelType, 0x98, 0x02, 1])
        // add_dummy_prefix true, remove_extra_whitespaces false
        return result + message(3, message(2, characterMap) + [0x18, 1, 0x20, 0])
    }

    private func message(_ field: UInt8, _ body: [UInt8]) -> [UInt8] {
        [field << 3 | 2, UInt8(body.count)] + body
    }
}

@Suite("SentencePiece models")
struct SentencePieceTests {
    private func model(_ bytes: [UInt8]) throws -> SentencePieceModel {
        try SentencePieceModel(bytes: bytes, file: "small.model")
    }

    @Test("merges go by score and leftmost first among overlapping ones of one piece")
    func mergesByScore() throws {
        let tokenizer = try model(SmallModel().bytes).tokenizer()
        // The SentencePiece library 0.2.3 gives the same for these pieces.
        #expect(tokenizer.encode("aaaa", applyingTemplate: false) == [8, 5, 9])
        #expect(tokenizer.encode(" aaaaa", applyingTemplate: false) == [8, 8, 5, 6])
        #expect(tokenizer.encode("aaa", applyingTemplate: true) == [1, 8, 5])
        #expect(tokenizer.encode("é b☃", applyingTemplate: false) == [8, 3, 4, 8, 10, 0])
    }

    @Test("the text of <s> is ordinary only where asked")
    func controlText() throws {
        let tokenizer = try model(SmallModel().bytes).tokenizer()
        #expect(tokenizer.encode("<s>a", applyingTemplate: false) == [1, 7])
        let plain = tokenizer.encode(
            "<s>a", applyingTemplate: false, recognizingSpecialTokens: false)
        #expect(plain == [8, 0, 9])
    }

    @Test("the tokenizer.json that is written encodes the same")
    func writes() throws {
        let model = try model(SmallModel().bytes)
        let json = try model.tokenizerJSON(addingSpecialTokens: ["<image>", "\"\\\u{1}"])
        let read = try Tokenizer(json: json, file: "tokenizer.json")
        let tokenizer = try model.tokenizer().addingSpecialTokens(["<image>", "\"\\\u{1}"])
        for text in ["", " ", "aaaa", "aaa b<image>é a", "\"\\\u{1}b", "</s>"] {
            for template in [true, false] {
                let ids = tokenizer.encode(text, applyingTemplate: template)
                #expect(read.encode(text, applyingTemplate: template) == ids)
                let decoded = try tokenizer.decode(ids, skipSpecialTokens: template)
                #expect(try read.decode(ids, skipSpecialTokens: template) == decoded)
            }
        }
    }

    @Test("a unigram model, a character map and user-defined pieces are refused by name")
    func unsupported() {
        func refusal(_ model: SmallModel) -> String {
            do {
                _ = try SentencePieceModel(bytes: model.bytes, file: "small.model")
                return "none"
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal(SmallModel(modelType: 1)).contains("unigram"))
        #expect(refusal(SmallModel(characterMap: [1])).contains("character map"))
        var defined = SmallModel()
        defined.pieces.append(("<x>", 0, 4))
        #expect(refusal(defined).contains("piece type 4"))
        var notNumber = SmallModel()
        notNumber.pieces.append(("x", .nan, 1))
        #expect(refusal(notNumber).contains("no score"))
    }

    @Test("a model cut short or with any byte changed is read or refused, never a trap")
    func damaged() throws {
        let bytes = SmallModel().bytes
        for length in bytes.indices {
            #expect(throws: TokenizerError.self) { try model(Array(bytes[..<length])) }
        }
        for position in bytes.indices {
            for byte: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var changed = bytes
                changed[position] = byte
                guard let tokenizer = try? model(changed).tokenizer() else { continue }
                let ids = tokenizer.encode("aab é", applyingTemplate: true)
                _ = try tokenizer.decode(ids, skipSpecialTokens: false)
            }
        }
    }

    @Test("a piece of a length that no trainer makes is refused")
    func longPiece() {
        var message: [UInt8] = [0x0A, 0x81, 0x02] + [UInt8](repeating: 0x61, count: 257)
        message = [0x0A, 0x84, 0x02] + message
        #expect {
            try model(message + SmallModel().bytes)
        } throws: { error in
            "\(error)".contains("piece 0: found 257 bytes, expected at most 256")
        }
    }

    @Test("a piece that stands twice is refused")
    func twice() throws {
        var model = SmallModel()
        model.pieces.append(("a", -7, 1))
        let bytes = model.bytes
        #expect(throws: TokenizerError.self) { try self.model(bytes).tokenizer() }
    }
}
