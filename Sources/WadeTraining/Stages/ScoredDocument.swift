//! A document's loss and which of its answers the model would have given.
internal import WadeTensor

/// The logits of a document where they count.
struct ScoredDocument {
    /// Σ weight · cross-entropy, one number.
    let loss: Tensor
    /// Of the answers that can be known, how many were right in every token, and how many there are.
    let knownAnswers: (right: Double, count: Double)
    /// Whether each answer was right in every token, in the order of the pairs.
    let answersRight: [Bool]

    /// `logits` gives those of some positions (rows), each of which predicts the token after it.
    init(_ document: TrainingDocument, logits: ([Int]) -> Tensor) {
        let (targets, weights) = (document.targets, document.targetWeights)
        let answerRows = Set(document.answers.flatMap { $0.map { $0 - 1 } })
        let rows = targets.indices.filter { weights[$0] > 0 || answerRows.contains($0) }
        let scores = logits(rows)
        loss = scores.crossEntropy(
            targets: rows.map { targets[$0] }, weights: rows.map { weights[$0] })
        let (values, width) = (scores.values, scores.width)
        var right: Set<Int> = []
        for (place, row) in rows.enumerated() where answerRows.contains(row) {
            let line = values[place * width..<(place + 1) * width]
            if line.indices.max(by: { line[$0] < line[$1] }) == place * width + targets[row] {
                right.insert(row)
            }
        }
        answersRight = document.answers.map { $0.allSatisfy { right.contains($0 - 1) } }
        var counted = (right: 0.0, count: 0.0)
        for (answer, isRight) in zip(document.answers, answersRight)
        where document.weights[answer.lowerBound] == 1 {
            counted.count += 1
            if isRight { counted.right += 1 }
        }
        knownAnswers = counted
    }
}
