//! One answer in the making: it takes logits and says which token comes next.

/// An answer that grows token by token, whoever computes its logits, alone or with others.
struct Continuation {
    /// What has been written, and why it ended once it has.
    private(set) var generated = Generated(ids: [], logProbabilities: [], finish: .length)
    private let text: [Int]
    private let constraints: TokenConstraints
    private var place = TokenGrammar.start
    private var limit: Int
    private var random = SplitMix64(seed: 0)

    /// An answer to `text`; throws `request` when none can satisfy the options.
    init(after text: [Int], options: DecodingOptions, grammar: TokenGrammar?) throws {
        try Self.check(options, grammar)
        self.text = text
        constraints = TokenConstraints(options: options, grammar: grammar)
        limit = options.maximumTokens
        if case .sampling(_, _, _, let seed) = options.strategy { random = SplitMix64(seed: seed) }
    }

    /// Throws `FlamingoError.request` when no answer can satisfy the options or have the form.
    static func check(_ options: DecodingOptions, _ grammar: TokenGrammar?) throws {
        try options.validate()
        if let grammar, grammar.shortestAnswer > options.maximumTokens {
            throw FlamingoError.request(
                found: "max_new_tokens \(options.maximumTokens)",
                expected: "at least \(grammar.shortestAnswer), the shortest answer of its form")
        }
    }

    /// Chooses the next token by `logits`; returns it when the model is to be asked what follows it, nil when the answer is whole.
    /// `goOn` sees the new ids after each token and may end the answer.
    mutating func next(_ logits: [Float], goOn: ([Int]) -> Bool) throws -> Int? {
        guard generated.ids.count < limit else { return nil }
        let options = constraints.options
        var scores = logits
        constraints.restrict(
            &scores, after: text + generated.ids, answerStart: text.count, place: place,
            remaining: limit - generated.ids.count)
        let next = choose(scores)
        generated.ids.append(next)
        generated.logProbabilities.append(logSoftmax(logits, at: next))
        if options.endTokens.contains(next) {
            if generated.finish == .length { generated.finish = .endToken }
            return nil
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
                limit = min(limit, generated.ids.count + (constraints.grammar?.cost(place) ?? 0))
            }
        }
        return generated.ids.count < limit ? next : nil
    }

    private mutating func choose(_ scores: [Float]) -> Int {
        guard case .sampling(let temperature, let topK, let topP, _) = constraints.options.strategy
        else { return argmax(scores) }
        return draw(scores, temperature: temperature, topK: topK, topP: topP, &random)
    }
}
