//! A clip with one prompt and its answer, as tokens.
internal import WadePipeline
internal import WadeTokenizer

/// A pair of an interleaved sequence.
struct Lesson: Sendable, Equatable {
    /// What the answer is about.
    let clip: ClipContent
    /// Pairs of one task stand in one sequence.
    let task: String
    /// The ids up to the answer, with one `<image>`.
    let prompt: [Int]
    /// The ids of the answer with the token that ends it: what is learned.
    let answer: [Int]
    /// What stands between the answer and the next pair.
    let rest: [Int]

    init(
        _ pair: CaptionedClip.Pair, about clip: ClipContent, _ tokenizer: Tokenizer,
        endOfChunk: Int
    ) {
        self.clip = clip
        task = pair.task
        prompt = tokenizer.encode(pair.prompt, applyingTemplate: false)
        let whole = tokenizer.encode(pair.prompt + pair.answer, applyingTemplate: false)
        // Where the prompt's last token would melt into the answer, it stays as it is when the model is asked.
        let answer =
            whole.starts(with: prompt)
            ? Array(whole.dropFirst(prompt.count))
            : tokenizer.encode(pair.answer, applyingTemplate: false)
        let end = answer.firstIndex(of: endOfChunk).map { $0 + 1 } ?? answer.count
        self.answer = Array(answer[..<end])
        rest = Array(answer[end...])
    }
}

extension TrainingDocument {
    /// Pairs one after the other behind the token that begins every text; of all of them, or of the last one alone, the answers
    /// are learned. The clips are the pairs' own, in their order.
    init(_ lessons: [Lesson], image: Int, beginningOfText: Int?, onlyLast: Bool = false) {
        self.init(beginningWith: beginningOfText)
        for (place, lesson) in lessons.enumerated() {
            for id in lesson.prompt {
                if id == image {
                    append(image: id, clip: place)
                } else {
                    append([id], weight: 0)
                }
            }
            append(answer: lesson.answer, weight: onlyLast && place < lessons.count - 1 ? 0 : 1)
            append(lesson.rest, weight: 0)
        }
    }
}
