//! One token after the other: greedy choice and seeded sampling.

internal import WadeTensor

#if canImport(Glibc)
    internal import Glibc
#endif

/// Answers a prompt.
package struct Generator: Sendable {
    let model: Flamingo

    package init(_ model: Flamingo) {
        self.model = model
    }

    /// Whether generated tokens see the media; the originals' Otter with its cache lets only the first one.
    package enum GeneratedTokens: Sendable {
        case seeMedia
        case areBlindAfterTheFirst
    }

    /// Reads `prompt` behind `sequence` and answers it. `earlier` are ids that `sequence` already holds (for constraints on
    /// repetition). `goOn` sees the new ids after each token and may end the answer; it is not asked during beam search.
    /// With a `grammar` the answer has its form however it ends: what would end it in the midst closes it by the shortest way.
    package func callAsFunction(
        _ prompt: [Int], behind sequence: TextSequence, earlier: [Int] = [],
        options: DecodingOptions, grammar: TokenGrammar? = nil,
        generatedTokens: GeneratedTokens = .seeMedia,
        goOn: ([Int]) -> Bool = { _ in true }
    ) throws -> Generated {
        try Continuation.check(options, grammar)
        let start = try read(
            prompt, behind: sequence, earlier: earlier, generatedTokens: generatedTokens)
        return try answer(start, options: options, grammar: grammar, goOn: goOn)
    }

    /// Reads `prompt` at the end of `sequence` itself and answers it; the sequence then holds the prompt and what was read of the
    /// answer: all tokens but the last one, or none after a beam search.
    package func answer(
        _ prompt: [Int], in sequence: inout TextSequence, earlier: [Int] = [],
        options: DecodingOptions, grammar: TokenGrammar? = nil,
        generatedTokens: GeneratedTokens = .seeMedia,
        goOn: ([Int]) -> Bool = { _ in true }
    ) throws -> Generated {
        try Continuation.check(options, grammar)
        let start = try read(
            prompt, behind: sequence, earlier: earlier, generatedTokens: generatedTokens)
        sequence = start.sequence
        return try answer(start, in: &sequence, options: options, grammar: grammar, goOn: goOn)
    }

    /// The answer that begins at `start`.
    package func answer(
        _ start: AnswerStart, options: DecodingOptions, grammar: TokenGrammar? = nil,
        goOn: ([Int]) -> Bool = { _ in true }
    ) throws -> Generated {
        var sequence = start.sequence
        return try answer(start, in: &sequence, options: options, grammar: grammar, goOn: goOn)
    }

    private func answer(
        _ start: AnswerStart, in sequence: inout TextSequence, options: DecodingOptions,
        grammar: TokenGrammar?, goOn: ([Int]) -> Bool
    ) throws -> Generated {
        if case .beam(let count, let lengthPenalty) = options.strategy {
            try Continuation.check(options, grammar)
            var search = BeamSearch(
                model: model, options: options, grammar: grammar, beams: count,
                lengthPenalty: lengthPenalty)
            return try search.run(start.text, start.sequence, start.logits)
        }
        var continuation = try Continuation(after: start.text, options: options, grammar: grammar)
        var sequences = [sequence]
        var token = try continuation.next(start.logits, goOn: goOn)
        while let last = token {
            // One step of a batch of one: in any batch the same bits.
            let hidden = try model.advance([[last]], sequences: &sequences)
            token = try continuation.next(
                model.language.logits(hidden, rows: .apart).values, goOn: goOn)
        }
        sequence = sequences[0]
        return continuation.generated
    }
}

/// Draws an index from softmax(scores / temperature), cut to the best `topK` and to the nucleus `topP`
/// (Holtzman et al., arXiv 1904.09751).
func draw(
    _ scores: [Float], temperature: Double, topK: Int, topP: Double, _ random: inout SplitMix64
) -> Int {
    var candidates = scores.enumerated().filter { $0.element > -.infinity }
        .sorted { ($0.element, $1.offset) > ($1.element, $0.offset) }
    if topK > 0 { candidates = Array(candidates.prefix(topK)) }
    guard let best = candidates.first else { return argmax(scores) }
    var weights = candidates.map { exp(Double($0.element - best.element) / temperature) }
    let total = weights.reduce(0, +)
    var kept = 0.0
    for (place, weight) in weights.enumerated() {
        kept += weight
        if kept >= topP * total {
            weights = Array(weights.prefix(place + 1))
            break
        }
    }
    var point = random.nextUnit() * weights.reduce(0, +)
    for (place, weight) in weights.enumerated() {
        point -= weight
        if point < 0 { return candidates[place].offset }
    }
    return candidates[weights.count - 1].offset
}

/// Steele, Lea & Flood's SplitMix64 (OOPSLA 2014): small, and the same numbers everywhere for the same seed.
package struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    /// Numbers that depend on `seed` alone.
    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, 1.
    mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
