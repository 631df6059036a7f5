//! Facts about tokenizers that Wade makes itself.
import Foundation
import Testing

@testable import WadeTokenizer

@Suite("byte-pair training")
struct BytePairTrainingTests {
    private func tokenizer(_ training: BytePairTraining) throws -> Tokenizer {
        let path = NSTemporaryDirectory() + "wade-bpe-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(training.tokenizerJSON(specialTokens: ["<end>", "<image>"]))
            .write(to: URL(fileURLWithPath: path))
        return try Tokenizer(path: path)
    }

    @Test("frequent words become one token, and any other text comes back as it was")
    func words() throws {
        var training = BytePairTraining()
        training.add("left left left", count: 10)
        training.add(" left", count: 10)
        training.learn(vocabularySize: 270)
        let made = try tokenizer(training)
        #expect(made.encode("left left", applyingTemplate: false).count == 2)
        #expect(made.encode("<image>left<end>", applyingTemplate: false).first == 1)
        for text in ["left", "naïve \"quotes\" \\ and 東京\n\ttabs", "", " \u{0} \u{7F}"] {
            let ids = made.encode(text, applyingTemplate: false)
            #expect(try made.decode(ids, skipSpecialTokens: false) == text)
        }
    }

    @Test("the same texts give the same bytes, and learning ends where nothing occurs twice")
    func deterministic() throws {
        func trained() -> [UInt8] {
            var training = BytePairTraining()
            for word in ["pan", "pans", "panning", "tilt", "tilts"] { training.add(word, count: 2) }
            training.learn(vocabularySize: 5000)
            return training.tokenizerJSON(specialTokens: ["<end>"])
        }
        let bytes = trained()
        #expect(bytes == trained())
        var once = BytePairTraining()
        once.add("abc")
        once.learn(vocabularySize: 5000)
        #expect(try tokenizer(once).vocabularyCount == 256 + 2)
    }
}
