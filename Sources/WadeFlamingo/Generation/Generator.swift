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
        var sequence = sequence
        return try answer(
            prompt, in: &sequence, earlier: earlier, options: options, grammar: grammar,
            generatedTokens: generatedTokens, goOn: goOn)
    }

    /// The same at the end of `sequence` itself, which then holds the prompt and what was read of the answer: all tokens but the last
    /// one, or none after a beam search.
    package func answer(
        _ prompt: [Int], in sequence: inout TextSequence, earlier: [Int] = [],
        options: DecodingOptions, grammar: TokenGrammar? = nil,
        generatedTokens: GeneratedTokens = .seeMedia,
        goOn: ([Int]) -> Bool = { _ in true }
    ) throws -> Generated {
        try options.validate()
        guard !prompt.isEmpty else {
            throw FlamingoError.request(found: "an empty prompt", expected: "at least one token")
        }
        if let grammar, grammar.shortestAnswer > options.maximumTokens {
            throw FlamingoError.request(
                found: "max_new_tokens \(options.maximumTokens)",
                expected: "at least \(grammar.shortestAnswer), the shortest answer of its form")
        }
        let hidden = try model(prompt, sequence: &sequence)
        let logits = model.language.logits(hidden[hidden.rows - 1..<hidden.rows]).values
        model.beginGenerating(&sequence)
        if generatedTokens == .areBlindAfterTheFirst { sequence.blind = true }
        let text = earlier + prompt
        switch options.strategy {
        case .greedy:
            return try extend(text, &sequence, logits, options, grammar, goOn: goOn) { scores in
                argmax(scores)
            }
        case .sampling(let temperature, let topK, let topP, let seed):
            var random = SplitMix64(seed: seed)
            return try extend(text, &sequence, logits, options, grammar, goOn: goOn) { scores in
                draw(scores, temperature: temperature, topK: topK, topP: topP, &random)
            }
        case .beam(let count, let lengthPenalty):
            var search = BeamSearch(
                model: model, options: options, grammar: grammar, beams: count,
                lengthPenalty: lengthPenalty)
            return try search.run(text, sequence, logits)
        }
    }

    private func extend(
        _ text: [Int], _ sequence: inout TextSequence, _ firstLogits: [Float],
        _ options: DecodingOptions,
        _ grammar: TokenGrammar?, goOn: ([Int]) -> Bool, choose: ([Float]) -> Int
    ) throws -> Generated {
        var logits = firstLogits
        var generated = Generated(ids: [], logProbabilities: [], finish: .length)
        let constraints = TokenConstraints(options: options, grammar: grammar)
        var place = TokenGrammar.start
        var limit = options.maximumTokens
        while generated.ids.count < limit {
            let logProbabilities = logSoftmax(logits)
            var scores = logits
            constraints.restrict(
                &scores, after: text + generated.ids, answerStart: text.count, place: place,
                remaining: limit - generated.ids.count)
            let next = choose(scores)
            generated.ids.append(next)
            generated.logProbabilities.append(logProbabilities[next])
            if options.endTokens.contains(next) {
                if generated.finish == .length { generated.finish = .endToken }
                break
            }
            place = try constraints.advance(place, by: next)
            if generated.finish == .length {
                if !goOn(generated.ids) {
                    generated.finish = .stopped
                } else if let loop = options.repetition?.loop(atEndOf: generated.ids) {
                    generated.finish = .repetition
                    generated.loop = loop
                }
                if generated.finish != .length {
                    limit = min(limit, generated.ids.count + (grammar?.cost(place) ?? 0))
                }
            }
            guard generated.ids.count < limit else { break }
            let hidden = try model([next], sequence: &sequence)
            logits = model.language.logits(hidden).values
        }
        return generated
    }
}

/// Draws an index from softmax(scores / temperature), cut to the best `topK` and to the nucleus `topP`
/// (Holtzman et al., arXiv 1904.09751).
private func draw(
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
