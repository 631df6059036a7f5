//! Identical frames are encoded once, and nobody can tell from the features.
import Testing
import WadeTensor

@testable import WadeFlamingo

@Suite("Distinct frames")
struct DistinctFramesTests {
    /// Frames of 3·2·2 values, each frame filled with one value.
    private func pixels(_ values: [Float]) -> Tensor {
        Tensor(
            values.flatMap { [Float](repeating: $0, count: 12) }, shape: [values.count, 3, 2, 2])
    }

    /// Runs an encoder whose features are the reciprocals of the pixels (they tell 0 from -0); also gives its calls' frames.
    private func encode(_ pixels: Tensor) -> (features: Tensor, calls: [Int]) {
        var calls: [Int] = []
        let features = encodingDistinctFrames(of: pixels) { frames in
            calls.append(frames.shape[0])
            return reciprocals(frames)
        }
        return (features, calls)
    }

    private func reciprocals(_ frames: Tensor) -> Tensor {
        Tensor(frames.values.map { 1 / $0 }, shape: [frames.shape[0], 4, 3])
    }

    @Test(
        "every distinct frame is encoded once, and the features have the bits of encoding all",
        arguments: [
            ([3, 3, 3, 3], 1), ([1, 2, 1, 3, 2], 3), ([1, 2, 3], 3), ([7], 1), ([0, -0.0, 0], 2),
        ] as [([Float], Int)])
    func once(values: [Float], distinct: Int) {
        let (features, calls) = encode(pixels(values))
        let all = reciprocals(pixels(values))
        #expect(calls == [distinct])
        #expect(features.shape == all.shape)
        #expect(features.values.map(\.bitPattern) == all.values.map(\.bitPattern))
    }

    @Test("frames that differ in one value are two frames")
    func oneValue() {
        var values = pixels([1, 1]).values
        values[23] = values[23].nextUp
        #expect(encode(Tensor(values, shape: [2, 3, 2, 2])).calls == [2])
    }
}
