//! The numbers of a stage: how long, how fast, how seeded.
internal import Foundation

/// What a recipe says about the optimisation of a stage.
package struct StageSettings: Sendable, Equatable {
    /// Optimiser steps.
    package var steps: Int
    /// The highest learning rate.
    package var learningRate: Float
    /// Steps over which the learning rate rises from 0.
    package var warmup: Int
    /// The share of the steps after which the learning rate falls by a half cosine to a fiftieth.
    package var constantShare: Float
    package var weightDecay: Float
    package var beta1: Float
    package var beta2: Float
    /// The largest norm of the gradient over all parameters.
    package var clip: Float
    /// Everything random follows from this.
    package var seed: UInt64
    /// Steps between two evaluations; there is one at the end, too. 0 for none.
    package var evaluateEvery: Int
    /// Seconds between two checkpoints.
    package var checkpointSeconds: Int

    package init(
        steps: Int, learningRate: Float, warmup: Int = 100, constantShare: Float = 0,
        weightDecay: Float = 0.05, beta1: Float = 0.9, beta2: Float = 0.95, clip: Float = 1,
        seed: UInt64 = 0, evaluateEvery: Int = 500, checkpointSeconds: Int = 60
    ) {
        self.steps = steps
        self.learningRate = learningRate
        self.warmup = warmup
        self.constantShare = constantShare
        self.weightDecay = weightDecay
        self.beta1 = beta1
        self.beta2 = beta2
        self.clip = clip
        self.seed = seed
        self.evaluateEvery = evaluateEvery
        self.checkpointSeconds = checkpointSeconds
    }

    /// The learning rate of a step, counted from 0.
    package func learningRate(at step: Int) -> Float {
        let rise = min(1, Float(step + 1) / Float(max(warmup, 1)))
        let done = Float(step) / Float(max(steps, 1))
        guard done > constantShare else { return learningRate * rise }
        let fall = (done - constantShare) / max(1 - constantShare, 1e-6)
        return learningRate * rise * max(0.02, 0.5 * (1 + cos(.pi * fall)))
    }
}
