//! The language stage: one task about one clip, behind a prompt that has been read.
import Foundation
import WadeFlamingo
import WadeTokenizer

/// Lets the language model answer.
struct AnswerStage: Sendable {
    private let model: Flamingo
    private let generator: Generator
    private let tokens: SpecialTokens
    private let tokenizer: Tokenizer
    private let decoding: Decoding
    /// The ids of each choice, by task.
    private let choices: [String: [[Int]]]
    /// The forms of answers that have one, by task.
    private let grammars: [String: TokenGrammar]

    /// One task about one clip.
    struct Ask {
        let task: AnnotationTask
        /// The prompt that was read up to the query.
        let prompt: ReadPrompt
        /// What the gated layers keep of the clip; asked for when its turn comes.
        let media: () -> Media
        /// The clip's: random numbers depend on it.
        let framesDigest: String
    }

    /// An answer and the ids that say it.
    struct Answered {
        /// What the record gets.
        var answer: ClipAnswer
        /// The ids, as far as they are kept.
        var ids: [Int]
        /// The query that they answer.
        var query: [Int]
        /// Log-probability of all of them.
        var logProbability: Double
        /// How sure the model is, on the scale that calibration is learned on: the mean log-probability of the tokens, or of choices
        /// the logarithm of the chosen one's share.
        var confidence: Double
    }

    /// The language stage of `pipeline`'s tasks; throws `request` for a choice without tokens and for a form that no answer can have.
    init(_ model: Flamingo, _ tokenizer: Tokenizer, _ pipeline: Pipeline) throws {
        self.model = model
        generator = Generator(model)
        tokens = model.configuration.tokens
        self.tokenizer = tokenizer
        decoding = pipeline.decoding
        var choices: [String: [[Int]]] = [:]
        for task in pipeline.tasks {
            let ids = task.choices.map { tokenizer.encode($0, applyingTemplate: false) }
            if let empty = ids.firstIndex(where: \.isEmpty) {
                throw PipelineError.request(
                    found:
                        "choice \"\(task.choices[empty])\" of task \(task.id), which has no tokens",
                    expected: "at least one token")
            }
            choices[task.id] = ids
        }
        self.choices = choices
        grammars = try AnswerGrammars.make(
            pipeline.tasks, tokenizer, vocabularySize: model.language.vocabularySize)
    }

    /// The answer to `task` behind `prompt` by a query that sees `media`. `framesDigest` is the clip's: random numbers depend on it.
    func answer(
        _ task: AnnotationTask, behind prompt: ReadPrompt, about media: Media, framesDigest: String
    ) throws -> Answered {
        let ask = Ask(task: task, prompt: prompt, media: { media }, framesDigest: framesDigest)
        return try answers([ask], batch: 1)[0].get()
    }

    /// One result for every one of `asks`, `batch` of which are read and answered at once; each is what it would be alone.
    func answers(_ asks: [Ask], batch: Int) -> [Result<Answered, any Error>] {
        var results = asks.map { _ in Result<Answered, any Error>.failure(Self.unanswered) }
        let chosen = asks.indices.filter { !asks[$0].task.choices.isEmpty }
        for start in stride(from: 0, to: chosen.count, by: batch) {
            let numbers = chosen[start..<min(start + batch, chosen.count)]
            for (number, answered) in zip(numbers, choose(numbers.map { asks[$0] })) {
                results[number] = answered
            }
        }
        var written = asks.indices.filter { asks[$0].task.choices.isEmpty }[...]
        var open: [Int: Attempts] = [:]
        BatchedGenerator(model, places: batch).run(
            next: { free in
                let numbers = written.prefix(free)
                written = written.dropFirst(free)
                return numbers.map { number in
                    let attempts = begin(asks[number])
                    open[number] = attempts
                    return attempts.request(number)
                }
            },
            ended: { ended in
                let number = ended.number
                do {
                    guard let outcome = try open[number]?.take(ended.result.get()) else {
                        return open[number]?.request(number, from: ended.start)
                    }
                    let query = open[number]?.query ?? []
                    results[number] = .success(try answered(outcome, asks[number], query))
                } catch {
                    results[number] = .failure(error)
                }
                open[number] = nil
                return nil
            })
        return zip(results, asks).map { result, ask in result.map { rated($0, ask) } }
    }

    private static let unanswered = ClipFailure(
        code: .internal, stage: .generate, message: "a question that nobody answered")

    private func rated(_ answered: Answered, _ ask: Ask) -> Answered {
        var answered = answered
        answered.answer.score.compressionRatio = CompressionRatio.of(
            ask.task.answer(in: answered.answer.raw).utf8)
        return answered
    }

    /// How much more probable each of `answers` is with its clip than with the query's cross-attention closed, in nats; nil for no
    /// tokens.
    func visualGains(of answers: [(Answered, behind: ReadPrompt)]) -> [Result<
        Double?, any Error
    >] {
        let asked = answers.filter { !$0.0.ids.isEmpty }
        var unseeing = generator.scores(
            of: asked.map { answered, prompt in
                GivenAnswers([answered.ids], after: answered.query, behind: prompt.unseeing)
            }
        ).makeIterator()
        return answers.map { answered, _ in
            guard !answered.ids.isEmpty, let scores = unseeing.next() else { return .success(nil) }
            return scores.map { answered.logProbability - $0[0].sum }
        }
    }

    // MARK: - Choices

    private func choose(_ asks: [Ask]) -> [Result<Answered, any Error>] {
        let questions = asks.map { ask in
            let media = ask.media()
            return GivenAnswers(
                choices[ask.task.id] ?? [], after: ask.prompt.query(about: media),
                behind: ask.prompt.seeing(media))
        }
        return zip(zip(asks, questions), generator.scores(of: questions)).map { asked, scores in
            scores.map { chosen(by: $0, asked.0, asked.1) }
        }
    }

    /// The most probable choice.
    private func chosen(by scores: [ChoiceScore], _ ask: Ask, _ question: GivenAnswers) -> Answered
    {
        var answer = ClipAnswer()
        answer.choiceLogProbabilities = scores.map(\.mean)
        for (index, score) in scores.enumerated()
        where answer.choice < 0 || score.mean > scores[answer.choice].mean {
            answer.choice = index
        }
        let best = scores[answer.choice]
        let ids = question.choices[answer.choice]
        answer.raw = ask.task.choices[answer.choice]
        answer.tokens = ids.count
        answer.score.meanLogProbability = best.mean
        answer.score.minimumLogProbability =
            best.logProbabilities.min().map(Double.init) ?? -1
        let total = scores.reduce(0) { $0 + exp($1.mean - best.mean) }
        return Answered(
            answer: answer, ids: ids, query: question.prompt.ids, logProbability: best.sum,
            confidence: -log(total))
    }

    // MARK: - Words

    /// The attempts at one answer, all of which begin at the same place.
    private struct Attempts {
        let prompt: UnreadPrompt
        let options: DecodingOptions
        let grammar: TokenGrammar?
        let isStopped: ([Int]) -> Bool
        /// Nil where whatever the model writes is taken.
        var guarded: GuardedGeneration?

        var query: [Int] { prompt.ids }

        /// The next attempt; it begins at `start` once the prompt was read for an earlier one.
        func request(_ number: Int, from start: AnswerStart? = nil) -> AnswerRequest {
            AnswerRequest(
                number, start.map { .read($0) } ?? .unread(prompt),
                options: guarded?.options ?? options, grammar: grammar
            ) { [guarded, isStopped] ids in !isStopped(ids) && guarded?.goesOn(ids) ?? true }
        }

        /// What comes of an attempt; nil for another one.
        mutating func take(_ generated: Generated) throws -> GuardedGeneration.Outcome? {
            guard guarded != nil else {
                return .init(generated: generated, attempts: 1, fault: .none)
            }
            return try guarded?.take(generated)
        }
    }

    /// Puts the query behind the demonstrations.
    private func begin(_ ask: Ask) -> Attempts {
        let (task, prompt) = (ask.task, ask.prompt)
        let options = DecodingOptions(
            strategy: strategy, maximumTokens: task.maxNewTokens,
            endTokens: [tokens.endOfChunk, tokens.endOfText],
            // A generated <image> would stand for a clip that is not there.
            forbidden: [tokens.image, tokens.padding, prompt.pictures?.fake]
                .compactMap { $0.map { [$0] } })
        let grammar = grammars[task.id]
        let stop = stops(task)
        let guarded = decoding.guard.map { guardian in
            GuardedGeneration(
                guardian: guardian, keepsWhole: grammar != nil,
                text: { task.answer(in: try raw($0, until: stop)) }, options: options,
                seed: seed(ask.framesDigest))
        }
        let media = ask.media()
        return Attempts(
            prompt: UnreadPrompt(
                prompt.query(about: media), behind: prompt.seeing(media), earlier: prompt.earlier),
            options: options, grammar: grammar, isStopped: { isStopped($0, at: stop) },
            guarded: guarded)
    }

    /// The texts that end an answer to `task`; a form ends by itself.
    private func stops(_ task: AnnotationTask) -> [String] {
        grammars[task.id] == nil ? decoding.stop : []
    }

    private func answered(
        _ outcome: GuardedGeneration.Outcome, _ ask: Ask, _ query: [Int]
    ) throws -> Answered {
        let generated = outcome.generated
        return Answered(
            answer: try answer(outcome, ask.task, raw(generated.ids, until: stops(ask.task))),
            ids: generated.ids, query: query,
            logProbability: generated.logProbabilities.reduce(0.0) { $0 + Double($1) },
            confidence: generated.meanLogProbability)
    }

    private func answer(
        _ outcome: GuardedGeneration.Outcome, _ task: AnnotationTask, _ raw: String
    ) throws -> ClipAnswer {
        let generated = outcome.generated
        var answer = ClipAnswer()
        answer.raw = raw
        if let format = task.format {
            let text = task.answer(in: raw)
            guard format.admits(text) else {
                throw ClipFailure(
                    code: .invalidAnswer, stage: .generate,
                    message: "found \(text.shownShort), expected the form that the task asks for")
            }
            answer.json = format.json(text)
            answer.choice = format.choiceTexts.firstIndex(of: text) ?? -1
        }
        switch generated.finish {
        case .endToken: answer.finish = .eos
        case .stopped: answer.finish = .stop
        case .length: answer.finish = .length
        case .repetition: answer.finish = .guard
        }
        // An answer that is only improbable is whole: it ended as it ended, and its score tells the rest.
        if outcome.fault == .repetitive {
            answer.finish = .guard
            answer.flags = [.repeatGuard]
        }
        answer.attempts = outcome.attempts
        answer.tokens = generated.ids.count
        answer.score.minimumLogProbability =
            generated.logProbabilities.min().map(Double.init) ?? -1
        answer.score.meanLogProbability = generated.meanLogProbability
        return answer
    }

    /// A number that belongs to what the frames show, whatever the file is called and whoever asks.
    private func seed(_ framesDigest: String) -> UInt64 {
        Hexadecimal.sha256([Array("retry".utf8), Array(framesDigest.utf8)]).prefix(8)
            .reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func isStopped(_ ids: [Int], at stops: [String]) -> Bool {
        guard !stops.isEmpty, let text = try? decode(ids) else { return false }
        return stops.contains { text.contains($0) }
    }

    /// What the language model has written, up to the first of `stops`.
    private func raw(_ ids: [Int], until stops: [String]) throws -> String {
        try stops.reduce(decode(ids)) { text, stop in
            PromptTemplate.split(text, at: stop).first ?? text
        }
    }

    /// The text of generated ids; an embedding may have more rows than there are tokens, and those say nothing.
    private func decode(_ ids: [Int]) throws -> String {
        let known = ids.filter { tokenizer.token(of: $0) != nil }
        return try tokenizer.decode(known, skipSpecialTokens: true)
    }

    private var strategy: DecodingStrategy {
        switch decoding.strategy {
        case .greedy: .greedy
        case .beam(let width): .beam(count: width, lengthPenalty: decoding.lengthPenalty)
        case .sample(let temperature, let topP, let seed):
            .sampling(temperature: temperature, topK: 0, topP: topP, seed: seed)
        }
    }
}
