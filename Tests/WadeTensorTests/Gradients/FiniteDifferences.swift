//! Gradients from the tape against differences of the function itself.
import Testing
import WadeTestSupport

@testable import WadeTensor

/// Numbers in [−1, 1) that are the same in every run.
func noise(_ shape: Shape, seed: UInt64 = 1) -> Tensor {
    var state = seed &* 0x9E37_79B9_7F4A_7C15
    let values = (0..<shape.elementCount).map { _ -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 23) - 1
    }
    return Tensor(values, shape: shape)
}

/// Records an issue unless the tape's gradient of Σ cᵢ·f(x)ᵢ (fixed random c) is that of central differences, for every value of every input.
///
/// Differences of fourth order with h = 0.02: what they leave out is of the order h⁴ = 2e-7, and rounding a result of a few
/// hundred float32 operations divided by h leaves some 1e-4 of the largest slope.
func expectGradients(
    of what: String, _ inputs: [Tensor], within tolerance: Float = 1e-3,
    sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) -> Tensor
) {
    let tape = Tape()
    let watched = inputs.map { tape.watch($0) }
    let result = function(watched)
    let coefficients = noise([result.count], seed: 99)
    let found = tape.gradients(
        of: result.reshaped([result.count]).dot(coefficients), for: watched)
    func value(_ input: Int, _ index: Int, _ shift: Float) -> Double {
        var moved = inputs
        var values = moved[input].values
        values[index] += shift
        moved[input] = Tensor(values, shape: moved[input].shape)
        return zip(function(moved).values, coefficients.values).reduce(0) {
            $0 + Double($1.0) * Double($1.1)
        }
    }
    let h: Float = 0.02
    for input in inputs.indices {
        let expected = (0..<inputs[input].count).map { index -> Float in
            let near = value(input, index, h) - value(input, index, -h)
            let far = value(input, index, 2 * h) - value(input, index, -2 * h)
            return Float((8 * near - far) / (12 * Double(h)))
        }
        let largest = max(1, expected.map(abs).max() ?? 1)
        expectClose(
            found[input], Tensor(expected, shape: inputs[input].shape),
            within: tolerance * largest, "\(what), input \(input)", sourceLocation: sourceLocation)
        #expect(
            found[input].shape == inputs[input].shape, "\(what)", sourceLocation: sourceLocation)
    }
}
