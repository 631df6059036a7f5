//! Pre-training of the language model on text alone: repetition first, then documents in which words stand for pictures.
package import WadeFlamingo
package import WadeTensor

/// Next-token prediction where the next token can be known.
package struct LanguageStage: TrainingStage {
    package let name = "language"
    package let parts: Int
    private let configuration: FlamingoConfiguration
    private let arithmetic: Arithmetic
    private let encoder: PieceEncoder
    private let seed: UInt64
    private let tokensPerPart: Int
    private let steps: Int
    /// The share of the steps in which repetition is learned before anything else.
    private let repetitionShare: Double
    /// Documents behind the held-out scores.
    private let heldOutDocuments: Int

    package init(
        _ configuration: FlamingoConfiguration, encoder: PieceEncoder, seed: UInt64, parts: Int,
        tokensPerPart: Int, steps: Int, repetitionShare: Double, heldOutDocuments: Int = 60,
        arithmetic: Arithmetic = Arithmetic(allowsGradients: true)
    ) {
        self.configuration = configuration
        self.arithmetic = arithmetic
        self.encoder = encoder
        self.seed = seed
        self.parts = parts
        self.tokensPerPart = tokensPerPart
        self.steps = steps
        self.repetitionShare = repetitionShare
        self.heldOutDocuments = heldOutDocuments
    }

    package func initialParameters() throws -> [String: Tensor] {
        try ParameterInitialization(seed: seed).parameters {
            _ = try LanguageModel(
                $0, Self.textOnly(configuration), arithmetic: arithmetic)
        }
    }

    package func learningRateFactor(of parameter: String) -> Float { 1 }

    /// The configuration without gated layers.
    static func textOnly(_ configuration: FlamingoConfiguration) -> FlamingoConfiguration {
        var configuration = configuration
        configuration.crossAttention.layers = []
        return configuration
    }

    package func loss(_ parameters: [String: Tensor], step: Int, part: Int) throws -> PartialLoss {
        var random = RandomStream(seed: seed &+ UInt64(step * parts + part), purpose: 3)
        let progress = Double(step) / Double(steps)
        let repeats = progress < repetitionShare
        // Short texts first: what is learned on them is found sooner.
        let length = repeats ? 64 : progress < 0.5 ? 128 : progress < 0.75 ? 224 : 384
        var documents: [(kind: String, document: TrainingDocument)] = []
        var tokens = 0
        let writer = DocumentWriter(encoder, labels: .training, hasClips: false)
        while tokens < tokensPerPart {
            let next =
                repeats || random.chance(0.3)
                ? RepetitionText(encoder, vocabulary: configuration.language.vocabularySize)
                    .document(length: length, pairs: repeats ? 0.3 : 0.7, random: &random)
                : Self.document(writer, length: length, random: &random)
            guard let next else { continue }
            tokens += next.document.ids.count
            documents.append(next)
        }
        return try loss(parameters, documents)
    }

    /// A document that fills about `length` tokens.
    private static func document(
        _ writer: DocumentWriter, length: Int, random: inout RandomStream
    ) -> (kind: String, document: TrainingDocument)? {
        let pool = ClipPool((0..<24).map { _ in ShotFacts(random: &random) })
        let attribute = random.element(ShotAttribute.allCases)
        let count = random.element([2, 2, 2, 3, 4])
        let kinds: [(name: String, kind: DocumentKind, tokens: Int)] = [
            ("caption", .caption, 45), ("question", .questions, 24),
            ("attribute", .attribute(attribute), 14),
            ("labels", .labels(attribute, count: count), 26),
            ("silent_labels", .silentLabels(attribute, count: count), 17),
        ]
        let chosen = kinds[random.index(weights: [0.12, 0.18, 0.2, 0.35, 0.15])]
        guard
            let document = writer.document(
                chosen.kind, over: pool, pairs: max(1, length / chosen.tokens), random: &random)
        else { return nil }
        return (chosen.name, document)
    }

    private func loss(
        _ parameters: [String: Tensor], _ documents: [(kind: String, document: TrainingDocument)]
    ) throws -> PartialLoss {
        let model = try LanguageModel(
            Weights(parameters: parameters, file: "stage \(name)"), Self.textOnly(configuration),
            arithmetic: arithmetic)
        let total = documents.reduce(Float(0)) { $0 + $1.document.weights.reduce(0, +) }
        var losses: [Tensor] = []
        var measures: [(name: String, sum: Double, count: Double)] = []
        for (kind, document) in documents {
            var cache = model.emptyCache()
            let ids = Array(document.ids.dropLast())
            let hidden = model(
                ids, media: [], windows: ids.map { _ in .nothing }, cache: &cache)
            let scored = ScoredDocument(document) { model.logits(hidden.gathered($0)) }
            losses.append(scored.loss * (1 / max(total, 1e-6)))
            let (right, count) = scored.knownAnswers
            measures.append(("\(kind)_accuracy", right, count))
        }
        return PartialLoss(
            loss: losses.dropFirst().reduce(losses[0]) { $0 + $1 }, measures: measures)
    }

    package func evaluate(_ parameters: [String: Tensor]) throws -> [(name: String, score: Double)]
    {
        var random = RandomStream(seed: VisionStage.heldOutSeed, purpose: 5)
        let writer = DocumentWriter(encoder, labels: .heldOut, hasClips: false)
        var documents: [(kind: String, document: TrainingDocument)] = []
        while documents.count < heldOutDocuments {
            if documents.count % 10 == 9 {
                documents.append(
                    RepetitionText(encoder, vocabulary: configuration.language.vocabularySize)
                        .document(length: 128, pairs: 0, random: &random))
            } else if let next = Self.document(writer, length: 256, random: &random) {
                documents.append(next)
            }
        }
        var meter = TrainingMeter()
        for measure in try loss(parameters, documents).measures where measure.count > 0 {
            meter.add(measure.name, measure.sum, measure.count)
        }
        return meter.summary().map { ($0.name, $0.mean) }
    }
}
