//! Products in bfloat16: exactly the products of rounded operands, whichever way these lie in memory.
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("Products of rounded operands")
struct RoundedProductTests {
    /// Sums of up to 150 products below one, in another order.
    private let tolerance: Float = 2e-5

    @Test(
        "a bfloat16 product is that of the rounded operands, transposed or not, added or not",
        arguments: MatrixEngine.allCases, [(130, 96, 100), (64, 257, 65), (1030, 33, 40)])
    func products(engine: MatrixEngine, size: (m: Int, n: Int, k: Int)) {
        let (m, n, k) = size
        #expect(m * n * k >= 1 << 20, "smaller products are not rounded")
        for (aTransposed, bTransposed) in [
            (false, false), (true, false), (false, true), (true, true),
        ] {
            // Windows of wider rows.
            let (aRows, aWidth) = aTransposed ? (k, m) : (m, k)
            let (bRows, bWidth) = bTransposed ? (n, k) : (k, n)
            let (a, b) = (noise([aRows, aWidth + 3]), noise([bRows, bWidth + 5], seed: 2))
            let start = noise([m, n + 2], seed: 3)
            for (scale, keep) in [(1, 0), (1, 1), (0.5, 1), (0.25, 0)] as [(Float, Float)] {
                var out = start
                unsafe out.withMutableValues { out in
                    unsafe a.withValues { a in
                        unsafe b.withValues { b in
                            unsafe engine.multiply(
                                m: m, n: n, k: k, scale: scale,
                                MatrixOperand(
                                    a.baseAddress!, stride: aWidth + 3, transposed: aTransposed),
                                MatrixOperand(
                                    b.baseAddress!, stride: bWidth + 5, transposed: bTransposed),
                                keep: keep, into: out.baseAddress!, stride: n + 2,
                                precision: .bfloat16)
                        }
                    }
                }
                let (x, y) = (a.values.map(rounded), b.values.map(rounded))
                var expected = start.values
                for i in 0..<m {
                    for j in 0..<n {
                        var sum = 0.0
                        for t in 0..<k {
                            let left = aTransposed ? x[t * (m + 3) + i] : x[i * (k + 3) + t]
                            let right = bTransposed ? y[j * (k + 5) + t] : y[t * (n + 5) + j]
                            sum += Double(left) * Double(right)
                        }
                        let place = i * (n + 2) + j
                        expected[place] = Float(
                            Double(scale) * sum + Double(keep) * Double(expected[place]))
                    }
                }
                expectClose(
                    out, Tensor(expected, shape: start.shape), within: tolerance,
                    "\(engine) \(size) \(aTransposed) \(bTransposed) \(scale) \(keep)")
            }
        }
    }

    /// To the nearest bfloat16, ties to even.
    private func rounded(_ x: Float) -> Float {
        let bits = x.bitPattern
        return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
    }
}
