//! What a generated answer must pass: no loop, no text that compresses too well, no text that the model itself finds improbable.
package import WadeFlamingo

/// The tests of an answer and how often it is tried; whatever is nil is not tested. Choices are not generated, so never tested.
package struct AnswerGuard: Sendable, Equatable {
    /// The members that a pipeline's `guard` may have.
    static let names = ["loop", "compression_ratio", "mean_logprob", "attempts"]
    /// Most attempts at one answer.
    static let mostAttempts = RetryLadder.longest

    /// Ends generation in an n-gram loop, token by token.
    package var repetition: RepetitionGuard? = RepetitionGuard()
    /// No window of `CompressionRatio.window` bytes at the end of the answer may have more than this ratio; whisper's threshold.
    package var compressionRatio: Double? = 2.4
    /// The mean log-probability of an answer's tokens must not be below this. Off unless asked for: whisper's -1.0 belongs to its
    /// own model, and an answer of one word at -2 may well be right.
    package var meanLogProbability: Double?
    /// Attempts at an answer, the first included; each costs at most as much as the first.
    package var attempts = 4

    /// Loops and compression, four attempts.
    package init() {}
}
