//! How right a short answer is when several people were asked: the accuracy of the VQA challenge.

/// An answer is right when three people gave it; each person is left out once and the results are averaged.
package enum VQAAccuracy {
    /// The accuracy from 0 to 1 of `prediction` against what people answered; 0 when nobody did.
    ///
    /// Texts are normalised only where people disagree, as in the challenge's code.
    package static func accuracy(of prediction: String, against answers: [String]) -> Double {
        guard !answers.isEmpty else { return 0 }
        var (prediction, answers) = (stripped(prediction), answers.map(stripped))
        if Set(answers).count > 1 {
            prediction = AnswerNormalization.normalized(prediction)
            answers = answers.map(AnswerNormalization.normalized)
        }
        let equal = answers.map { $0 == prediction }
        let matches = equal.reduce(0) { $0 + ($1 ? 1 : 0) }
        let scores = equal.map { min(1, Double(matches - ($0 ? 1 : 0)) / 3) }
        return scores.reduce(0, +) / Double(answers.count)
    }

    private static func stripped(_ text: String) -> String {
        let line = text.map { $0 == "\n" || $0 == "\t" ? " " : $0 }
        let inner = line.drop(while: \.isWhitespace)
        return String(inner.reversed().drop(while: \.isWhitespace).reversed())
    }
}
