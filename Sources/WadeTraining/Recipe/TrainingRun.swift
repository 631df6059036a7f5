//! From nothing to a bundle: the stages one after the other, each of which goes on where it was stopped.
internal import Foundation
internal import WadeFlamingo
package import WadePipeline
internal import WadeTensor
internal import WadeTokenizer

/// A training run in a folder of its own.
package struct TrainingRun {
    private let recipe: TrainingRecipe
    private let folder: String
    private let workers: Int
    private let log: TrainingLog
    private let stop: StopRequest
    /// Rendered clips of the vision stage and of the store never meet.
    private static let storeSeed: UInt64 = 0x5709_0000_0000

    package init(
        _ recipe: TrainingRecipe, folder: String, workers: Int, log: TrainingLog, stop: StopRequest
    ) {
        self.recipe = recipe
        self.folder = folder
        self.workers = workers
        self.log = log
        self.stop = stop
    }

    /// The stages in their order; the last one writes the bundle.
    package enum Stage: String, CaseIterable, Sendable {
        case vision, language, features, resampler
        case visualTokens = "visual_tokens"
        case crossAttention = "cross_attention"
        case wiring, bundle
    }

    /// Trains up to and including `last`; false when a stop was wished first.
    package func run(until last: Stage = .bundle) throws -> Bool {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var parameters: [String: Tensor] = [:]
        let encoder = try encoder()
        var configuration = recipe.configuration
        configuration.language.vocabularySize = encoder.tokenizer.vocabularyCount
        let renderer = ClipRenderer()
        var (features, heldOut): (ClipStore?, ClipStore?)
        var (tokens, heldOutTokens): (ClipStore?, ClipStore?)
        for stage in Stage.allCases {
            var trained: [String: Tensor]? = [:]
            let earlier = ParameterDigest(parameters).text
            // What sees clips: the language model has no part in it.
            let eye = ParameterDigest(parameters.filter { !$0.key.hasPrefix("language.") }).text
            switch stage {
            case .vision:
                guard let vision = configuration.vision.transformer else {
                    throw TrainingError.recipe(
                        found: "a vision encoder that is no transformer", expected: "one to train")
                }
                trained = try train(
                    VisionStage(
                        vision, renderer: renderer, seed: recipe.seed,
                        parts: recipe.vision.parts, framesPerPart: recipe.vision.partSize,
                        arithmetic: arithmetic(recipe.vision)),
                    recipe.vision)
            case .language:
                trained = try train(
                    LanguageStage(
                        configuration, encoder: encoder, seed: recipe.seed,
                        parts: recipe.language.parts, tokensPerPart: recipe.language.partSize,
                        steps: recipe.language.settings.steps,
                        repetitionShare: recipe.language.repetitionShare,
                        arithmetic: arithmetic(recipe.language)), recipe.language)
            case .features:
                let vision = try VisionEncoder(
                    Weights(parameters: parameters, file: folder)["vision"],
                    configuration.vision, arithmetic: Arithmetic())
                features = try builder("clips", seenBy: eye).features(
                    configuration, vision, renderer: renderer, firstSeed: Self.storeSeed,
                    count: recipe.clips)
                heldOut = try builder("held-out-clips", seenBy: eye).features(
                    configuration, vision, renderer: renderer,
                    firstSeed: VisionStage.heldOutSeed, count: recipe.heldOutClips)
                if features == nil || heldOut == nil { trained = nil }
            case .resampler:
                guard let features, let heldOut else { return false }
                trained = try train(
                    ResamplerStage(
                        configuration, clips: features, heldOut: heldOut, seed: recipe.seed,
                        parts: recipe.resampler.parts, clipsPerPart: recipe.resampler.partSize,
                        arithmetic: arithmetic(recipe.resampler)),
                    recipe.resampler, behind: eye)
            case .visualTokens:
                guard let features, let heldOut else { return false }
                let resampler = try PerceiverResampler(
                    Weights(parameters: parameters, file: folder)["resampler"],
                    configuration.resampler, arithmetic: Arithmetic())
                tokens = try builder("visual-tokens", seenBy: eye).visualTokens(
                    of: features, resampler)
                heldOutTokens = try builder("held-out-visual-tokens", seenBy: eye).visualTokens(
                    of: heldOut, resampler)
                if tokens == nil || heldOutTokens == nil { trained = nil }
            case .crossAttention:
                guard let tokens, let heldOutTokens else { return false }
                trained = try train(
                    flamingo(
                        .crossAttention, configuration, parameters, encoder, tokens,
                        heldOutTokens, recipe.crossAttention), recipe.crossAttention,
                    behind: earlier)
            case .wiring:
                guard let features, let heldOut else { return false }
                trained = try train(
                    flamingo(
                        .wiring, configuration, parameters, encoder, features, heldOut,
                        recipe.wiring), recipe.wiring, behind: earlier)
            case .bundle:
                let bundle = folder + "/" + recipe.name
                try TrainedBundle(configuration: configuration, parameters: parameters)
                    .write(to: bundle, tokenizer: tokenizerPath)
                try TrainingCurves(log: log.path).write(to: bundle + "/curves.png")
                try card.write(to: bundle)
            }
            guard let trained else { return false }
            parameters.merge(trained) { _, new in new }
            if stage == last { break }
        }
        return true
    }

    /// The card of the bundle, from the recipe and the log.
    private var card: TrainingCard {
        let stages = [
            ("vision", recipe.vision, "frames"), ("language", recipe.language, "tokens"),
            ("resampler", recipe.resampler, "clips"),
            ("cross_attention", recipe.crossAttention, "clips"), ("wiring", recipe.wiring, "clips"),
        ]
        return TrainingCard(
            name: recipe.name,
            introduction: [
                "A Flamingo (Alayrac et al., arXiv 2204.14198) that `wade train` made from nothing, on clips that wade rendered:",
                "\(recipe.clips) for the resampler and the gated cross-attention, \(recipe.heldOutClips) others for the scores,",
                "and clips of their own for the vision encoder. Vision encoder and language model were trained first and then frozen.",
            ], isTrained: { _ in true },
            stages: stages.map { name, stage, unit in
                TrainingCard.Stage(
                    name: name,
                    batch:
                        "\(stage.parts) × \(stage.partSize) \(unit), \(stage.precision.rawValue)",
                    settings: stage.settings)
            }, history: log.history)
    }

    /// How a stage computes while it trains; the frozen parts look at clips in float32.
    private func arithmetic(_ stage: TrainingRecipe.Stage) -> Arithmetic {
        Arithmetic(precision: stage.precision, allowsGradients: true)
    }

    private var tokenizerPath: String { folder + "/tokenizer.json" }

    private func encoder() throws -> PieceEncoder {
        let json = FlamingletTokenizer.json(
            vocabularySize: recipe.configuration.language.vocabularySize)
        try Data(json).write(to: URL(fileURLWithPath: tokenizerPath), options: .atomic)
        guard let encoder = PieceEncoder(try Tokenizer(path: tokenizerPath)) else {
            throw TrainingError.file(
                path: tokenizerPath, found: "a tokenizer without Flamingo's tokens",
                expected: "one with them")
        }
        return encoder
    }

    private func builder(_ name: String, seenBy observer: String) -> ClipStoreBuilder {
        ClipStoreBuilder(
            folder: folder + "/" + name, observer: observer, workers: workers, log: log, stop: stop)
    }

    private func flamingo(
        _ trained: FlamingoStage.Trained, _ configuration: FlamingoConfiguration,
        _ parameters: [String: Tensor], _ encoder: PieceEncoder, _ clips: ClipStore,
        _ heldOut: ClipStore, _ stage: TrainingRecipe.Stage
    ) throws -> FlamingoStage {
        try FlamingoStage(
            trained, configuration, parameters: parameters, encoder: encoder, clips: clips,
            heldOut: heldOut, mixture: stage.mixture, seed: recipe.seed, parts: stage.parts,
            clipsPerPart: stage.partSize, arithmetic: arithmetic(stage))
    }

    /// Trains a stage; what is thrown away after it is left out.
    private func train(
        _ stage: some TrainingStage, _ numbers: TrainingRecipe.Stage, behind earlier: String = ""
    ) throws -> [String: Tensor]? {
        let trainer = Trainer(
            stage, numbers.settings,
            recipe: recipe.identity(of: numbers, stage.name, earlier: earlier),
            folder: folder, workers: workers, log: log, stop: stop)
        return try trainer.run()?.filter { !$0.key.hasPrefix("heads.") }
    }
}
