//! How parameters begin, by what they are called.
internal import Foundation
internal import Synchronization
internal import WadeTensor

/// Draws starting values; a parameter's depend on the seed and its name alone.
struct ParameterInitialization {
    let seed: UInt64

    /// The parameters that `build` asks for, with their starting values.
    func parameters(_ build: (Weights) throws -> Void) rethrows -> [String: Tensor] {
        let asked = Asked()
        let seed = self.seed
        try build(
            Weights(makingTensorsWith: { name, shape in
                let tensor = Self.tensor(name, shape, seed: seed)
                asked.insert(name, tensor)
                return tensor
            }))
        return asked.all
    }

    private final class Asked: Sendable {
        private let tensors = Mutex<[String: Tensor]>([:])
        func insert(_ name: String, _ tensor: Tensor) { tensors.withLock { $0[name] = tensor } }
        var all: [String: Tensor] { tensors.withLock { $0 } }
    }

    private static func tensor(_ name: String, _ shape: Shape, seed: UInt64) -> Tensor {
        // The module that the parameter belongs to: `norm`, `norm_media`, `attention_norm`, …
        let owner = name.split(separator: ".").dropLast().last ?? ""
        if owner.contains("norm") {
            return Tensor(repeating: name.hasSuffix("weight") ? 1 : 0, shape: shape)
        }
        if name.hasSuffix("bias") || name.hasSuffix("gate") || name.hasSuffix("class_embedding") {
            return .zeros(shape)
        }
        var tensor = normal(name, shape, deviation: deviation(name, shape), seed: seed)
        // Attention over several hundred keys is almost uniform at first; sharper scores find their way sooner.
        if name.hasPrefix("resampler."), name.hasSuffix("to_q.weight") { tensor = tensor * 2.5 }
        if name.hasPrefix("resampler."), name.hasSuffix("to_kv.weight") {
            let half = shape[0] / 2
            tensor = Tensor.concatenated([tensor[0..<half] * 2.5, tensor[half..<2 * half]])
        }
        return tensor
    }

    private static func deviation(_ name: String, _ shape: Shape) -> Float {
        let inputs = Float(max(shape[-1], 1))
        if name.hasSuffix("latents") || name.hasSuffix("temporal_embeddings") { return 0.5 }
        if name.hasSuffix("position_embedding") || name.hasSuffix("queries") { return 0.1 }
        if name.hasSuffix("token_embedding.weight") { return 0.3 }
        if name.hasPrefix("language.") {
            if name.hasSuffix("qkv.weight") { return 1 / inputs.squareRoot() }
            // The residual branches begin small (GPT-2).
            return name.hasSuffix("out.weight") || name.hasSuffix("down.weight") ? 0.007 : 0.02
        }
        // PyTorch's default for linear layers has this deviation.
        return 1 / (3 * inputs).squareRoot()
    }

    private static func normal(_ name: String, _ shape: Shape, deviation: Float, seed: UInt64)
        -> Tensor
    {
        let key = name.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        var random = RandomStream(seed: seed, purpose: key)
        return Tensor(
            (0..<shape.elementCount).map { _ in random.bell() * deviation }, shape: shape)
    }
}
