//! The fixed position table on the vision encoder's output, and the norm before it.
import Testing
import WadeImage
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

@Suite("The position table behind the vision encoder")
struct SinePositionTests {
    @Test("the table is the prototype's")
    func table() {
        let table = SinePosition(amplitude: 0.7).table(side: 6, width: 192)
        // (patch, channel, value) of the formula in Python's double precision.
        let expected: [(Int, Int, Float)] = [
            (0, 0, 0), (0, 30, 0.989949494), (15, 5, 0.878961522), (15, 60, 0.299474126),
            (31, 100, 0.898779853), (29, 150, 0.980729051), (8, 191, 0.494974747),
        ]
        #expect(table.shape == [36, 192])
        for (patch, channel, value) in expected {
            #expect(abs(table[patch].values[channel] - value) < 1e-6, "\(patch), \(channel)")
        }
        let square = table.values.reduce(0) { $0 + $1 * $1 } / Float(table.count)
        #expect(abs(square.squareRoot() - 0.7) < 1e-5)
    }

    @Test("features are the normed tokens of the patches plus the table, in training and alone")
    func features() throws {
        var configuration = try Self.configuration()
        configuration.outputNorm = true
        let arithmetic = Arithmetic(engine: .openBLAS)
        var parameters = Self.parameters()
        let pixels = Self.noise([3, 3, 8, 8], seed: 9)
        let plain = try CLIPVisionTransformer(
            Weights(parameters: parameters, file: "memory"), configuration, arithmetic: arithmetic)
        let tokens = try plain.tokens(pixels)
        // Normed rows with weight 1 and bias 0 have no mean.
        #expect(abs(tokens[1][2].values.reduce(0, +)) < 1e-4)
        configuration.outputPosition = SinePosition(amplitude: 0.7)
        let table = SinePosition(amplitude: 0.7).table(side: 2, width: 8)
        let expected = Tensor.concatenated((0..<3).map { tokens[$0][1..<5] + table })
        let placed = try CLIPVisionTransformer(
            Weights(parameters: parameters, file: "memory"), configuration, arithmetic: arithmetic)
        #expect(try placed(pixels).values == expected.values)
        let tape = Tape()
        parameters = parameters.mapValues { tape.watch($0) }
        let trained = try CLIPVisionTransformer(
            Weights(parameters: parameters, file: "memory"), configuration, arithmetic: arithmetic)
        let features = try trained(pixels)
        // All frames in one product: other orders of summation.
        expectClose(features, expected, within: 1e-5, "trained")
        #expect(features.isWatched)
    }

    private static func configuration() throws -> VisionTransformerConfiguration {
        VisionTransformerConfiguration(
            imageSize: 8, patchSize: 4, width: 8, layers: 1, heads: 2, mlpWidth: 16,
            activation: .gelu, normEpsilon: 1e-5, projectionWidth: nil,
            preprocessing: try .clip(imageSize: 8, fit: .shorterSideTransformers))
    }

    private static func parameters() -> [String: Tensor] {
        var parameters: [String: Tensor] = [
            "patch_embedding.weight": noise([8, 48]), "class_embedding": noise([8], seed: 2),
            "position_embedding": noise([5, 8], seed: 3),
            "layers.0.attention.qkv.weight": noise([24, 8], seed: 4),
            "layers.0.attention.qkv.bias": noise([24], seed: 5),
            "layers.0.attention.out.weight": noise([8, 8], seed: 6),
            "layers.0.attention.out.bias": noise([8], seed: 7),
            "layers.0.mlp.up.weight": noise([16, 8], seed: 8),
            "layers.0.mlp.up.bias": noise([16], seed: 9),
            "layers.0.mlp.down.weight": noise([8, 16], seed: 10),
            "layers.0.mlp.down.bias": noise([8], seed: 11),
        ]
        let norms = ["pre_norm", "layers.0.attention_norm", "layers.0.mlp_norm", "output_norm"]
        for norm in norms {
            parameters[norm + ".weight"] = Tensor(repeating: 1, shape: [8])
            parameters[norm + ".bias"] = Tensor.zeros([8])
        }
        return parameters
    }

    /// Numbers in [−1, 1) that are the same in every run.
    private static func noise(_ shape: Shape, seed: UInt64 = 1) -> Tensor {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        let values = (0..<shape.elementCount).map { _ -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 23) - 1
        }
        return Tensor(values, shape: shape)
    }
}
