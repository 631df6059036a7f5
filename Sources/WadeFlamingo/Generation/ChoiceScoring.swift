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

/// Answers that are given, and the prompt that they are scored behind.
package struct GivenAnswers: Sendable {
    /// The answers' ids, at least one each.
    package let choices: [[Int]]
    package let prompt: UnreadPrompt

    package init(_ choices: [[Int]], after prompt: [Int], behind sequence: TextSequence) {
        self.choices = choices
        self.prompt = UnreadPrompt(prompt, behind: sequence)
    }

    fileprivate func check(_ model: Flamingo) throws {
        guard choices.allSatisfy({ !$0.isEmpty }) else {
            throw FlamingoError.request(
                found: "an empty choice", expected: "at least one token each")
        }
        try prompt.check(model)
        for choice in choices { try model.requireTokens(choice) }
    }
}

extension Generator {
    /// Choices and tokens of them that are read in one pass: each choice has a copy of its prompt's keys and values, without those of
    /// a shared prefix, and each token a row of logits.
    private static let atOnce = (choices: 32, tokens: 256)

    /// Reads `prompt` behind `sequence` once and scores every choice behind it; each choice needs at least one token.
    package func scores(
        of choices: [[Int]], after prompt: [Int], behind sequence: TextSequence
    ) throws -> [ChoiceScore] {
        try scores(of: [GivenAnswers(choices, after: prompt, behind: sequence)])[0].get()
    }

    /// Scores the choices of several prompts, all prompts in one pass and the choices in as few as there is room for; what one prompt's
    /// scores are does not depend on the others, and a prompt that cannot be read fails alone.
    package func scores(of questions: [GivenAnswers]) -> [Result<[ChoiceScore], any Error>] {
        var results = questions.map { question in
            Result<[ChoiceScore], any Error> {
                try question.check(model)
                return []
            }
        }
        let sound = questions.indices.filter { (try? results[$0].get()) != nil }
        guard !sound.isEmpty else { return results }
        do {
            let found = try soundScores(of: sound.map { questions[$0] })
            for (index, scores) in zip(sound, found) { results[index] = .success(scores) }
        } catch {
            for index in sound { results[index] = .failure(error) }
        }
        return results
    }

    /// A choice behind the prompt that was read for it.
    private struct Branch {
        let question: Int
        let choice: Int
        /// All ids but the last, whose successor nobody asks for.
        let ids: [Int]
    }

    private func soundScores(of questions: [GivenAnswers]) throws -> [[ChoiceScore]] {
        var sequences = questions.map(\.prompt.sequence)
        let prompts = questions.map(\.prompt.ids)
        let first = lastLogits(
            try model.advance(prompts, sequences: &sequences), of: prompts)
        var scores = questions.enumerated().map { index, question in
            let log = logSoftmax(first[index].values)
            return question.choices.map { [log[$0[0]]] }
        }
        let branches = questions.enumerated().flatMap { index, question in
            question.choices.enumerated().filter { $0.element.count > 1 }.map {
                Branch(question: index, choice: $0.offset, ids: $0.element.dropLast())
            }
        }
        for part in Self.parts(of: branches) {
            var grown = part.map { sequences[$0.question] }
            let hidden = try model.advance(part.map(\.ids), sequences: &grown)
            let logits = model.language.logits(hidden, rows: .apart)
            var row = 0
            for branch in part {
                let choice = questions[branch.question].choices[branch.choice]
                scores[branch.question][branch.choice] += choice.dropFirst().enumerated().map {
                    logSoftmax(logits[row + $0].values, at: $1)
                }
                row += branch.ids.count
            }
        }
        return scores.map { $0.map(ChoiceScore.init(logProbabilities:)) }
    }

    /// The branches in passes.
    private static func parts(of branches: [Branch]) -> [[Branch]] {
        var parts: [[Branch]] = []
        var tokens = 0
        for branch in branches {
            tokens += branch.ids.count
            if let last = parts.last, last.count < atOnce.choices, tokens <= atOnce.tokens {
                parts[parts.count - 1].append(branch)
            } else {
                parts.append([branch])
                tokens = branch.ids.count
            }
        }
        return parts
    }
}
