//! From logits to log-probabilities, and the best tokens among them.

#if canImport(Glibc)
    internal import Glibc
#endif

/// log softmax of one row of logits.
package func logSoftmax(_ logits: [Float]) -> [Float] {
    guard let (largest, logSum) = normalization(logits) else { return [] }
    return logits.map { $0 - largest - logSum }
}

/// The log-probability of `place` alone.
func logSoftmax(_ logits: [Float], at place: Int) -> Float {
    guard let (largest, logSum) = normalization(logits) else { return 0 }
    return logits[place] - largest - logSum
}

/// What is taken off every logit.
private func normalization(_ logits: [Float]) -> (largest: Float, logSum: Float)? {
    guard let largest = logits.max() else { return nil }
    // Sums of many small terms are taken in double precision, as their rounding would show in scores.
    let sum = logits.reduce(0.0) { $0 + exp(Double($1 - largest)) }
    return (largest, Float(log(sum)))
}

/// The index of the largest value; of equals the lowest.
package func argmax(_ values: [Float]) -> Int {
    var best = 0
    for (index, value) in values.enumerated() where value > values[best] { best = index }
    return best
}

/// The `count` largest values with their places, largest first; of equals the lowest place first.
func largest(_ count: Int, of values: [Double]) -> [(value: Double, place: Int)] {
    var kept: [(value: Double, place: Int)] = []
    for (place, value) in values.enumerated() {
        if kept.count == count, let last = kept.last, value <= last.value { continue }
        var at = kept.count
        while at > 0, kept[at - 1].value < value { at -= 1 }
        kept.insert((value, place), at: at)
        if kept.count > count { kept.removeLast() }
    }
    return kept
}
