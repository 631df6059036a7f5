//! How answers are drawn from the language model.

/// The strategy and limits of generation.
package struct Decoding: Sendable, Equatable {
    /// How the next token is chosen.
    package enum Strategy: Sendable, Equatable {
        /// The most probable one.
        case greedy
        /// The best sequence of several kept at once.
        case beam(width: Int)
        /// Drawn at `temperature` from the smallest set that holds `topP` of the probability.
        case sample(temperature: Double, topP: Double, seed: UInt64)
    }

    /// How the next token is chosen.
    package var strategy = Strategy.greedy
    /// Beam scores are divided by length to this power; OpenFlamingo's evaluation uses 0.
    package var lengthPenalty = 0.0
    /// Texts that end an answer; they are not part of it.
    package var stop: [String] = []
    /// What an answer must pass, or be tried again; nil takes whatever the model writes.
    package var `guard`: AnswerGuard? = AnswerGuard()

    /// Greedy, without stop texts, guarded.
    package init() {}
}
