//! The convolution and the poolings against their definitions.
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite struct ConvolutionTests {
    @Test(
        "gathered windows give what the definition gives", arguments: MatrixEngine.allCases,
        [(1, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (3, 2, 4), (1, 2, 1), (2, 2, 2)])
    func definition(engine: MatrixEngine, sizes: (kernel: Int, stride: Int, groups: Int)) {
        let (kernel, stride, groups) = sizes
        // 50 columns and 43 rows make more than one strip of windows; both sides occur even and odd.
        for (height, width) in [(43, 50), (8, 7), (1, 1)] {
            let x = numbers([2, height, width, 8], seed: 1)
            let weight = numbers([12, 8 / groups, kernel, kernel], seed: 2)
            let bias = numbers([12], seed: 3)
            let convolution = Convolution(
                weight: weight, bias: bias, stride: stride, groups: groups,
                arithmetic: Arithmetic(engine: engine))
            // 72 products of numbers below 1, added in another order.
            expectClose(
                convolution(x),
                Convolution.naive(x, weight: weight, bias: bias, stride: stride, groups: groups),
                within: 1e-5, "\(height)x\(width)")
        }
    }

    @Test("means over the edge divide by the pixels that are there")
    func means() {
        let x = Tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], shape: [1, 3, 3, 1])
        #expect(x.halvedByMeans().values == [3, 4.5, 7.5, 9])
        #expect(x.globalMean().values == [5])
        let two = Tensor([1, 10, 3, 30], shape: [1, 1, 2, 2])
        #expect(two.globalMean().values == [2, 20])
        let scaled = two.scalingChannels(by: Tensor([2, 0.5], shape: [1, 2]))
        #expect(scaled.values == [2, 5, 6, 15])
    }

    /// Numbers from -1 to 1, the same on every run.
    private func numbers(_ shape: Shape, seed: UInt32) -> Tensor {
        var state = seed
        let values = (0..<shape.elementCount).map { _ -> Float in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(Int32(bitPattern: state)) / Float(1 << 31 as Int64)
        }
        return Tensor(values, shape: shape)
    }
}
