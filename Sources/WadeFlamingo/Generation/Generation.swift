//! What can be asked of the language model and what comes back.

/// How the next tokens are chosen.
package enum DecodingStrategy: Codable, Sendable, Equatable {
    /// The best token at every step; of equals the lowest id.
    case greedy
    /// The best of several hypotheses. Scores are the sum of log-probabilities divided by
    /// (length, prompt included) ^ `lengthPenalty`, as the OpenFlamingo and Otter evaluations had it (transformers 4.33).
    case beam(count: Int, lengthPenalty: Double)
    /// Drawn at random from the distribution sharpened by `temperature` (above 0) and cut to the `topK` best tokens (0: all)
    /// and to the smallest set of probability `topP` (1: all). The same seed draws the same tokens.
    case sampling(temperature: Double, topK: Int, topP: Double, seed: UInt64)
}

/// The bounds of one answer.
package struct DecodingOptions: Codable, Sendable, Equatable {
    package var strategy: DecodingStrategy
    /// At most this many new tokens.
    package var maximumTokens: Int
    /// Tokens that end the answer; the one met is kept as the last token.
    package var endTokens: Set<Int>
    /// Token sequences that may not be completed; a single token may never be chosen.
    package var forbidden: [[Int]]
    /// No n-gram of this length may come twice, the prompt included; 0 switches it off.
    package var noRepeatNGram: Int
    /// The same for the answer alone, whatever the prompt says.
    package var noRepeatNGramInAnswer = 0
    /// Ends an answer that goes round in circles; nil lets it go on, as the originals do.
    package var repetition: RepetitionGuard?

    package init(
        strategy: DecodingStrategy = .greedy, maximumTokens: Int, endTokens: Set<Int>,
        forbidden: [[Int]] = [], noRepeatNGram: Int = 0, repetition: RepetitionGuard? = nil
    ) {
        self.repetition = repetition
        self.strategy = strategy
        self.maximumTokens = maximumTokens
        self.endTokens = endTokens
        self.forbidden = forbidden
        self.noRepeatNGram = noRepeatNGram
    }

    /// Throws `FlamingoError.request` when no answer can satisfy the options.
    package func validate() throws {
        try check(maximumTokens >= 0, "max_new_tokens", maximumTokens, "0 or more")
        let ids = forbidden.joined()
        try check(ids.allSatisfy { $0 >= 0 }, "bad words", ids.min() ?? 0, "ids of 0 or more")
        for size in [noRepeatNGram, noRepeatNGramInAnswer] {
            try check(size >= 0, "no_repeat_ngram_size", size, "0 or more")
        }
        try repetition?.validate()
        switch strategy {
        case .greedy: break
        case .beam(let count, let penalty):
            try check(count >= 1 && count <= 1024, "num_beams", count, "1 to 1024")
            try check(penalty.isFinite, "length_penalty", penalty, "a finite number")
        case .sampling(let temperature, let topK, let topP, _):
            try check(
                temperature.isFinite && temperature > 0, "temperature", temperature, "above 0")
            try check(topK >= 0, "top_k", topK, "0 or more")
            try check(topP > 0 && topP <= 1, "top_p", topP, "above 0, at most 1")
        }
    }

    private func check(_ holds: Bool, _ name: String, _ found: some Any, _ expected: String) throws
    {
        guard !holds else { return }
        throw FlamingoError.request(found: "\(name) \(found)", expected: expected)
    }
}

/// An answer as token ids.
package struct Generated: Sendable, Equatable {
    /// The new tokens; an end token is the last one when it was met.
    package var ids: [Int]
    /// The model's log-probability of each of them, before any constraint.
    package var logProbabilities: [Float]
    /// Why it ended.
    package var finish: Finish
    /// The hypothesis' score, for beam search.
    package var score: Double?
    /// The loop that the answer ends in, when it ended by repetition.
    package var loop: RepetitionGuard.Loop?

    /// Why an answer ended.
    package enum Finish: String, Codable, Sendable {
        /// An end token.
        case endToken
        /// The caller wanted no more, such as at a stop string.
        case stopped
        /// The bound on new tokens.
        case length
        /// It went round in circles; the answer then ends with the first copies of what it repeats.
        case repetition
    }

    /// The answer with `count` tokens only.
    package func cut(to count: Int) -> Generated {
        var cut = self
        cut.ids = Array(ids.prefix(count))
        cut.logProbabilities = Array(logProbabilities.prefix(count))
        return cut
    }
}

/// Which tokens may not come next.
struct TokenConstraints {
    let options: DecodingOptions
    var grammar: TokenGrammar?

    /// Puts -∞ in the place of the scores of tokens that may not follow `ids`: the prompt, and what was generated from `answerStart`
    /// on, which brought the answer to `place` in its grammar and has `remaining` tokens left.
    func restrict(
        _ scores: inout [Float], after ids: [Int], answerStart: Int, place: TokenGrammar.Place,
        remaining: Int
    ) {
        let banned = banned(after: ids, answerStart: answerStart)
        guard let grammar else {
            for id in banned where id < scores.count { scores[id] = -.infinity }
            return
        }
        grammar.restrict(
            &scores, at: place, remaining: remaining, endTokens: options.endTokens, banned: banned)
    }

    /// Where the answer stands in its grammar after token `id`; throws `request` when the token may not come, which happens only to
    /// a model whose logits are no numbers.
    func advance(_ place: TokenGrammar.Place, by id: Int) throws -> TokenGrammar.Place {
        guard let grammar else { return place }
        guard let next = grammar.advance(place, by: id) else {
            throw FlamingoError.request(
                found: "logits of which no allowed one is a number", expected: "numbers")
        }
        return next
    }

    /// The ids that may not follow `ids`: the prompt, and what was generated from `answerStart` on.
    func banned(after ids: [Int], answerStart: Int = 0) -> Set<Int> {
        var banned: Set<Int> = []
        for sequence in options.forbidden {
            guard let last = sequence.last, sequence.count - 1 <= ids.count else { continue }
            if ids.suffix(sequence.count - 1).elementsEqual(sequence.dropLast()) {
                banned.insert(last)
            }
        }
        banned.formUnion(repeats(of: options.noRepeatNGram, in: ids[...]))
        banned.formUnion(repeats(of: options.noRepeatNGramInAnswer, in: ids[answerStart...]))
        return banned
    }

    /// The ids that would complete an n-gram for the second time.
    private func repeats(of n: Int, in ids: ArraySlice<Int>) -> Set<Int> {
        guard n > 0, ids.count >= n else { return [] }
        var repeats: Set<Int> = []
        let prefix = ids.suffix(n - 1)
        for start in ids.startIndex...ids.endIndex - n
        where ids[start..<start + n - 1].elementsEqual(prefix) {
            repeats.insert(ids[start + n - 1])
        }
        return repeats
    }
}
