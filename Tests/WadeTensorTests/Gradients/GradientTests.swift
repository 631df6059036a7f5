//! Every operation's gradient against central finite differences.
import Foundation
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("Gradients of single operations")
struct GradientTests {
    @Test(
        "sums, differences and products pass gradients to both sides, also to a row that is repeated"
    )
    func arithmetic() {
        let (a, b, row) = (noise([3, 4]), noise([3, 4], seed: 2), noise([4], seed: 3))
        expectGradients(of: "a + b", [a, b]) { $0[0] + $0[1] }
        expectGradients(of: "a + row", [a, row]) { $0[0] + $0[1] }
        expectGradients(of: "a - row", [a, row]) { $0[0] - $0[1] }
        expectGradients(of: "a * b", [a, b]) { $0[0] * $0[1] }
        expectGradients(of: "a * row", [a, row]) { $0[0] * $0[1] }
        expectGradients(of: "a * a + a", [a]) { $0[0] * $0[0] + $0[0] }
        expectGradients(of: "a * 3", [a]) { $0[0].scaled(by: 3) }
        expectGradients(of: "add scaled", [a, b]) { inputs in
            var sum = inputs[0]
            sum.add(inputs[1], scaledBy: -0.5)
            sum += inputs[0]
            return sum
        }
        expectGradients(of: "gate", [a, b, noise([1], seed: 4)]) { inputs in
            var sum = inputs[0]
            sum.add(inputs[1], gatedBy: inputs[2])
            return sum
        }
        expectGradients(of: "tanh", [a]) { $0[0].tanh() }
    }

    @Test("moving values about moves their gradients back")
    func movement() {
        let (a, b) = (noise([4, 6]), noise([2, 6], seed: 2))
        expectGradients(of: "reshaped", [a]) { $0[0].reshaped([3, 8]) * noise([3, 8], seed: 5) }
        expectGradients(of: "columns", [a]) { $0[0].columns(1..<4) * $0[0].columns(2..<5) }
        expectGradients(of: "row", [a]) { $0[0][2] * $0[0][1] }
        expectGradients(of: "rows", [a]) { $0[0][1..<3] * $0[0][2..<4] + $0[0][0..<4][1..<3] }
        expectGradients(of: "concatenated", [a, b]) { x in
            Tensor.concatenated([x[0], x[1], x[0]]) * noise([10, 6], seed: 6)
        }
        expectGradients(of: "gathered", [a]) { $0[0].gathered([3, 0, 3, 3]) * noise([4, 6]) }
        expectGradients(of: "transposed", [a]) { $0[0].transposed() * noise([6, 4], seed: 7) }
        expectGradients(of: "patches", [noise([2, 3, 5, 4])]) { $0[0].patches(side: 2) }
        expectGradients(of: "growing rows", [a, b]) { x in
            var rows = GrowingRows(width: 6)
            rows.append(noise([1, 6], seed: 8))
            rows.append(x[0])
            rows.append(x[1])
            rows.truncate(to: 6)
            rows.append(noise([1, 6], seed: 8))
            return rows.tensor * noise([7, 6], seed: 9)
        }
    }

    @Test(
        "a linear layer passes gradients to input, weight and bias",
        arguments: MatrixEngine.allCases)
    func linear(engine: MatrixEngine) {
        let inputs = [noise([2, 3, 5]), noise([4, 5], seed: 2), noise([4], seed: 3)]
        expectGradients(of: "linear", inputs) { x in
            // Constants would be packed for oneDNN; the differences take the same road.
            Linear(weight: x[1], bias: x[2], arithmetic: Arithmetic(engine: .openBLAS))(x[0])
        }
        let tape = Tape()
        let weight = tape.watch(inputs[1])
        let layer = Linear(weight: weight, arithmetic: Arithmetic(engine: engine))
        let gradient = tape.gradients(of: layer(inputs[0]).sum(), for: [weight])[0]
        let sums = inputs[0].reshaped([6, 5]).meanOfRows() * 6
        expectClose(
            gradient, Tensor.concatenated([sums, sums, sums, sums]), within: 1e-5, engine.rawValue)
        expectGradients(of: "a · bᵀ", [noise([3, 5]), noise([4, 5], seed: 2)]) {
            $0[0].matmul(transposed: $0[1], engine: engine)
        }
        expectGradients(of: "a · b", [noise([3, 5]), noise([5, 4], seed: 2)]) {
            $0[0].matmul($0[1], engine: engine)
        }
    }

    @Test("norms pass gradients to input, weight and bias, per row and per head")
    func norms() {
        for width in [3, 9, 18] {
            let x = noise([2, 18]) * 2
            let (weight, bias) = (noise([width], seed: 2), noise([width], seed: 3))
            expectGradients(of: "layer norm \(width)", [x, weight, bias], within: 3e-3) {
                LayerNorm(weight: $0[1], bias: $0[2], epsilon: 0.1)($0[0])
            }
            expectGradients(of: "layer norm without bias \(width)", [x, weight], within: 3e-3) {
                LayerNorm(weight: $0[1], bias: nil, epsilon: 0.1)($0[0])
            }
            expectGradients(of: "RMS norm \(width)", [x, weight], within: 3e-3) {
                RMSNorm(weight: $0[1], epsilon: 0.1)($0[0])
            }
        }
        expectGradients(of: "normalised rows", [noise([3, 11])]) { $0[0].normalizedRows() }
    }

    @Test("an activation's gradient is its slope", arguments: Activation.allCases)
    func activations(activation: Activation) {
        // Off the kink of relu, which has no slope at 0.
        let x = Tensor(
            noise([37]).values.map { abs($0) < 0.1 ? 0.5 : 4 * $0 }, shape: [37])
        expectGradients(of: activation.rawValue, [x]) { activation($0[0]) }
    }

    @Test("a rotary embedding turns gradients back")
    func rotary() {
        let rotary = RotaryEmbedding(rotatedWidth: 4, base: 10000)
        expectGradients(of: "rotary", [noise([3, 12])]) { rotary($0[0], heads: 2, position: 5) }
    }

    @Test("attention passes gradients to queries, keys and values under every mask")
    func attention() {
        let (q, k1, v1) = (noise([5, 6]), noise([3, 6], seed: 2), noise([3, 6], seed: 3))
        let (k2, v2) = (noise([4, 6], seed: 4), noise([4, 6], seed: 5))
        let windows: [KeyWindow] = [.nothing, .keys(1..<6), .keys(1..<6), .uniform, .keys(4..<7)]
        let masks: [(String, AttentionMask)] = [
            ("none", .none), ("causal", .causal(past: 2)), ("windows", .windows(windows)),
        ]
        for (name, mask) in masks {
            for engine in MatrixEngine.allCases {
                let attention = Attention(heads: 2, scale: 0.6, engine: engine)
                expectGradients(of: "\(name) on \(engine.rawValue)", [q, k1, k2, v1, v2]) { x in
                    attention(x[0], keys: [x[1], x[2]], values: [x[3], x[4]], mask: mask)
                }
            }
        }
        let biased = Attention(
            heads: 2, scale: 0.6, alibiSlopes: [0.5, 0.1], engine: .openBLAS)
        expectGradients(of: "ALiBi", [q, noise([5, 6], seed: 2), noise([5, 6], seed: 3)]) { x in
            biased(x[0], keys: [x[1]], values: [x[2]], mask: .causal(past: 0))
        }
        // A frozen piece beside a trained one.
        expectGradients(of: "one piece frozen", [q, k2, v2]) { x in
            biased(x[0], keys: [k1, x[1]], values: [v1, x[2]], mask: .causal(past: 2))
        }
    }

    @Test("losses and reductions have the gradients of their definitions")
    func losses() {
        let x = noise([4, 9])
        let weights: [Float] = [1, 0, 0.25, 2]
        expectGradients(of: "cross entropy", [x]) {
            $0[0].crossEntropy(targets: [3, -1, 8, 0], weights: weights)
        }
        // Its slope has a kink at ±1, which differences smear over 2h.
        expectGradients(of: "smooth L1", [x], within: 1e-2) {
            $0[0].scaled(by: 2.5).smoothL1(target: noise([4, 9], seed: 2), weights: weights)
        }
        expectGradients(of: "sum", [x]) { $0[0].sum() }
        expectGradients(of: "dot", [x, noise([4, 9], seed: 2)]) { $0[0].dot($0[1]) }
        expectGradients(of: "mean of rows", [x]) { $0[0].meanOfRows() }
        expectGradients(of: "softmax", [x]) { $0[0].softmaxed() }
    }

    @Test("cross entropy is the weighted sum of -log softmax")
    func crossEntropy() {
        let x = noise([2, 5])
        let values = x.values.map(Double.init)
        let expected = (0..<2).reduce(0.0) { sum, row in
            let line = values[row * 5..<row * 5 + 5]
            let total = line.map { exp($0) }.reduce(0, +)
            return sum + Double(row + 1) * (log(total) - line[row * 5 + 2])
        }
        let found = x.crossEntropy(targets: [2, 2], weights: [1, 2])
        #expect(abs(Double(found.values[0]) - expected) < 1e-5)
    }
}

@Suite("The tape")
struct TapeTests {
    @Test("a leaf that the loss does not depend on has a gradient of zeros")
    func unused() {
        let tape = Tape()
        let (used, unused) = (tape.watch(noise([2, 3])), tape.watch(noise([4])))
        _ = unused * 2
        let gradients = tape.gradients(of: used.sum(), for: [unused, used])
        #expect(gradients[0].values == [0, 0, 0, 0] && gradients[0].shape == [4])
        #expect(gradients[1].values == [Float](repeating: 1, count: 6))
    }

    @Test("operations on constants record nothing, and a written tensor is a constant again")
    func constants() {
        let tape = Tape()
        let watched = tape.watch(noise([2, 3]))
        #expect(!(noise([2, 3]) + noise([2, 3])).isWatched)
        #expect((watched + noise([2, 3])).isWatched && watched.reshaped([6]).isWatched)
        var written = watched
        unsafe written.withMutableValues { unsafe $0[0] = 5 }
        #expect(!written.isWatched && watched.isWatched)
    }

    @Test("gradients have the same bits in every run")
    func deterministic() {
        func gradients() -> [[UInt32]] {
            let tape = Tape()
            let (x, w) = (tape.watch(noise([33, 40])), tape.watch(noise([40, 40], seed: 2)))
            let layer = Linear(weight: w, arithmetic: Arithmetic(engine: .openBLAS))
            let loss = Activation.gelu(layer(x) + layer(x * 2)).sum()
            return tape.gradients(of: loss, for: [x, w]).map { $0.values.map(\.bitPattern) }
        }
        let first = gradients()
        for _ in 0..<5 { #expect(gradients() == first) }
    }

    @Test("a used tape keeps nothing alive")
    func lifetime() {
        weak var seen: Tape?
        do {
            let tape = Tape()
            seen = tape
            let x = tape.watch(noise([3, 3]))
            let norm = LayerNorm(weight: tape.watch(noise([3])), bias: nil, epsilon: 0.1)
            // Never asked for gradients: the records must not hold the tape.
            _ = norm(Activation.gelu(x + x)).sum()
        }
        #expect(seen == nil)
    }

    @Test("a convolution of a watched tensor traps rather than forget its gradient")
    func convolution() async {
        await #expect(processExitsWith: .failure) {
            let layer = Convolution(
                weight: Tensor.zeros([2, 3, 3, 3]), arithmetic: Arithmetic(engine: .openBLAS))
            _ = layer(Tape().watch(Tensor.zeros([1, 4, 4, 3])))
        }
    }

    @Test("the exponential is the C library's to two units in the last place")
    func exponentials() {
        // Down to −87.3; below, float32 has no normal numbers and the result is 0.
        for step in 0..<19_970 {
            let x = -Float(step) * 0.00437
            let found = exponential(SIMD8<Float>(repeating: x))[3]
            let expected = Float(exp(Double(x)))
            #expect(abs(found - expected) <= 2 * expected.ulp, "exp(\(x))")
        }
        #expect(exponential(SIMD8<Float>(repeating: -.infinity))[0] == 0)
        #expect(exponential(SIMD8<Float>(repeating: 0))[0] == 1)
    }
}
