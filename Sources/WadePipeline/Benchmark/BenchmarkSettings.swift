//! What a benchmark measures.
package import WadeFlamingo
package import WadeTensor

/// A model, how it computes, and the work that it is given.
package struct BenchmarkSettings: Sendable {
    /// Whose speed is measured.
    package enum Subject: Sendable, Equatable {
        /// A model bundle's name or folder.
        case model(String)
        /// Random weights of a published model's sizes.
        case shape(PublishedShape)
    }

    package var subject: Subject
    package var precision: Precision
    /// Demonstrations in front of every question.
    package var shots = 4
    /// Answers that are generated at once, and clips of every worker that the end-to-end figure is over.
    package var batch = 8
    /// New tokens of every answer.
    package var tokens = 20
    /// Threads that work at the same time, as those of a run.
    package var workers: Int
    /// Threads that every product of a worker may use.
    package var threads = 1
    /// Seconds that are spent on each measurement, as far as it can be had in pieces.
    package var seconds = 0.5

    /// Frames of a clip, as pipelines take them by default.
    static let frames = 8
    /// Tokens of a demonstration, its `<image>` and its end included: an average caption.
    static let demonstrationTokens = 16
    /// Tokens of a question: `<image>` and two more.
    static let questionTokens = 3

    /// The default work for `subject`, by as many workers as there are cores.
    package init(subject: Subject, precision: Precision) {
        self.subject = subject
        self.precision = precision
        workers = RunSettings.coreCount
    }
}
