//! A text to learn from: tokens, how much each counts in the loss, and the clips behind its `<image>` tokens.

/// A document as the model takes it.
struct TrainingDocument: Sendable {
    /// The token ids.
    private(set) var ids: [Int] = []
    /// The loss weight of predicting each token; as many as there are ids, the first is 0.
    private(set) var weights: [Float] = []
    /// The clips of the `<image>` tokens in their order, as places in the pool.
    private(set) var clips: [Int] = []
    /// Where each pair's answer stands among the ids, without what ends it.
    private(set) var answers: [Range<Int>] = []

    /// The labels that the last answer is one of; empty where the answer is free.
    var candidates: [[Int]] = []
    /// What the last pair asks, and its true value; nil for a caption.
    var asked: (attribute: ShotAttribute, value: String)?

    /// Nothing but the token that begins every text, where there is one.
    init(beginningWith id: Int?) {
        if let id { append([id], weight: 0) }
    }

    /// Adds tokens that count `weight` each.
    mutating func append(_ tokens: [Int], weight: Float) {
        ids += tokens
        weights += tokens.map { _ in weight }
    }

    /// Adds an `<image>` token and the clip behind it; nil where words take the picture's place.
    mutating func append(image id: Int, clip: Int?, weight: Float = 0) {
        append([id], weight: weight)
        if let clip { clips.append(clip) }
    }

    /// Adds an answer.
    mutating func append(answer tokens: [Int], weight: Float) {
        answers.append(ids.count..<ids.count + tokens.count)
        append(tokens, weight: weight)
    }

    /// The targets of each position but the last: the token that follows.
    var targets: [Int] { Array(ids.dropFirst()) }

    /// The weights of the targets.
    var targetWeights: [Float] { Array(weights.dropFirst()) }
}
