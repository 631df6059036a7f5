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
    /// The ids of the query, up to the answer, for a clip that is one media.
    var query: [Int]
    /// The words of both, and how many visual tokens each of the earlier clips has.
    var words: (prefix: String, query: String, rows: [Int])
    /// How a clip that is several stands in it.
    var pictures: PictureTokens?

    /// The ids of the query about a clip of `media`, up to the answer.
    func query(about media: Media) -> [Int] {
        pictures?.repeated(in: query, [media.count]) ?? query
    }

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
    private let spelling: PromptSpelling

    /// A reader for `model`.
    init(_ model: Flamingo, _ tokenizer: Tokenizer) {
        self.model = model
        spelling = PromptSpelling(model.configuration, tokenizer)
    }

    /// Reads the demonstrations of `prompt`, whose clips' visual tokens (R, D) are given in its order.
    func read(_ prompt: Prompt, clips: [Tensor]) throws -> ReadPrompt {
        let prefix = spelling.ids(prompt.prefix, rows: clips.map(\.rows))
        let whole = spelling.ids(prompt.prefix + prompt.query, rows: clips.map(\.rows))
        // A template whose query does not begin with a special token may melt into the demonstrations' last token.
        let count = min(zip(prefix, whole).prefix { $0 == $1 }.count, max(whole.count - 1, 0))
        var sequence = model.sequence(media: model.media(clips))
        if count > 0 { _ = try model(Array(whole[..<count]), sequence: &sequence) }
        return ReadPrompt(
            sequence: sequence, earlier: Array(whole[..<count]), query: Array(whole[count...]),
            words: (prompt.prefix, prompt.query, clips.map(\.rows)), pictures: spelling.pictures)
    }
}
