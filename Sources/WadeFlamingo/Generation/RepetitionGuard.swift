//! Finds out that a text goes round in circles, from its token ids alone.

/// Sees the same n-gram come again and again without anything in between.
///
/// A loop is a run of tokens in which each equals the one `period` before it, with at least `minimumTokens` tokens and at least
/// four copies of the n-gram (three, when it has eight tokens or more). So much stays untouched that people do write: "no no no",
/// "ha ha ha ha ha", a number with ten zeros, "left, right, left, right, left, right", a phrase that is said three times. A
/// sentence of eight tokens that comes three times in a row, word for word, says nothing that it did not say at first.
/// A loop is seen at most `longestLoop` tokens after it began.
package struct RepetitionGuard: Codable, Sendable, Equatable {
    /// Longest n-gram that is looked for, in tokens.
    package var longestPeriod: Int
    /// Fewest tokens of a loop, its first copy included.
    package var minimumTokens: Int

    /// A guard against n-grams of up to 16 tokens, about the length of a sentence, in loops of at least 12 tokens.
    package init(longestPeriod: Int = 16, minimumTokens: Int = 12) {
        self.longestPeriod = longestPeriod
        self.minimumTokens = minimumTokens
    }

    /// A run of copies of one n-gram.
    package struct Loop: Sendable, Equatable {
        /// Where the first copy begins.
        package let start: Int
        /// The n-gram's length.
        package let period: Int
        /// Tokens up to the end of the first copy: what was said before the text began to repeat itself.
        package var keptCount: Int { start + period }
    }

    /// Tokens of a run of `period` that make a loop.
    package func length(ofPeriod period: Int) -> Int {
        max(minimumTokens, period * (period < 8 ? 4 : 3))
    }

    /// The most tokens that a loop can have when it is seen.
    package var longestLoop: Int {
        (1...max(1, longestPeriod)).map(length(ofPeriod:)).max() ?? 0
    }

    /// The loop that `ids` end in, that of the shortest n-gram; nil when they end in none.
    package func loop(atEndOf ids: [Int]) -> Loop? {
        guard longestPeriod > 0 else { return nil }
        for period in 1...longestPeriod where ids.count >= length(ofPeriod: period) {
            var start = ids.count - period
            while start > 0, ids[start - 1] == ids[start - 1 + period] { start -= 1 }
            if ids.count - start >= length(ofPeriod: period) {
                return Loop(start: start, period: period)
            }
        }
        return nil
    }

    /// The first loop that is complete anywhere in `ids`, as it would be seen when they came one by one.
    package func firstLoop(in ids: [Int]) -> Loop? {
        for count in ids.indices.map({ $0 + 1 }) {
            if let loop = loop(atEndOf: Array(ids.prefix(count))) { return loop }
        }
        return nil
    }

    /// Throws `FlamingoError.request` when the bounds make no sense.
    func validate() throws {
        guard (1...1024).contains(longestPeriod), (2...1_000_000).contains(minimumTokens) else {
            throw FlamingoError.request(
                found: "loops of \(longestPeriod) tokens and \(minimumTokens) in all",
                expected: "1 to 1024, and 2 to 1000000 in all")
        }
    }
}
