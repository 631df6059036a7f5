//! One question that a pipeline asks about every clip.

/// A task: what is asked, in which words, and how long the answer may be.
package struct AnnotationTask: Sendable, Equatable {
    /// The id that records carry.
    package var id: String
    /// The kind of answer.
    package var type: AnnotationRecord.TaskType
    /// The question; empty when there is none.
    package var question: String
    /// The question's integer id for VQA scorers; -1 if none.
    package var questionID: Int
    /// The answers to choose from; empty unless the task classifies.
    package var choices: [String]
    /// The words of the prompt.
    package var template: PromptTemplate
    /// Most tokens that are generated.
    package var maxNewTokens: Int
    /// The form that the answer is kept in while it is written; nil for free words.
    package var format: AnswerFormat?

    /// A task with the defaults of OpenFlamingo's evaluation: its templates, 20 tokens for captions and 5 for answers.
    package init(
        id: String, type: AnnotationRecord.TaskType, question: String = "", questionID: Int = -1,
        choices: [String] = [], template: PromptTemplate? = nil, maxNewTokens: Int? = nil,
        format: AnswerFormat? = nil
    ) {
        self.id = id
        self.type = type
        self.question = question
        self.questionID = questionID
        self.choices = choices
        self.template = template ?? .standard(for: type, hasQuestion: !question.isEmpty)
        self.maxNewTokens =
            maxNewTokens ?? format?.defaultTokens ?? (type == .caption ? 20 : 5)
        self.format = format
    }

    /// The answers to choose from, whether they are scored or written: a record's `task.choices`.
    package var answerChoices: [String] {
        choices.isEmpty ? format?.choiceTexts ?? [] : choices
    }
}

/// The words around an example: `<image>` stands for the clip, `{question}` and `{answer}` are filled in.
package struct PromptTemplate: Sendable, Equatable {
    /// The token that stands for a clip.
    package static let imageToken = "<image>"
    /// The token that ends an example.
    package static let endOfChunkToken = "<|endofchunk|>"
    private static let answerMark = "{answer}"
    private static let questionMark = "{question}"

    /// The words as the pipeline spells them.
    package let text: String
    private let head: String
    private let tail: String

    /// The template that `text` spells; nil unless it has `{answer}` once and `<image>` at most once, before it.
    package init?(_ text: String) {
        let parts = Self.split(text, at: Self.answerMark)
        guard parts.count == 2, Self.split(parts[0], at: Self.imageToken).count <= 2,
            Self.split(parts[1], at: Self.imageToken).count == 1
        else { return nil }
        self.init(text: text, head: parts[0], tail: parts[1])
    }

    private init(text: String, head: String, tail: String) {
        self.text = text
        self.head = head
        self.tail = tail
    }

    /// OpenFlamingo's templates (`eval/models`, `eval/classification_utils`): captions and answers are followed by a line end
    /// between demonstrations, class names are not.
    package static func standard(
        for type: AnnotationRecord.TaskType, hasQuestion: Bool
    ) -> PromptTemplate {
        let asks = hasQuestion && type != .caption
        let head = asks ? "<image>Question:{question} Short answer:" : "<image>Output:"
        let tail = endOfChunkToken + (type == .classify ? "" : "\n")
        return PromptTemplate(text: head + answerMark + tail, head: head, tail: tail)
    }

    /// Whether there is an `<image>`.
    var showsClip: Bool { Self.split(head, at: Self.imageToken).count == 2 }

    /// A demonstration; without a clip its `<image>` is left out, which is OpenFlamingo's zero-shot prompt.
    package func demonstration(question: String, answer: String, hasClip: Bool) -> String {
        let filled = query(question: question) + answer + tail
        guard !hasClip else { return filled }
        return Self.split(filled, at: Self.imageToken).joined()
    }

    /// The words up to the answer.
    package func query(question: String) -> String {
        Self.split(head, at: Self.questionMark).joined(separator: question)
    }

    /// An answer that another program may have written, without the tokens that would show a clip or end an example.
    static func plain(_ answer: String) -> String {
        [imageToken, endOfChunkToken].reduce(answer) { text, token in
            split(text, at: token).joined(separator: " ")
        }
    }

    /// The parts of `text` between the places where `mark` stands.
    static func split(_ text: String, at mark: String) -> [String] {
        text.split(separator: mark, omittingEmptySubsequences: false).map(String.init)
    }
}
