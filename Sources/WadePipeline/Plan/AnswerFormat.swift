//! The form that a task wants its answer in; it is kept while the answer is written, so that every answer has it.
import WadeFlamingo

/// What an answer may be.
package enum AnswerFormat: Sendable, Equatable {
    /// One of these texts.
    case choices([String])
    /// A number.
    case number(NumberRange)
    /// JSON that fits a schema.
    case schema(AnswerSchema)

    /// `yes` or `no`.
    static let yesNo = AnswerFormat.choices(["yes", "no"])

    /// The texts to choose from; empty for other forms.
    package var choiceTexts: [String] {
        if case .choices(let choices) = self { return choices }
        return []
    }

    /// Tokens that an answer may have when the task does not say: the bound is there for endless answers, not for these.
    var defaultTokens: Int {
        if case .schema = self { return 128 }
        return 32
    }

    /// The answers' bytes. A space may come first, as in `Answer: yes`.
    var pattern: BytePattern {
        let value: BytePattern
        switch self {
        case .choices(let choices): value = .choice(choices.map { .text($0) })
        case .number(let range): value = range.pattern
        case .schema(let schema): value = schema.pattern
        }
        return .sequence([.optional(.text(" ")), value])
    }

    /// Whether `answer`, without space around it, has this form.
    func admits(_ answer: String) -> Bool {
        switch self {
        case .choices(let choices): return choices.contains { $0.utf8.elementsEqual(answer.utf8) }
        case .number, .schema:
            guard let value = Self.json(answer) else { return false }
            if case .number(let range) = self { return range.admits(value) }
            if case .schema(let schema) = self { return schema.admits(value) }
            return false
        }
    }

    /// The one spelling of what `answer` says in JSON, members sorted; empty unless this is a schema and the answer is JSON.
    func json(_ answer: String) -> String {
        guard case .schema = self, let value = Self.json(answer),
            let bytes = try? JSONWriter.bytes(of: value)
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func json(_ text: String) -> JSONValue? {
        try? JSONReader.read(Array(text.utf8))
    }

    /// What a recipe says about it.
    var description: JSONValue {
        switch self {
        case .choices(let choices): ["choices": .strings(choices)]
        case .number(let range): ["number": range.description]
        case .schema(let schema): ["schema": schema.description]
        }
    }
}
