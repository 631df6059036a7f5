//! A training recipe: the model's sizes and every stage's numbers, as a YAML file says them.
package import WadeFlamingo
package import WadePipeline
package import WadeTensor

/// What `wade train` does from nothing to a bundle.
package struct TrainingRecipe: Sendable, Equatable {
    /// The numbers of a stage and the shape of its batches.
    package struct Stage: Sendable, Equatable {
        package var settings: StageSettings
        /// Parts of a batch, each with a tape of its own.
        package var parts: Int
        /// Frames, tokens or clips of a part, as the stage counts.
        package var partSize: Int
        /// Datasets and their weights, for stages on clips with text.
        package var mixture: [MixtureEntry] = []
        /// The share of the steps with repetition alone (language only).
        package var repetitionShare: Double = 0
        /// In which linear layers multiply while the stage is trained; everything else, sums and optimiser included, is float32.
        package var precision: Precision
    }

    /// The bundle's name.
    package var name: String
    package var seed: UInt64
    /// Tokens of the vocabulary, the special ones included.
    package var configuration: FlamingoConfiguration
    package var vision: Stage
    package var language: Stage
    package var resampler: Stage
    package var crossAttention: Stage
    package var wiring: Stage
    /// Rendered clips to train on.
    package var clips: Int
    /// Rendered clips that nothing is trained on.
    package var heldOutClips: Int

    /// Clips of a shard of the store.
    static let clipsPerShard = 200

    /// The recipe in the YAML file at `path`; throws `pipeline` with the place of the first fault.
    package static func read(_ path: PathBytes) throws -> TrainingRecipe {
        try TrainingRecipeReader(path: path).read()
    }

    /// What decides a stage's numbers, in words: a checkpoint of another one is refused. `earlier` is the digest of the parameters that
    /// it builds on. The number of steps may be raised later.
    func identity(of stage: Stage, _ name: String, earlier: String) -> String {
        var settings = stage.settings
        settings.steps = 0
        settings.evaluateEvery = 0
        settings.checkpointSeconds = 0
        return
            "\(name) seed \(seed) \(stage.precision.rawValue) \(configuration) \(settings) \(stage.parts)x\(stage.partSize) "
            + "\(stage.repetitionShare) \(stage.mixture) \(clips) clips, behind \(earlier)"
    }
}
