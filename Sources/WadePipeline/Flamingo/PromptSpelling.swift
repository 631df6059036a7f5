//! How a family of models spells what a pipeline says: which tokens stand around pictures, and what a turn looks like.
import WadeFlamingo
import WadeTokenizer

/// Turns prompts into ids as the original of a model does.
///
/// Note [One clip, many pictures]: IDEFICS' media are single pictures, so a clip takes as many `<image>` tokens as it has frames, with
/// `<fake_token_around_image>` between them and around them all. How many the query's clip has is known only when its turn
/// comes; in the query it is one picture until then.
struct PromptSpelling: Sendable {
    private let tokenizer: Tokenizer
    /// Placed first in every prompt.
    private let beginning: [Int]
    /// What a clip's pictures are repeated by; nil for a family whose clips are one `<image>` each.
    let pictures: PictureTokens?
    /// Visual tokens of one media.
    private let latents: Int

    init(_ configuration: FlamingoConfiguration, _ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
        beginning = [configuration.tokens.beginningOfText].compactMap { $0 }
        latents = configuration.resampler.latents
        pictures =
            configuration.family == .idefics
            ? tokenizer.id(of: IDEFICSPrompt.fakeToken).map {
                PictureTokens(image: configuration.tokens.image, fake: $0)
            } : nil
    }

    /// The ids of a prompt's `text` from its beginning; `rows` are the visual tokens of its clips, in the order of its `<image>` marks. A
    /// clip beyond them counts as one picture.
    func ids(_ text: String, rows: [Int]) -> [Int] {
        guard let pictures else {
            return beginning + tokenizer.encode(text, applyingTemplate: false)
        }
        let spelled = IDEFICSPrompt(marked: text).spelled(endsUtterances: false)
        let ids = beginning + tokenizer.encode(spelled, applyingTemplate: false)
        return pictures.repeated(in: ids, rows.map { $0 / latents })
    }
}

/// IDEFICS' ids for pictures.
struct PictureTokens: Sendable {
    let image: Int
    /// `<fake_token_around_image>`
    let fake: Int

    /// `ids` with each of its pictures as often as `counts` says, in their order; what is not counted stays as it is.
    func repeated(in ids: [Int], _ counts: [Int]) -> [Int] {
        var counts = counts.makeIterator()
        return ids.flatMap { id -> [Int] in
            guard id == image, let count = counts.next(), count > 1 else { return [id] }
            return [image] + (1..<count).flatMap { _ in [fake, image] }
        }
    }
}

extension IDEFICSPrompt {
    /// What `text` says with `<image>` marks for pictures.
    init(marked text: String) {
        var items: [Item] = []
        for (place, words) in PromptTemplate.split(text, at: Self.image).enumerated() {
            if place > 0 { items.append(.image) }
            if !words.isEmpty { items.append(.text(words)) }
        }
        self.init(items)
    }
}

extension Pipeline {
    /// The pipeline in the words of a model's family, as far as it leaves them to Wade: templates that it does not give, the token that ends
    /// an example, what ends an answer.
    ///
    /// IDEFICS' instruct models are asked in their card's dialogue; the base models in the form of the Flamingo paper, one example a
    /// line, since the one that their own evaluation used is not published.
    func spelled(for configuration: FlamingoConfiguration) -> Pipeline {
        guard configuration.family == .idefics else { return self }
        let talks = configuration.tokens.endOfChunk != configuration.tokens.endOfText
        let end = talks ? IDEFICSPrompt.endOfUtterance : ""
        var spelled = self
        spelled.tasks = tasks.map { task in
            var task = task
            let hasQuestion = !task.question.isEmpty && task.type != .caption
            let isStandard =
                task.template == .standard(for: task.type, hasQuestion: !task.question.isEmpty)
            let text =
                isStandard
                ? Self.ideficsTemplate(asks: hasQuestion, talks: talks)
                : PromptTemplate.split(task.template.text, at: PromptTemplate.endOfChunkToken)
                    .joined(separator: end)
            task.template = PromptTemplate(text) ?? task.template
            return task
        }
        if !talks, decoding.stop.isEmpty { spelled.decoding.stop = ["\n"] }
        return spelled
    }

    private static func ideficsTemplate(asks: Bool, talks: Bool) -> String {
        guard talks else {
            return asks
                ? "<image>Question: {question} Answer: {answer}\n" : "<image>Output: {answer}\n"
        }
        let question = asks ? "{question}" : "Describe the clip in one sentence."
        let end = IDEFICSPrompt.endOfUtterance
        return "User:<image>\(question)\(end)\nAssistant: {answer}\(end)\n"
    }
}
