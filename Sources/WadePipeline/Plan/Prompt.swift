//! The words that the language model reads, and what is kept of the words that it writes.
import Foundation

/// The prompt of one task: demonstrations, then the query.
package struct Prompt: Sendable, Equatable {
    /// The demonstrations' text, the same for every clip: its keys and values are computed once per run.
    package var prefix: String
    /// The demonstrations' clips, in the order of the `<image>` tokens in `prefix`.
    package var clips: [PathBytes]
    /// The query's text up to the answer, with one `<image>` for the clip unless the template has none.
    package var query: String

    /// The prompt that `pipeline` makes for `task`.
    package init(_ pipeline: Pipeline, task: AnnotationTask) {
        prefix = ""
        clips = []
        for demonstration in pipeline.demonstrations(for: task) {
            guard let answer = demonstration.answers[task.id] else { continue }
            prefix += task.template.demonstration(
                question: demonstration.questions[task.id] ?? task.question, answer: answer,
                hasClip: demonstration.clip != nil)
            if let clip = demonstration.clip { clips.append(clip) }
        }
        query = task.template.query(question: task.question)
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
