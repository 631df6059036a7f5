//! A clip as one vector: what demonstrations are found by.

package import WadeTensor

/// The mean of a clip's features (F, V, D) over frames and patches, divided by its length: D values whose products with others of
/// their kind are cosines. Flamingo's RICES compares features of the frozen vision encoder, too (Yang et al., arXiv 2109.05014).
/// A clip whose features are all zero stays zero, similar to nothing.
package func clipEmbedding(ofFeatures features: Tensor) -> [Float] {
    let (width, rows) = (features.width, features.rows)
    var sums = [Double](repeating: 0, count: width)
    let values = features.values
    for row in 0..<rows {
        for column in 0..<width { sums[column] += Double(values[row * width + column]) }
    }
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return sums.map { Float(length > 0 ? $0 / length : 0) }
}

/// The cosine of the angle between two embeddings, at most 1.
package func similarity(_ one: [Float], _ other: [Float]) -> Double {
    precondition(one.count == other.count, "embeddings of \(one.count) and \(other.count)")
    var sum = 0.0
    for place in one.indices { sum += Double(one[place]) * Double(other[place]) }
    return min(1, sum)
}
