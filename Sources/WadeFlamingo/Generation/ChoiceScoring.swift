//! The likelihood of given answers: rank classification.

internal import WadeTensor

/// How likely a given continuation is.
package struct ChoiceScore: Sendable, Equatable {
    /// The log-probability of each of its tokens.
    package let logProbabilities: [Float]
    /// Their sum.
    package var sum: Double { logProbabilities.reduce(0) { $0 + Double($1) } }
    /// Their mean, which does not favour short choices.
    package var mean: Double { sum / Double(max(logProbabilities.count, 1)) }
}

extension Generator {
    /// Reads `prompt` behind `sequence` once and scores every choice behind it; each choice needs at least one token.
    package func scores(
        of choices: [[Int]], after prompt: [Int], behind sequence: TextSequence
    ) throws -> [ChoiceScore] {
        guard !prompt.isEmpty, choices.allSatisfy({ !$0.isEmpty }) else {
            throw FlamingoError.request(
                found: "an empty prompt or choice", expected: "at least one token each")
        }
        let size = model.language.vocabularySize
        for id in choices.joined() where id < 0 || id >= size {
            throw FlamingoError.tokenOutOfRange(id: id, vocabularySize: size)
        }
        var prompted = sequence
        let hidden = try model(prompt, sequence: &prompted)
        let last = hidden[hidden.rows - 1..<hidden.rows]
        return try choices.map { choice in
            var branch = prompted
            var rows = last
            if choice.count > 1 {
                rows = Tensor.concatenated([
                    last, try model(Array(choice.dropLast()), sequence: &branch),
                ])
            }
            let logits = model.language.logits(rows)
            return ChoiceScore(
                logProbabilities: choice.enumerated().map { place, id in
                    logSoftmax(logits[place].values)[id]
                })
        }
    }
}
