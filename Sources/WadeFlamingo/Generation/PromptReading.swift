//! Prompts are read: several in one pass through the weights, each as it would be alone.

internal import WadeTensor

/// A prompt that is still to be read.
package struct UnreadPrompt: Sendable {
    /// Its ids, at least one.
    package let ids: [Int]
    /// What they stand behind.
    package let sequence: TextSequence
    /// The ids that `sequence` already holds, for constraints on repetition.
    package let earlier: [Int]
    package let generatedTokens: Generator.GeneratedTokens

    package init(
        _ ids: [Int], behind sequence: TextSequence, earlier: [Int] = [],
        generatedTokens: Generator.GeneratedTokens = .seeMedia
    ) {
        self.ids = ids
        self.sequence = sequence
        self.earlier = earlier
        self.generatedTokens = generatedTokens
    }

    /// Throws `FlamingoError` when `model` cannot read it: no ids, or one outside the vocabulary.
    func check(_ model: Flamingo) throws {
        guard !ids.isEmpty else {
            throw FlamingoError.request(found: "an empty prompt", expected: "at least one token")
        }
        try model.requireTokens(ids)
    }

    /// Where its answer begins, once `sequence` holds it too and `logits` are its last token's.
    func read(_ model: Flamingo, _ sequence: TextSequence, _ logits: [Float]) -> AnswerStart {
        var sequence = sequence
        model.beginGenerating(&sequence)
        if generatedTokens == .areBlindAfterTheFirst { sequence.blind = true }
        return AnswerStart(text: earlier + ids, sequence: sequence, logits: logits)
    }
}

/// A prompt that was read up to where its answer begins.
package struct AnswerStart: Sendable {
    /// The ids so far.
    let text: [Int]
    /// What the model has seen.
    let sequence: TextSequence
    /// The logits of the first new token.
    let logits: [Float]
}

extension Generator {
    /// Reads `prompt` behind `sequence`, so that answers can begin; several may begin at the same place.
    package func read(
        _ prompt: [Int], behind sequence: TextSequence, earlier: [Int] = [],
        generatedTokens: GeneratedTokens = .seeMedia
    ) throws -> AnswerStart {
        let unread = UnreadPrompt(
            prompt, behind: sequence, earlier: earlier, generatedTokens: generatedTokens)
        try unread.check(model)
        var sequences = [sequence]
        let hidden = try model.advance([prompt], sequences: &sequences)
        return unread.read(model, sequences[0], lastLogits(hidden, of: [prompt])[0].values)
    }

    /// The logits (B, vocabulary) of each text's last token, from the hidden states (T, D) of all `texts`.
    func lastLogits(_ hidden: Tensor, of texts: [[Int]]) -> Tensor {
        var end = 0
        let last = texts.map { text in
            end += text.count
            return end - 1
        }
        return model.language.logits(hidden.gathered(last), rows: .apart)
    }
}
