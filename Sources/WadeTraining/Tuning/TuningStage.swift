//! Tunes the wiring of a finished model on captioned clips: the paper's loss, on interleaved sequences of at most 5 pairs.
internal import WadeFlamingo
internal import WadePipeline
internal import WadeTensor

/// Next-token prediction of the answers; vision encoder and language model stay what they are.
struct TuningStage: TrainingStage {
    /// The pairs to learn and those to be asked about only.
    struct Data: Sendable {
        var training: [Lesson]
        var heldOut: [Lesson]
        let clips: SeenClipStore
    }

    let name = Self.stageName
    let parts: Int
    private let configuration: FlamingoConfiguration
    private let arithmetic: Arithmetic
    private let frozen: [String: Tensor]
    private let start: [String: Tensor]
    private let data: Data
    /// Places in `data.training` by task.
    private let places: [String: [Int]]
    private let seed: UInt64
    private let batch: Int
    /// The learning rate of the vision encoder as a share of the wiring's; nil when it is frozen.
    private let visionShare: Float?
    private let workers: Int

    /// What the stage is called in logs and checkpoints.
    static let stageName = "tuning"
    /// "at most 5 pairs" (§B.1 of the paper).
    private static let pairs = 5
    /// Sequences of a part, which has a tape of its own.
    private static let partSize = 4
    /// Pairs that are held out and asked about at each evaluation, at most; more would cost more than they tell.
    static let mostAsked = 64
    /// Examples before the question in the second score.
    private static let shots = 4

    /// `parameters` are those of the whole model; `batch` sequences make a step.
    init(
        _ configuration: FlamingoConfiguration, parameters: [String: Tensor], data: Data,
        seed: UInt64, batch: Int, visionShare: Float?, workers: Int,
        arithmetic: Arithmetic = Arithmetic(allowsGradients: true)
    ) {
        self.configuration = configuration
        self.arithmetic = arithmetic
        self.data = data
        self.seed = seed
        self.batch = batch
        self.visionShare = visionShare
        self.workers = workers
        parts = (batch + Self.partSize - 1) / Self.partSize
        places = Dictionary(grouping: data.training.indices) { data.training[$0].task }
        let isTrained = { Self.isTrained($0, visionToo: visionShare != nil) }
        start = parameters.filter { isTrained($0.key) }
        frozen = parameters.filter { !isTrained($0.key) }
    }

    /// Whether a parameter is tuned. Of the vision encoder, what makes the contrastive embedding has no part in the features.
    static func isTrained(_ parameter: String, visionToo: Bool) -> Bool {
        if ["resampler.", "cross_attention."].contains(where: parameter.hasPrefix) { return true }
        return visionToo && parameter.hasPrefix("vision.")
            && !["vision.post_norm.", "vision.projection."].contains(where: parameter.hasPrefix)
    }

    func initialParameters() throws -> [String: Tensor] { start }

    func learningRateFactor(of parameter: String) -> Float {
        if parameter.hasPrefix("vision.") { return visionShare ?? 0 }
        // As when the wiring was trained first: gates move by a share of themselves, the resampler keeps what it has seen most of.
        if parameter.hasSuffix("gate") { return 5 }
        return parameter.hasPrefix("resampler.") ? 0.3 : 1
    }

    private func model(_ parameters: [String: Tensor]) throws -> Flamingo {
        try Flamingo(
            Weights(
                parameters: frozen.merging(parameters) { _, trained in trained },
                file: "stage \(name)"),
            configuration, arithmetic: arithmetic)
    }

    func loss(_ parameters: [String: Tensor], step: Int, part: Int) throws -> PartialLoss {
        var random = RandomStream(seed: seed &+ UInt64(step * parts + part), purpose: 29)
        let model = try model(parameters)
        var media: [ClipContent: Media] = [:]
        let count = batch * (part + 1) / parts - batch * part / parts
        let sequences = (0..<count).map { _ in
            let last = data.training[random.index(data.training.count)]
            return examples(for: last, random.index(Self.pairs), &random) + [last]
        }
        let documents = sequences.map { document($0) }
        let tokens = documents.reduce(Float(0)) { $0 + $1.weights.reduce(0, +) }
        var losses: [Tensor] = []
        var hits = (right: 0.0, count: 0.0)
        for (lessons, document) in zip(sequences, documents) {
            for lesson in lessons where media[lesson.clip] == nil {
                media[lesson.clip] = try self.media(model, lesson.clip)
            }
            let scored = try score(model, document, lessons.compactMap { media[$0.clip] })
            losses.append(scored.loss * (1 / tokens))
            hits.right += scored.knownAnswers.right
            hits.count += scored.knownAnswers.count
        }
        return PartialLoss(
            loss: losses.dropFirst().reduce(losses[0]) { $0 + $1 },
            measures: [("exact_match", hits.right, hits.count)])
    }

    /// At most `count` pairs of the same task about other clips.
    private func examples(for lesson: Lesson, _ count: Int, _ random: inout RandomStream)
        -> [Lesson]
    {
        let places = places[lesson.task] ?? []
        var clips: Set<ClipContent> = [lesson.clip]
        var chosen: [Lesson] = []
        var tries = 0
        while chosen.count < count, !places.isEmpty, tries < 20 * count {
            tries += 1
            let other = data.training[places[random.index(places.count)]]
            if clips.insert(other.clip).inserted { chosen.append(other) }
        }
        return chosen
    }

    private func document(_ lessons: [Lesson], onlyLast: Bool = false) -> TrainingDocument {
        TrainingDocument(
            lessons, image: configuration.tokens.image,
            beginningOfText: configuration.tokens.beginningOfText, onlyLast: onlyLast)
    }

    private func media(_ model: Flamingo, _ clip: ClipContent) throws -> Media {
        let values = try data.clips.values(clip)
        let features = data.clips.kind == .pixels ? try model.vision(values) : values
        guard let resampler = model.resampler else {
            throw TrainingError.request(
                found: "a model without a resampler", expected: "one to tune")
        }
        return model.media([try resampler(features)])
    }

    private func score(_ model: Flamingo, _ document: TrainingDocument, _ media: [Media]) throws
        -> ScoredDocument
    {
        var sequence = model.sequence(media: media.reduce(.none) { $0.followed(by: $1) })
        let hidden = try model(Array(document.ids.dropLast()), sequence: &sequence)
        return ScoredDocument(document) { model.language.logits(hidden.gathered($0)) }
    }

    // MARK: - Held-out pairs

    private struct Question: Sendable {
        let lessons: [Lesson]
        let suffix: String
    }

    private struct Score: Sendable {
        let suffix: String
        let loss: Double
        let tokens: Double
        let isRight: Bool
    }

    /// Loss per token and the share of answers that are right in every token: asked at once, and after four examples to learn from.
    func evaluate(_ parameters: [String: Tensor]) throws -> [(name: String, score: Double)] {
        let asked = data.heldOut.prefix(Self.mostAsked)
        let questions = asked.enumerated().flatMap { place, lesson -> [Question] in
            var random = RandomStream(seed: UInt64(place), purpose: 31)
            let examples = examples(for: lesson, Self.shots, &random)
            let alone = Question(lessons: [lesson], suffix: "")
            guard examples.count == Self.shots else { return [alone] }
            return [
                alone, Question(lessons: examples + [lesson], suffix: "_\(Self.shots)_shots"),
            ]
        }
        let model = try model(parameters)
        let pool = WorkerPool<Question, Result<Score, any Error>>(
            workers: workers, inFlight: 2 * workers
        ) { question in
            MatrixEngine.oneDNN.useThreads(1)
            MatrixEngine.openBLAS.useThreads(1)
            return Result { try answer(question, model) }
        }
        var meter = TrainingMeter()
        var rest = questions.makeIterator()
        while let result = pool.next(from: { rest.next() }) {
            let score = try result.get()
            meter.add("loss" + score.suffix, score.loss, score.tokens)
            meter.add("exact_match" + score.suffix, score.isRight ? 1 : 0, 1)
        }
        return meter.summary().map { ($0.name, $0.mean) }
    }

    private func answer(_ question: Question, _ model: Flamingo) throws -> Score {
        let document = document(question.lessons, onlyLast: true)
        let scored = try score(
            model, document, question.lessons.map { try media(model, $0.clip) })
        return Score(
            suffix: question.suffix, loss: Double(scored.loss.values[0]),
            tokens: Double(document.weights.reduce(0, +)),
            isRight: scored.answersRight.last ?? false)
    }
}
