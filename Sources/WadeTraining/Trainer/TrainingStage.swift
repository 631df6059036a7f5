//! What a stage of training gives the trainer: parameters, batches, a loss.
package import WadeTensor

/// A stage of the paper's recipe: which parameters are trained, on what, by which loss.
///
/// A step's batch comes in parts, each with a tape of its own; what a part holds depends on the step, the part and the seed alone,
/// so that neither the number of workers nor an interruption changes a number.
package protocol TrainingStage: Sendable {
    /// What the stage is called in recipes, logs and checkpoints.
    var name: String { get }

    /// The trained parameters at the start, by canonical name; heads that are thrown away afterwards included.
    func initialParameters() throws -> [String: Tensor]

    /// The number of parts that a step's batch comes in.
    var parts: Int { get }

    /// The mean loss of one part of a step's batch. `parameters` are watched; `tape` is theirs.
    func loss(_ parameters: [String: Tensor], step: Int, part: Int) throws -> PartialLoss

    /// The factor on the learning rate of a parameter.
    func learningRateFactor(of parameter: String) -> Float

    /// Held-out scores, by name, between 0 and 1 where they are accuracies.
    func evaluate(_ parameters: [String: Tensor]) throws -> [(name: String, score: Double)]
}

/// The loss of a part of a batch.
package struct PartialLoss {
    /// One number, on the part's tape.
    package var loss: Tensor
    /// What the log shows beside it: sums and counts by name.
    package var measures: [(name: String, sum: Double, count: Double)]

    package init(loss: Tensor, measures: [(name: String, sum: Double, count: Double)] = []) {
        self.loss = loss
        self.measures = measures
    }
}
