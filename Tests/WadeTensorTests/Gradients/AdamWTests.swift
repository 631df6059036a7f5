//! The optimiser against its definition in double precision.
import Foundation
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("AdamW")
struct AdamWTests {
    private func gradient(_ step: Int) -> Tensor { noise([7], seed: UInt64(10 + step)) }

    @Test("five steps are PyTorch's formula, with factors for rate and decay")
    func formula() {
        var optimiser = AdamW(
            learningRate: 0.01, betas: (0.9, 0.95), epsilon: 1e-8, weightDecay: 0.1)
        optimiser.learningRateFactors["w"] = 5
        optimiser.decayFactors["w"] = 0.5
        var parameters = ["w": noise([7])]
        var expected = noise([7]).values.map(Double.init)
        var (m, v) = ([Double](repeating: 0, count: 7), [Double](repeating: 0, count: 7))
        for step in 1...5 {
            optimiser.update(&parameters, gradients: ["w": gradient(step)])
            for (i, g) in gradient(step).values.map(Double.init).enumerated() {
                expected[i] *= 1 - 0.05 * 0.05
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.95 * v[i] + 0.05 * g * g
                let (mean, square) = (
                    m[i] / (1 - pow(0.9, Double(step))), v[i] / (1 - pow(0.95, Double(step)))
                )
                expected[i] -= 0.05 * mean / (square.squareRoot() + 1e-8)
            }
        }
        // Rounding of five steps of at most 0.05.
        expectClose(
            parameters["w"] ?? Tensor.zeros([7]), Tensor(expected.map(Float.init), shape: [7]),
            within: 1e-6, "after five steps")
        #expect(optimiser.step == 5)
    }

    @Test(
        "a restored optimiser goes on to the bit, and parameters without a gradient stay to the bit"
    )
    func restored() throws {
        var (one, two) = (AdamW(learningRate: 0.01), AdamW(learningRate: 0.01))
        var parameters = ["a": noise([7]), "b": noise([7], seed: 2), "frozen": noise([3], seed: 3)]
        for step in 0..<3 {
            one.update(&parameters, gradients: ["a": gradient(step), "b": gradient(step + 50)])
        }
        var others = parameters.mapValues { $0.copy() }
        try two.restore(one.state.mapValues { $0.copy() }, file: "state")
        one.update(&parameters, gradients: ["a": gradient(9), "b": gradient(8)])
        two.update(&others, gradients: ["a": gradient(9), "b": gradient(8)])
        for name in parameters.keys {
            #expect(parameters[name]?.values == others[name]?.values, "\(name)")
        }
        #expect(parameters["frozen"]?.values == noise([3], seed: 3).values)
        #expect(throws: TensorError.self) { try two.restore([:], file: "state") }
        var state = one.state
        state["second.a"] = nil
        #expect(throws: TensorError.self) { try two.restore(state, file: "state") }
    }

    @Test("gradients longer than the limit are shortened together, shorter ones stay")
    func clipping() {
        var gradients = ["a": Tensor([3, 0], shape: [2]), "b": Tensor([4], shape: [1])]
        #expect(clipGradientNorm(&gradients, to: 10) == 5)
        #expect(gradients["a"]?.values == [3, 0])
        #expect(clipGradientNorm(&gradients, to: 1) == 5)
        expectClose(
            gradients["b"] ?? Tensor.zeros([1]), Tensor([0.8], shape: [1]), within: 1e-6, "b")
    }
}
