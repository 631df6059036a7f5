//! The language stage: one task about one clip, behind a prompt that has been read.
import Foundation
import WadeFlamingo
import WadeTokenizer

/// Lets the language model answer.
struct AnswerStage: Sendable {
    private let generator: Generator
    private let tokens: SpecialTokens
    private let tokenizer: Tokenizer
    private let decoding: Decoding
    /// The ids of each choice, by task.
    private let choices: [String: [[Int]]]
    /// The forms of answers that have one, by task.
    private let grammars: [String: TokenGrammar]

    /// An answer and the ids that say it.
    struct Answered {
        /// What the record gets.
        var answer: ClipAnswer
        /// The ids, as far as they are kept.
        var ids: [Int]
        /// Log-probability of all of them.
        var logProbability: Double
        /// How sure the model is, on the scale that calibration is learned on: the mean log-probability of the tokens, or of choices
        /// the logarithm of the chosen one's share.
        var confidence: Double
    }

    /// The language stage of `pipeline`'s tasks; throws `request` for a choice without tokens and for a form that no answer can have.
    init(_ model: Flamingo, _ tokenizer: Tokenizer, _ pipeline: Pipeline) throws {
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
        let sequence = prompt.seeing(media)
        var answered =
            task.choices.isEmpty
            ? try generate(task, prompt, sequence, framesDigest)
            : try choose(task, prompt, sequence)
        answered.answer.score.compressionRatio = CompressionRatio.of(
            task.answer(in: answered.answer.raw).utf8)
        return answered
    }

    /// How much more probable `answered` is with the clip than with the query's cross-attention closed, in nats; nil for no tokens.
    func visualGain(of answered: Answered, behind prompt: ReadPrompt) throws -> Double? {
        guard !answered.ids.isEmpty else { return nil }
        let unseeing = try generator.scores(
            of: [answered.ids], after: prompt.query, behind: prompt.unseeing)
        return answered.logProbability - unseeing[0].sum
    }

    // MARK: - Choices

    private func choose(_ task: AnnotationTask, _ prompt: ReadPrompt, _ sequence: TextSequence)
        throws -> Answered
    {
        let choices = choices[task.id] ?? []
        let scores = try generator.scores(of: choices, after: prompt.query, behind: sequence)
        var answer = ClipAnswer()
        answer.choiceLogProbabilities = scores.map(\.mean)
        for (index, score) in scores.enumerated()
        where answer.choice < 0 || score.mean > scores[answer.choice].mean {
            answer.choice = index
        }
        let best = scores[answer.choice]
        answer.raw = task.choices[answer.choice]
        answer.tokens = choices[answer.choice].count
        answer.score.meanLogProbability = best.mean
        answer.score.minimumLogProbability =
            best.logProbabilities.min().map(Double.init) ?? -1
        let total = scores.reduce(0) { $0 + exp($1.mean - best.mean) }
        return Answered(
            answer: answer, ids: choices[answer.choice], logProbability: best.sum,
            confidence: -log(total))
    }

    // MARK: - Words

    private func generate(
        _ task: AnnotationTask, _ prompt: ReadPrompt, _ sequence: TextSequence,
        _ framesDigest: String
    ) throws -> Answered {
        let options = DecodingOptions(
            strategy: strategy, maximumTokens: task.maxNewTokens,
            endTokens: [tokens.endOfChunk, tokens.endOfText],
            // A generated <image> would stand for a clip that is not there.
            forbidden: [tokens.image, tokens.padding].compactMap { $0.map { [$0] } })
        let grammar = grammars[task.id]
        let stop = grammar == nil ? decoding.stop : []
        let generate = { (options: DecodingOptions, goOn: ([Int]) -> Bool) in
            try generator(
                prompt.query, behind: sequence, earlier: prompt.earlier, options: options,
                grammar: grammar
            ) { ids in !isStopped(ids, at: stop) && goOn(ids) }
        }
        var outcome: GuardedGeneration.Outcome
        if let guardian = decoding.guard {
            let guarded = GuardedGeneration(
                guardian: guardian, keepsWhole: grammar != nil,
                text: { task.answer(in: try raw($0, until: stop)) }, generate: generate)
            outcome = try guarded(options, seed: seed(framesDigest))
        } else {
            outcome = .init(
                generated: try generate(options) { _ in true }, attempts: 1, fault: .none)
        }
        let generated = outcome.generated
        return Answered(
            answer: try answer(outcome, task, raw(generated.ids, until: stop)), ids: generated.ids,
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
