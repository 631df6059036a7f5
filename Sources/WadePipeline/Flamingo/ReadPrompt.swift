//! Prompts that the language model has read up to the query.
import WadeFlamingo
import WadeTensor
import WadeTokenizer

/// A prompt whose demonstrations the language model has read.
struct ReadPrompt: Sendable {
    /// The state after the demonstrations.
    var sequence: TextSequence
    /// The ids that `sequence` holds.
    var earlier: [Int]
    /// The ids of the query, up to the answer.
    var query: [Int]
    /// The words of both.
    var words: (prefix: String, query: String)

    /// The state after the demonstrations for a query that sees `media`.
    func seeing(_ media: Media) -> TextSequence { sequence.continued(with: media) }

    /// The state after the demonstrations for a query whose cross-attention is closed: the words alone.
    var unseeing: TextSequence {
        var sequence = sequence.continued(with: .none)
        sequence.blind = true
        return sequence
    }
}

/// Lets the language model read prompts.
struct PromptReader: Sendable {
    private let model: Flamingo
    private let tokenizer: Tokenizer

    /// A reader for `model`.
    init(_ model: Flamingo, _ tokenizer: Tokenizer) {
        self.model = model
        self.tokenizer = tokenizer
    }

    /// Reads the demonstrations of `prompt`, whose clips' visual tokens (R, D) are given in its order.
    func read(_ prompt: Prompt, clips: [Tensor]) throws -> ReadPrompt {
        let start = [model.configuration.tokens.beginningOfText].compactMap { $0 }
        let prefix = start + tokenizer.encode(prompt.prefix, applyingTemplate: false)
        let whole = start + tokenizer.encode(prompt.prefix + prompt.query, applyingTemplate: false)
        // A template whose query does not begin with a special token may melt into the demonstrations' last token.
        let count = min(zip(prefix, whole).prefix { $0 == $1 }.count, max(whole.count - 1, 0))
        var sequence = model.sequence(media: model.media(clips))
        if count > 0 { _ = try model(Array(whole[..<count]), sequence: &sequence) }
        return ReadPrompt(
            sequence: sequence, earlier: Array(whole[..<count]), query: Array(whole[count...]),
            words: (prompt.prefix, prompt.query))
    }
}
