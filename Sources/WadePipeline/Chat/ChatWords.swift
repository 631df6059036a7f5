//! The words of a dialogue's turns as the ids that the model reads.
import WadeFlamingo
import WadeTokenizer

/// Questions in the form of a task's prompts, behind the demonstrations and behind each other.
struct ChatWords: Sendable {
    private let template: PromptTemplate
    private let tokenizer: Tokenizer
    /// Whether a clip is shown again only when the clip changes: Otter's dialogues show it once.
    private let showsOnce: Bool
    private let beginning: [Int]
    private let baseText: String
    /// The demonstrations' ids.
    let baseIDs: [Int]

    /// The words of `template` for a model of `configuration`, behind demonstrations with the words `text` and the ids `ids`.
    init(
        _ template: PromptTemplate, _ tokenizer: Tokenizer, _ configuration: FlamingoConfiguration,
        behind text: String, _ ids: [Int]
    ) {
        self.template = template
        self.tokenizer = tokenizer
        showsOnce = configuration.family == .otter
        beginning = [configuration.tokens.beginningOfText].compactMap { $0 }
        baseText = text
        baseIDs = ids
    }

    /// Whether a question has a place for its clip.
    var haveImage: Bool { template.text.contains(PromptTemplate.imageToken) }

    /// What stands behind an answer.
    var tail: String {
        let whole = template.demonstration(question: "", answer: "", hasClip: true)
        return String(whole.dropFirst(template.query(question: "").count))
    }

    /// Whether a question about clip number `clip` shows it, when the one before was about number `last`.
    func showsClip(_ clip: Int, after last: Int?) -> Bool { !showsOnce || clip != last }

    /// The ids of `question`, which `shows` its clip, behind `tail`; behind the demonstrations when that is nil.
    func ids(of question: String, _ shows: Bool, behind tail: String?) -> [Int] {
        var text = template.query(question: question)
        if !shows { text = PromptTemplate.split(text, at: PromptTemplate.imageToken).joined() }
        guard let tail else { return idsAfterBase(text) }
        return tokenizer.encode(tail + text, applyingTemplate: false)
    }

    /// The ids of `text` behind the demonstrations, whose last token may melt into it.
    private func idsAfterBase(_ text: String) -> [Int] {
        let whole = beginning + tokenizer.encode(baseText + text, applyingTemplate: false)
        guard whole.starts(with: baseIDs), whole.count > baseIDs.count else {
            return tokenizer.encode(text, applyingTemplate: false)
        }
        return Array(whole[baseIDs.count...])
    }
}
