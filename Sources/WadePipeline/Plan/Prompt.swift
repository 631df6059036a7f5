//! The words that the language model reads, and what is kept of the words that it writes.
import Foundation

/// The prompt of one task: demonstrations, then the query.
package struct Prompt: Sendable, Equatable {
    /// The demonstrations' texts.
    package var parts: [String]
    /// The demonstrations' clips, in the order of the `<image>` tokens in `parts`.
    package var clips: [PathBytes]
    /// The query's text up to the answer, with one `<image>` for the clip unless the template has none.
    package var query: String

    /// All demonstrations' text, the same for every clip that is asked about behind them: its keys and values are computed once.
    package var prefix: String { parts.joined() }

    /// The prompt that `pipeline` makes for `task`.
    package init(_ pipeline: Pipeline, task: AnnotationTask) {
        self.init(pipeline.demonstrations(for: task), task: task)
    }

    /// The prompt of `task` behind `demonstrations`, of which those without an answer to it are left out; it asks `question` where that
    /// is not the task's own.
    init(_ demonstrations: [Demonstration], task: AnnotationTask, question: String? = nil) {
        parts = []
        clips = []
        for demonstration in demonstrations {
            guard let answer = demonstration.answers[task.id] else { continue }
            parts.append(
                task.template.demonstration(
                    question: demonstration.questions[task.id] ?? task.question, answer: answer,
                    hasClip: demonstration.clip != nil))
            if let clip = demonstration.clip { clips.append(clip) }
        }
        query = task.template.query(question: question ?? task.question)
    }

    /// The answer in what the model wrote, after OpenFlamingo's evaluation, without space around it; a choice stays as it is.
    package static func answer(in raw: String, task: AnnotationRecord.TaskType) -> String {
        switch task {
        case .caption:
            AnswerExtraction.caption(in: raw).trimmingCharacters(in: .whitespacesAndNewlines)
        case .vqa:
            AnswerExtraction.answer(in: raw).trimmingCharacters(in: .whitespacesAndNewlines)
        case .classify: raw
        }
    }
}

extension AnnotationTask {
    /// The answer to this task in what the model wrote: a record's `output.text`. What has a form has nothing behind it.
    package func answer(in raw: String) -> String {
        guard format == nil else { return raw.trimmingCharacters(in: .whitespacesAndNewlines) }
        return Prompt.answer(in: raw, task: type)
    }

    /// Whether two answers say the same: as JSON where that is what they are, else word for word.
    func isSame(_ one: String, _ other: String) -> Bool {
        if let json = format?.json(one), !json.isEmpty { return json == format?.json(other) }
        return AnswerComparison.isSame(one, other)
    }
}
