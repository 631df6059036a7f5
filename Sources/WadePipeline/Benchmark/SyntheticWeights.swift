//! Weights that cost nothing to make, for measuring.
import WadeFlamingo
import WadeTensor

/// Weights of the right shape and scale whose values say nothing.
enum SyntheticWeights {
    /// Tensors that are made when a layer asks for them, so that a packed layer's float32 original is gone before the next is made.
    static var weights: Weights {
        let pattern = pattern
        return Weights(makingTensorsWith: { name, shape in tensor(name, shape, pattern) })
    }

    /// A prime number of values, so that the rows of a matrix differ, from -√3 to √3: of variance 1.
    private static var pattern: [Float] {
        var random = SplitMix64(seed: 1)
        return (0..<4093).map { _ in
            (Float(random.next() >> 40) / Float(1 << 24) * 2 - 1) * Float(3).squareRoot()
        }
    }

    private static func tensor(_ name: String, _ shape: Shape, _ pattern: [Float]) -> Tensor {
        // The module that the parameter belongs to: `norm`, `norm_media`, `attention_norm`, …
        let owner = name.split(separator: ".").dropLast().last ?? ""
        if owner.contains("norm") {
            return Tensor(repeating: name.hasSuffix("weight") ? 1 : 0, shape: shape)
        }
        if name.hasSuffix("bias") { return .zeros(shape) }
        // What a normalizer-free network multiplies standardised weights and branches with.
        if name.hasSuffix("gain") { return Tensor(repeating: 1, shape: shape) }
        if name.hasSuffix("gate") { return Tensor(repeating: 0.5, shape: shape) }
        // A product keeps the scale of what it is given; the sums of residual branches then grow slowly.
        let scale = 1 / Float(max(shape[-1], 1)).squareRoot()
        return Tensor(cycling: pattern.map { $0 * scale }, shape: shape)
    }
}
