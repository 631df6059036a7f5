//! One task's prompt as token ids, cut where the clip comes in: what stands before is the same for every clip.

internal import WadeFlamingo
internal import WadeTokenizer

/// A task's prompt in tokens. The demonstrations' part is run through the language model once per run; a text position
/// sees only the last media before it, so that this part's state is the same for every clip.
struct PromptPlan {
    /// The ids before the query's own `<image>`; they may be empty.
    let prefix: [Int]
    /// The ids from the query's `<image>` on, at least one.
    let query: [Int]
    /// The number of media that `prefix` refers to.
    let demonstrationClips: Int

    /// Tokenises the whole prompt as one text, so that no token is cut differently than in the original, then splits it.
    init(_ prompt: Prompt, tokenizer: Tokenizer, tokens: SpecialTokens) throws {
        let ids = tokenizer.encode(prompt.prefix + prompt.query, applyingTemplate: true)
        guard !ids.isEmpty else {
            throw FlamingoError.request(found: "an empty prompt", expected: "at least one token")
        }
        demonstrationClips = prompt.clips.count
        let media = ids.indices.filter { ids[$0] == tokens.image }
        // A template without <image> asks blindly: everything but the last token can be shared.
        let split = media.count > prompt.clips.count ? media[prompt.clips.count] : ids.count - 1
        prefix = Array(ids[..<split])
        query = Array(ids[split...])
    }
}
