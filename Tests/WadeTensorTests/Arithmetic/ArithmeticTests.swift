//! Every kernel against its naive definition, over odd sizes and both engines.
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("Kernels and their definitions")
struct ArithmeticTests {
    /// Rounding of a sum of up to 300 products of numbers below one.
    private let tolerance: Float = 2e-5

    @Test("a linear layer is x·Wᵀ + b on both engines", arguments: MatrixEngine.allCases)
    func linear(engine: MatrixEngine) {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (1, 257, 33), (17, 64, 300)] {
            let (x, w, b) = (
                noise([rows, inputs]), noise([outputs, inputs], seed: 2), noise([outputs], seed: 3)
            )
            for bias in [b, nil] {
                let layer = Linear(weight: w, bias: bias, arithmetic: Arithmetic(engine: engine))
                expectClose(
                    layer(x), Linear.naive(x, weight: w, bias: bias), within: tolerance,
                    "\(engine) \(rows)x\(inputs)x\(outputs)")
            }
        }
    }

    @Test("layer norm and RMS norm equal their definitions, per row and per head")
    func norms() {
        for width in [1, 3, 16, 45] {
            let x = noise([5, 2 * width], seed: 7)
            let (w, b) = (noise([width], seed: 5), noise([width], seed: 6))
            for bias in [b, nil] {
                expectClose(
                    LayerNorm(weight: w, bias: bias, epsilon: 1e-5)(x),
                    LayerNorm.naive(x, weight: w, bias: bias, epsilon: 1e-5), within: tolerance,
                    "layer norm \(width)")
            }
            expectClose(
                RMSNorm(weight: w, epsilon: 1e-6)(x), RMSNorm.naive(x, weight: w, epsilon: 1e-6),
                within: tolerance, "RMS norm \(width)")
        }
    }

    @Test("every activation equals its definition", arguments: Activation.allCases)
    func activations(activation: Activation) {
        let x = noise([3, 41]) * 6
        let expected = Tensor(
            x.values.map { Float(activation.naive(Double($0))) }, shape: x.shape)
        expectClose(activation(x), expected, within: 1e-5, "\(activation)")
    }

    @Test("attention over pieces equals attention over the whole", arguments: MatrixEngine.allCases)
    func attentionInPieces(engine: MatrixEngine) {
        let (q, k, v) = (noise([4, 12]), noise([9, 12], seed: 2), noise([9, 12], seed: 3))
        let slopes: [Float] = [0.5, 0.25, 0.125]
        let attention = Attention(heads: 3, scale: 0.5, alibiSlopes: slopes, engine: engine)
        for split in [0, 1, 5, 9] {
            let (keys, values) = ([k[0..<split], k[split..<9]], [v[0..<split], v[split..<9]])
            let found = attention(q, keys: keys, values: values, mask: .causal(past: 5))
            let expected = Attention.naive(
                q, keys: k, values: v, heads: 3, scale: 0.5, slopes: slopes
            ) { i, j in j <= 5 + i }
            expectClose(found, expected, within: tolerance, "split at \(split)")
        }
    }

    @Test("windows: a query sees its keys only, nothing gives zero, uniform gives the mean")
    func attentionWindows() {
        let (q, k, v) = (noise([5, 8]), noise([6, 8], seed: 2), noise([6, 8], seed: 3))
        let attention = Attention(heads: 2, scale: 0.3, engine: .oneDNN)
        let windows: [KeyWindow] = [
            .nothing, .keys(0..<3), .keys(0..<3), .keys(3..<6), .uniform,
        ]
        let found = attention(q, keys: [k], values: [v], mask: .windows(windows))
        let expected = Attention.naive(q, keys: k, values: v, heads: 2, scale: 0.3) { i, j in
            i == 3 ? j >= 3 : j < 3
        }
        #expect(found[0].values.allSatisfy { $0 == 0 })
        expectClose(found[1..<4], expected[1..<4], within: tolerance, "windows")
        var mean = Tensor.zeros([8])
        for row in 0..<6 { mean.add(v[row], scaledBy: 1 / 6) }
        expectClose(found[4], mean, within: tolerance, "uniform")
    }

    @Test("rotary embedding turns pairs by their position")
    func rotary() {
        let rotary = RotaryEmbedding(rotatedWidth: 6, base: 10000)
        let x = noise([3, 16])
        let found = rotary(x, heads: 2, position: 11)
        for row in 0..<3 {
            for head in 0..<2 {
                let values = x[row].values[head * 8..<head * 8 + 8].map(Double.init)
                let expected = rotary.naive(values, position: 11 + row).map(Float.init)
                expectClose(
                    Tensor(Array(found[row].values[head * 8..<head * 8 + 8]), shape: [8]),
                    Tensor(expected, shape: [8]), within: 2e-5, "row \(row) head \(head)")
            }
        }
    }

    @Test("ALiBi slopes are those of the paper, and of MPT-7B for 6 heads")
    func slopes() {
        let eight = ALiBi.slopes(heads: 8, biasMaximum: 8, interleaved: false)
        #expect(eight == (1...8).map { 1 / Float(1 << $0) })
        let six = ALiBi.slopes(heads: 6, biasMaximum: 8, interleaved: true)
        #expect(six == [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125])
    }

    @Test("rows that grow keep what was appended, and a copy does not see later rows")
    func growingRows() {
        var rows = GrowingRows(width: 3)
        var expected: [Float] = []
        for step in 0..<40 {
            let next = noise([step % 3 + 1, 3], seed: UInt64(step))
            rows.append(next)
            expected += next.values
        }
        let copy = rows
        rows.append(noise([1, 3]))
        #expect(copy.tensor.values == expected)
        #expect(rows.count == copy.count + 1)
    }
}
