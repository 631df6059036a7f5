//! Weights of four bits: their definition, what it costs, and the file that they lie in.
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("Weights of four bits")
struct FourBitWeightsTests {
    /// Outputs and inputs: filled-up lanes, panels, groups and pairs.
    static let sizes = [(7, 3), (16, 64), (70, 96), (65, 45), (300, 2500), (64, 1025)]

    private func packed(_ w: Tensor) throws -> FourBitWeights {
        let values = w.values
        return try unsafe values.withUnsafeBufferPointer { values in
            let base = try #require(values.baseAddress)
            return unsafe FourBitWeights(
                base, outputs: w.shape[0], inputs: w.shape[1])
        }
    }

    @Test("what is kept is the definition, to the bit", arguments: sizes)
    func definition(outputs: Int, inputs: Int) throws {
        let w = noise([outputs, inputs])
        let rounded = w.rounded(to: .int4)
        #expect(try packed(w).values.values == rounded.values)
        // 32 numbers share a scale: at most sixteen values in a group.
        for first in stride(from: 0, to: inputs, by: 32) {
            let group = (first..<min(first + 32, inputs)).map { rounded.values[$0] }
            #expect(Set(group).count <= 16)
        }
    }

    @Test("a group's error is below half a step")
    func error() {
        let w = noise([64, 2048])
        let rounded = w.rounded(to: .int4)
        for first in stride(from: 0, to: w.count, by: 32) {
            let group = w.values[first..<first + 32]
            let apart = zip(group, rounded.values[first..<first + 32]).map { $0 - $1 }
            // The plainest choice: the largest becomes 7, and no weight is off by more than half a step of that.
            let step = (group.map(abs).max() ?? 0) / 7
            let square = apart.reduce(0) { $0 + $1 * $1 }
            #expect(square <= 32 * step * step / 4)
        }
        #expect(Comparison(rounded, w).relative < 0.11)
        let eights = w.rounded(to: .int8)
        #expect(Comparison(rounded, w).relative > 5 * Comparison(eights, w).relative)
    }

    @Test("zeros, one value, and numbers that are none do not stop it")
    func extremes() {
        #expect(Tensor.zeros([2, 40]).rounded(to: .int4).values.allSatisfy { $0 == 0 })
        let lonely = Tensor((0..<40).map { $0 == 5 ? -3 : 0 }, shape: [1, 40]).rounded(to: .int4)
        #expect(lonely.values[5] == -3 && lonely.values.filter { $0 != 0 }.count == 1)
        for bad in [Float.nan, .infinity, -.infinity, .leastNonzeroMagnitude] {
            let values = (0..<32).map { $0 == 9 ? bad : Float($0) }
            #expect(Tensor(values, shape: [1, 32]).rounded(to: .int4).count == 32)
        }
    }

    @Test("weights of a file are used where they lie, and are those of memory to the bit")
    func files() throws {
        let folder = try TemporaryFolder()
        for (outputs, inputs) in Self.sizes {
            let (w, x) = (noise([outputs, inputs]), noise([5, inputs], seed: 9))
            let arithmetic = Arithmetic(precision: .int4)
            let layer = Linear(weight: w, arithmetic: arithmetic)
            guard case .panels(let kept) = layer.weights else {
                #expect(!arithmetic.isNarrow)
                return
            }
            #expect(kept.keptPrecision == .int4 && kept.precision == .bfloat16)
            let parts = PackedParts()
            Weights(parameters: [:], file: "none").telling(parts).note("layer.weight", layer)
            var writer = SafetensorsWriter(metadata: parts.metadata, alignment: 64)
            parts.write(to: &writer)
            let path = folder.path("\(outputs)x\(inputs)")
            try writer.write(to: path)
            let archive = try Safetensors.read(path: path)
            #expect(try archive.parameters().map(\.shape) == [[outputs, inputs]])
            let weights = Weights(archive)
            let read = try Linear(
                weights["layer"], "weight", from: inputs, to: outputs, arithmetic: arithmetic)
            try weights.requireAllRead()
            expectClose(read(x), layer(x), within: 0, path)
            guard case .panels(let mapped) = read.weights else {
                Issue.record("weights that are not packed")
                continue
            }
            #expect(mapped.isMapped)
            let bytes = archive.tensors.values.reduce(0) { $0 + $1.byteCount }
            if outputs % 64 == 0, inputs % 32 == 0 {
                #expect(bytes == outputs * inputs * 9 / 16)
            }
        }
    }
}
