//! Examples that stand before the query in the prompt.

/// A clip with its expected answers, or, without a clip, answers alone.
package struct Demonstration: Sendable, Equatable {
    /// The id that records carry.
    package var id: String
    /// The clip's file; nil for a text-only demonstration.
    package var clip: PathBytes?
    /// The answer to each task, by task id.
    package var answers: [String: String]
    /// The question where it differs from the task's, by task id.
    package var questions: [String: String]

    /// A demonstration.
    package init(
        id: String, clip: PathBytes?, answers: [String: String], questions: [String: String] = [:]
    ) {
        self.id = id
        self.clip = clip
        self.answers = answers
        self.questions = questions
    }
}
