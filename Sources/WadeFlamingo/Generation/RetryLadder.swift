//! What is tried, one after the other, when an answer degenerates; the same for the same clip whenever and wherever it is asked.

/// The decoding of every attempt at one answer.
///
/// 1. What was asked for.
/// 2. The same strategy, but no four tokens of the answer come twice in it, so that no loop can form.
/// 3. and on: drawn at random at temperature 0.2, 0.4, ..., 1 (whisper's steps), under the same constraint.
package struct RetryLadder: Sendable {
    /// Attempts that a ladder can have: two, and five temperatures.
    package static let longest = 7
    /// Four tokens: fewer would forbid what good sentences repeat, such as "a man in a"; any loop of a `RepetitionGuard` has more.
    static let repeatedNGram = 4

    private let first: DecodingOptions
    private let seed: UInt64

    /// The ladder that begins with `first`. `seed` belongs to the clip; the attempts' own seeds are made of it.
    package init(_ first: DecodingOptions, seed: UInt64) {
        self.first = first
        self.seed = seed
    }

    /// The decoding of attempt number `position`, counted from 1.
    package func options(ofAttempt position: Int) -> DecodingOptions {
        guard position > 1 else { return first }
        var options = first
        options.noRepeatNGramInAnswer = Self.repeatedNGram
        if position > 2 {
            var topP = 1.0
            if case .sampling(_, _, let asked, _) = first.strategy { topP = asked }
            var random = SplitMix64(seed: seed &+ UInt64(position))
            options.strategy = .sampling(
                temperature: 0.2 * Double(min(position, Self.longest) - 2), topK: 0, topP: topP,
                seed: random.next())
        }
        return options
    }
}
