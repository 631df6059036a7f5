//! The VQA metric against open_flamingo's, text for text and number for number.
import Foundation
import Testing
import WadeEvaluation
import WadePipeline
import WadeTestSupport

/// `vqa-metric/cases.json`: results of the original's functions.
private struct Cases: Decodable {
    let normalisation: [Normalization]
    let accuracy_percent_rounded_2: [Accuracy]
    let postprocess_vqa: [Cut]
    let postprocess_caption: [Cut]

    struct Normalization: Decodable {
        let answer: String
        let after_punctuation: String
        let normalised: String
    }

    struct Accuracy: Decodable {
        let prediction: String
        let ground_truths: [String]
        let accuracy: Double
    }

    struct Cut: Decodable {
        let `in`: String
        let out: String
    }

    static func read() throws -> Cases {
        let json = try Data(contentsOf: Fixtures.url("vqa-metric/cases.json"))
        return try JSONDecoder().decode(Cases.self, from: json)
    }
}

@Suite("Parity: VQA metric")
struct VQAMetricParityTests {
    @Test("answers are normalised as the challenge normalises them")
    func normalization() throws {
        let cases = try Cases.read().normalisation
        #expect(!cases.isEmpty)
        for expected in cases {
            let punctuation = AnswerNormalization.removingPunctuation(from: expected.answer)
            #expect(punctuation == expected.after_punctuation, "\(expected.answer)")
            let normalized = AnswerNormalization.normalized(expected.answer)
            #expect(normalized == expected.normalised, "\(expected.answer)")
        }
    }

    @Test("accuracies are the challenge's, to the two decimals that it prints")
    func accuracy() throws {
        let cases = try Cases.read().accuracy_percent_rounded_2
        #expect(!cases.isEmpty)
        for expected in cases {
            let accuracy = VQAAccuracy.accuracy(
                of: expected.prediction, against: expected.ground_truths)
            let rounded = (accuracy * 10000).rounded(.toNearestOrEven) / 100
            #expect(
                rounded == expected.accuracy,
                "\(expected.prediction) against \(expected.ground_truths)")
        }
    }

    @Test("answers and captions are cut where the original cuts them")
    func extraction() throws {
        let cases = try Cases.read()
        #expect(!cases.postprocess_vqa.isEmpty && !cases.postprocess_caption.isEmpty)
        for cut in cases.postprocess_vqa {
            #expect(AnswerExtraction.answer(in: cut.in) == cut.out, "\(cut.in)")
        }
        for cut in cases.postprocess_caption {
            #expect(AnswerExtraction.caption(in: cut.in) == cut.out, "\(cut.in)")
        }
    }

    @Test("a question that nobody answered has accuracy 0")
    func nobody() {
        #expect(VQAAccuracy.accuracy(of: "yes", against: []) == 0)
    }

    @Test("a comma between digits takes all punctuation away, not only the comma")
    func digitComma() {
        #expect(AnswerNormalization.removingPunctuation(from: "1,000/day") == "1000day")
    }

    @Test("a period before a digit stays")
    func period() {
        #expect(AnswerNormalization.removingPunctuation(from: "no. 3.5.") == "no 3.5")
    }
}
