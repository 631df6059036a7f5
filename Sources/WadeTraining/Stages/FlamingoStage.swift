//! The paper's own stage: resampler and gated cross-attention learn to feed a frozen language model, on interleaved sequences.
package import WadeFlamingo
package import WadeTensor

/// A dataset of the mixture: one kind of document, its weight λ in the loss, and how many of it a part of a batch holds.
package struct MixtureEntry: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case captions, questions, attributes, labels
        case silentLabels = "silent_labels"
    }

    package var kind: Kind
    package var weight: Float
    package var documents: Int

    package init(kind: Kind, weight: Float, documents: Int) {
        self.kind = kind
        self.weight = weight
        self.documents = documents
    }
}

/// Next-token prediction of answers, given clips; losses of the datasets are summed with their weights (§2.4 of the paper).
package struct FlamingoStage: TrainingStage {
    /// What is stored of the clips, and so what is trained.
    package enum Trained: String, Sendable {
        /// Visual tokens are stored; the resampler stays as it is.
        case crossAttention = "cross_attention"
        /// Features are stored; the resampler is trained too.
        case wiring
    }

    package let name: String
    package let parts: Int
    private let configuration: FlamingoConfiguration
    private let arithmetic: Arithmetic
    private let trained: Trained
    /// Everything that is not trained here.
    private let frozen: [String: Tensor]
    private let start: [String: Tensor]
    private let encoder: PieceEncoder
    private let clips: ClipStore
    private let heldOut: ClipStore
    private let mixture: [MixtureEntry]
    private let seed: UInt64
    private let clipsPerPart: Int
    /// "at most 5 pairs" (§B.1 of the paper).
    private static let pairs = 5

    /// `parameters` are those of the whole model; gated blocks that are missing begin closed.
    package init(
        _ trained: Trained, _ configuration: FlamingoConfiguration, parameters: [String: Tensor],
        encoder: PieceEncoder, clips: ClipStore, heldOut: ClipStore, mixture: [MixtureEntry],
        seed: UInt64, parts: Int, clipsPerPart: Int,
        arithmetic: Arithmetic = Arithmetic(allowsGradients: true)
    ) throws {
        self.name = trained.rawValue
        self.trained = trained
        self.configuration = configuration
        self.arithmetic = arithmetic
        self.encoder = encoder
        self.clips = clips
        self.heldOut = heldOut
        self.mixture = mixture
        self.seed = seed
        self.parts = parts
        self.clipsPerPart = clipsPerPart
        let all = try ParameterInitialization(seed: seed).parameters {
            _ = try Flamingo($0, configuration, arithmetic: arithmetic)
        }
        var (start, frozen): ([String: Tensor], [String: Tensor]) = ([:], [:])
        for (name, tensor) in all {
            let isTrained =
                name.hasPrefix("cross_attention.")
                || trained == .wiring && name.hasPrefix("resampler.")
            if isTrained {
                start[name] = parameters[name] ?? tensor
            } else if let given = parameters[name] {
                frozen[name] = given
            } else {
                throw TrainingError.recipe(
                    found: "no \(name) before stage \(self.name)",
                    expected: "the earlier stages' parameters")
            }
        }
        self.start = start
        self.frozen = frozen
    }

    package func initialParameters() throws -> [String: Tensor] { start }

    package func learningRateFactor(of parameter: String) -> Float {
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

    package func loss(_ parameters: [String: Tensor], step: Int, part: Int) throws -> PartialLoss {
        var random = RandomStream(seed: seed &+ UInt64(step * parts + part), purpose: 17)
        let model = try model(parameters)
        let drawn = (0..<clipsPerPart).map { _ in
            (clip: random.index(clips.count), isReversed: random.chance(0.5))
        }
        let pool = ClipPool(
            drawn.map { $0.isReversed ? clips.facts[$0.clip].reversed : clips.facts[$0.clip] })
        // A clip's keys and values are computed once, however many documents show it.
        var media: [Int: Media] = [:]
        let writer = DocumentWriter(encoder, labels: .training, hasClips: true)
        var losses: [Tensor] = []
        var measures: [(name: String, sum: Double, count: Double)] = []
        for entry in mixture {
            var (texts, weight): ([TrainingDocument], Float) = ([], 0)
            var misses = 0
            while texts.count < entry.documents {
                guard misses < 1000 else {
                    throw TrainingError.recipe(
                        found: "no \(entry.kind.rawValue) among \(clipsPerPart) clips",
                        expected: "clips enough for a document")
                }
                let kind = Self.kind(entry.kind, random: &random)
                guard
                    let text = writer.document(
                        kind, over: pool, pairs: entry.kind == .captions ? 3 : Self.pairs,
                        random: &random)
                else {
                    misses += 1
                    continue
                }
                texts.append(text)
                weight += text.weights.reduce(0, +)
            }
            for text in texts {
                for clip in text.clips where media[clip] == nil {
                    media[clip] = try self.media(
                        model, clips, drawn[clip].clip, isReversed: drawn[clip].isReversed)
                }
                let scored = try score(model, text) { media[$0] }
                losses.append(scored.loss * (entry.weight / max(weight, 1e-6)))
                measures.append(
                    (
                        "\(entry.kind.rawValue)_accuracy", scored.knownAnswers.right,
                        scored.knownAnswers.count
                    ))
                measures.append(
                    (
                        "\(entry.kind.rawValue)_loss", Double(scored.loss.values[0]),
                        Double(text.weights.reduce(0, +))
                    ))
            }
        }
        return PartialLoss(
            loss: losses.dropFirst().reduce(losses[0]) { $0 + $1 }, measures: measures)
    }

    private static func kind(_ kind: MixtureEntry.Kind, random: inout RandomStream) -> DocumentKind
    {
        let attribute = random.element(ShotAttribute.allCases)
        let count = random.element([2, 2, 2, 3])
        return switch kind {
        case .captions: .caption
        case .questions: .questions
        case .attributes: .attribute(attribute)
        case .labels: .labels(attribute, count: count)
        case .silentLabels: .silentLabels(attribute, count: count)
        }
    }

    private func media(_ model: Flamingo, _ clips: ClipStore, _ clip: Int, isReversed: Bool) throws
        -> Media
    {
        switch trained {
        case .crossAttention:
            return model.media([try clips.values(clip, reversed: isReversed)])
        case .wiring:
            let features = try clips.values(clip)
            guard let resampler = model.resampler else {
                throw TrainingError.recipe(
                    found: "a model without a resampler", expected: "one to train")
            }
            return model.media([
                try resampler(isReversed ? features.reversedRows() : features)
            ])
        }
    }

    private func score(_ model: Flamingo, _ text: TrainingDocument, media: (Int) -> Media?) throws
        -> ScoredDocument
    {
        let seen = text.clips.compactMap(media)
        var sequence = model.sequence(media: seen.reduce(.none) { $0.followed(by: $1) })
        let hidden = try model(Array(text.ids.dropLast()), sequence: &sequence)
        return ScoredDocument(text) { model.language.logits(hidden.gathered($0)) }
    }

    package func evaluate(_ parameters: [String: Tensor]) throws -> [(name: String, score: Double)]
    {
        let model = try model(parameters)
        var random = RandomStream(seed: VisionStage.heldOutSeed, purpose: 19)
        let pool = ClipPool(heldOut.facts)
        let writer = DocumentWriter(encoder, labels: .heldOut, hasClips: true)
        var media: [Int: Media] = [:]
        var meter = TrainingMeter()
        for attribute in ShotAttribute.allCases {
            for (name, kind) in [
                ("question", DocumentKind.question(attribute)),
                ("labels", .labels(attribute, count: 2)),
            ] {
                for _ in 0..<16 {
                    guard
                        let text = writer.document(kind, over: pool, pairs: 5, random: &random)
                    else { continue }
                    for clip in text.clips where media[clip] == nil {
                        media[clip] = try self.media(model, heldOut, clip, isReversed: false)
                    }
                    let (right, count) = try score(model, text) { media[$0] }.knownAnswers
                    meter.add("\(name)_\(attribute.rawValue)", right, count)
                }
            }
        }
        return meter.summary().map { ($0.name, $0.mean) }
    }
}
