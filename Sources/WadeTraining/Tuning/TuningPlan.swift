//! What `wade train --from` is asked to do.
package import WadePipeline

/// A tuning of a bundle's wiring, with every number decided.
package struct TuningPlan: Sendable {
    /// The folder of the bundle to begin with.
    package var bundle: String
    /// The user's clips, one JSON object a line.
    package var data: PathBytes
    /// Whose tasks, templates and sampling are used; nil for OpenFlamingo's templates and 8 frames.
    package var pipeline: Pipeline?
    /// The folder of the new bundle.
    package var output: String
    /// Optimiser steps.
    package var steps: Int
    /// The highest learning rate of the wiring.
    package var learningRate: Float
    /// The highest learning rate of the vision encoder; nil keeps it frozen.
    package var visionLearningRate: Float?
    /// Sequences of a step.
    package var batch: Int
    package var seed: UInt64
    /// The share of the clips that nothing is learned from.
    package var heldOut: Double
    /// Steps between two scores.
    package var evaluateEvery: Int

    package init(bundle: String, data: PathBytes, output: String) {
        self.bundle = bundle
        self.data = data
        self.output = output
        steps = Self.standardSteps
        learningRate = Self.standardLearningRate
        batch = Self.standardBatch
        seed = 1
        heldOut = Self.standardHeldOut
        evaluateEvery = Self.standardEvaluateEvery
    }

    /// Enough for a few hundred clips in words that a model nearly knows.
    package static let standardSteps = 300
    package static let standardLearningRate: Float = 0.0005
    package static let standardBatch = 16
    package static let standardHeldOut = 0.1
    package static let standardEvaluateEvery = 50

    /// The numbers of the stage. Warm-up is short: the optimiser's state begins anew, the parameters do not.
    var settings: StageSettings {
        StageSettings(
            steps: steps, learningRate: learningRate, warmup: 10, constantShare: 0.5,
            weightDecay: 0.01, seed: seed, evaluateEvery: heldOut > 0 ? evaluateEvery : 0)
    }
}
