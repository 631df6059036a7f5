//! Counted weights are those that a model really asks for.
import Foundation
import Synchronization
import Testing
import WadeTensor

@testable import WadeFlamingo

@Suite("counting operations")
struct OperationCountTests {
    /// Elements of the matrices of a model, by name; nothing is ever touched.
    private func matrices(_ configuration: FlamingoConfiguration) throws -> [String: Int] {
        let recorded = Asked()
        _ = try Flamingo(
            Weights(makingTensorsWith: { name, shape in
                if [2, 4].contains(shape.rank), name.hasSuffix("weight") {
                    recorded.names.withLock { $0[name] = shape.elementCount }
                }
                return Tensor(repeating: 0, shape: shape)
            }), configuration, arithmetic: Arithmetic(engine: .openBLAS, allowsGradients: true))
        return recorded.names.withLock { $0 }
    }

    private final class Asked: Sendable {
        let names = Mutex<[String: Int]>([:])
    }

    /// A published shape with a few layers, narrow enough to be built.
    private func small(_ shape: PublishedShape) throws -> FlamingoConfiguration {
        var small = try shape.configuration()
        switch small.vision {
        case .transformer(var vision):
            (vision.layers, vision.width, vision.mlpWidth) = (2, 32, 96)
            small.vision = .transformer(vision)
        case .nfnet(var vision):
            vision.network.depths = [1, 2, 1, 2]
            vision.network.widths = [16, 32, 64, 32]
            (vision.network.stemWidth, vision.network.finalWidth) = (16, 48)
            vision.network.groupWidth = 8
            small.vision = .nfnet(vision)
        }
        (small.resampler.width, small.resampler.mlpWidth) = (32, 64)
        small.resampler.layers = 2
        (small.language.layers, small.language.heads) = (4, 16)
        small.language.vocabularySize = 50280
        (small.language.width, small.language.mlpWidth) = (64, 160)
        small.crossAttention.mlpWidth = 192
        small.crossAttention.layers.removeAll { $0 >= 4 }
        return small
    }

    private func sum(_ matrices: [String: Int], _ isCounted: (String) -> Bool) -> Int {
        matrices.filter { isCounted($0.key) && $0.key.hasSuffix("weight") }.values.reduce(0, +)
    }

    @Test("weights are counted as the model has them", arguments: PublishedShape.allCases)
    func weights(shape: PublishedShape) throws {
        let configuration = try small(shape)
        let matrices = try matrices(configuration)
        let count = OperationCount(configuration)
        #expect(
            count.visionWeights
                == sum(matrices) {
                    $0.hasPrefix("vision.layers.") || $0.hasPrefix("vision.patch_embedding")
                        || $0.hasPrefix("vision.stem.") || $0.hasPrefix("vision.stages.")
                })
        #expect(count.resamplerWeights == sum(matrices) { $0.hasPrefix("resampler.layers.") })
        let keysAndValues = { (name: String) in
            name.hasPrefix("cross_attention.") && name.contains("to_kv")
        }
        #expect(count.mediaWeights == sum(matrices, keysAndValues))
        let head =
            configuration.language.tiedEmbedding ? "language.token_embedding" : "language.head"
        #expect(
            count.tokenWeights
                == sum(matrices) {
                    $0.hasPrefix("language.layers.") || $0.hasPrefix(head)
                        || $0.hasPrefix("cross_attention.") && !keysAndValues($0)
                })
    }

    @Test("OpenFlamingo-3B has the parameters that its name promises")
    func publishedSize() throws {
        let count = OperationCount(try PublishedShape.openFlamingo3B.configuration())
        // ViT-L/14's tower has 303 million parameters, two thousandths of them in norms, biases and embeddings.
        #expect((302_000_000...304_000_000).contains(count.visionWeights))
        // MPT-1B has 1.31 billion, the gated layers 0.86 without their keys and values.
        #expect((2_100_000_000...2_250_000_000).contains(count.tokenWeights))
        // 2 operations for each weight and token, and attention on top.
        let least = 2 * Double(count.visionWeights) * 256
        #expect(count.frame > least && count.frame < 1.1 * least)
    }

    @Test(
        "the paper's models have its gated blocks, features and sizes",
        arguments: zip([PublishedShape.flamingo3B, .flamingo9B, .flamingo80B], [24, 10, 12]))
    func papersSizes(shape: PublishedShape, blocks: Int) throws {
        let configuration = try shape.configuration()
        #expect(configuration.crossAttention.layers.count == blocks)
        #expect(configuration.crossAttention.layers[0] == 0)
        #expect(configuration.vision.features == 100 && configuration.vision.width == 1536)
        let count = OperationCount(configuration)
        // Stem and stages of NFNet-F6 have 430,561,380 parameters, gains and biases among them.
        #expect((429_000_000...430_561_380).contains(count.visionWeights))
        // The largest: 80 blocks of 64 billion, 12 gated ones of 8 billion.
        let billions = Double(count.tokenWeights + count.mediaWeights) / 1e9
        let expected: ClosedRange<Double> =
            switch shape {
            case .flamingo3B: 2.3...2.6
            case .flamingo9B: 9.3...10.5
            default: 72...75
            }
        #expect(expected.contains(billions), "\(billions)")
    }

    @Test("text read in two parts is as much work as in one")
    func parts() throws {
        let count = OperationCount(try PublishedShape.openFlamingo4B.configuration())
        let whole = count.text(tokens: 10, past: 5, heads: 1)
        let parts =
            count.text(tokens: 4, past: 5, heads: 0) + count.text(tokens: 6, past: 9, heads: 1)
        #expect(abs(whole - parts) < 1e-9 * whole)
    }
}
