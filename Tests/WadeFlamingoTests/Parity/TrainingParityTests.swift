//! Rung 4: a tiny Flamingo of PyTorch parts, run forward; its gradients are compared where gradients are computed.
import Foundation
import Testing
import WadeImage
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

@Suite("Parity: the training fixture, forward")
struct TrainingParityTests {
    /// Stated by `meta.json` for logits; the loss is a mean of them.
    private let tolerance: Float = 1e-4
    private let lossTolerance = 1e-5

    @Test("visual tokens, logits and loss are PyTorch's")
    func forward() throws {
        let inputs = try Fixtures.tensors("training/inputs.safetensors")
        let expected = try Fixtures.tensors("training/expected.safetensors")
        let pixels = try inputs.float("pixel_values")
        let (batch, length) = (pixels.shape[0], try rowLength(inputs))
        let ids = try inputs.integers("input_ids")
        let labels = try inputs.integers("labels")
        let present = try inputs.integers("attention_mask")
        for engine in MatrixEngine.allCases {
            let model = try Self.model(Arithmetic(engine: engine))
            var (loss, count) = (0.0, 0)
            for row in 0..<batch {
                let tokens = try (0..<pixels.shape[1]).map { clip in
                    try model.visualTokens(pixels[row][clip])
                }
                expectClose(
                    Tensor.concatenated(tokens), try expected.float("visual_tokens")[row],
                    within: tolerance, "visual tokens of row \(row) on \(engine.rawValue)")
                // Padded positions neither see nor are seen: the text is what remains without them.
                let text = (0..<length).filter { present[row * length + $0] != 0 }
                var sequence = model.sequence(media: model.media(tokens))
                let logits = model.language.logits(
                    try model(text.map { ids[row * length + $0] }, sequence: &sequence))
                expectClose(
                    logits, try expected.float("logits")[row].gathered(text), within: tolerance,
                    "logits of row \(row) on \(engine.rawValue)")
                for (place, next) in zip(text.indices, text.dropFirst()) {
                    let label = labels[row * length + next]
                    guard label != -100 else { continue }
                    loss -= Double(logSoftmax(logits[place].values)[label])
                    count += 1
                }
            }
            let wanted = Double(try expected.float("loss").values[0])
            #expect(abs(loss / Double(count) - wanted) <= lossTolerance)
        }
    }

    private func rowLength(_ inputs: TensorArchive) throws -> Int {
        guard let shape = inputs.tensors["input_ids"]?.shape, shape.rank == 2 else {
            throw FixtureError.missing("training: input_ids")
        }
        return shape[1]
    }

    /// The fixture's parts through the rename tables of their families.
    private static func model(_ arithmetic: Arithmetic) throws -> Flamingo {
        let json = try Data(contentsOf: Fixtures.url("training/meta.json"))
        let configuration = try JSONDecoder().decode(Sizes.self, from: json).configuration()
        let table = RenameTable(
            // There is no projection that would use the tower's final norm.
            [.leaveOut("vision.post_layernorm.{*}")]
                + RenameTable.huggingFaceCLIP(prefix: "vision.", projection: nil)
                + RenameTable.resampler(prefix: "resampler.")
                + RenameTable.gatedCrossAttention(prefix: "gated.{i}.")
                + RenameTable.language(.llama, prefix: "lm."))
        let weights = try Fixtures.weights(Fixtures.tensors("training/weights.safetensors"), table)
        return try Flamingo(weights, configuration, arithmetic: arithmetic)
    }
}

/// The sizes in `meta.json`.
private struct Sizes: Decodable {
    let vision: Vision
    let resampler: Resampler
    let gated: Gated
    let lm: Language
    let tokens: Tokens

    struct Vision: Decodable {
        let width, layers, heads, image, patch: Int
        let act: Activation
    }

    struct Resampler: Decodable {
        let depth, heads, dim_head, latents, frames: Int
    }

    struct Gated: Decodable {
        let heads, dim_head: Int
        let layers: [Int]
    }

    struct Language: Decodable {
        let width, layers, heads, inner, vocab: Int
        let rms_eps, rope_theta: Float
        let tied: Bool
    }

    struct Tokens: Decodable {
        let media, endofchunk, pad: Int
    }

    /// Feed-forwards are four times as wide as what they stand in, as in CLIP and open_flamingo.
    func configuration() throws -> FlamingoConfiguration {
        FlamingoConfiguration(
            name: "training fixture", family: .openFlamingo,
            vision: VisionConfiguration(
                imageSize: vision.image, patchSize: vision.patch, width: vision.width,
                layers: vision.layers, heads: vision.heads, mlpWidth: 4 * vision.width,
                activation: vision.act, normEpsilon: 1e-5, projectionWidth: nil,
                preprocessing: try .clip(
                    imageSize: vision.image, fit: .shorterSideTransformers)),
            resampler: ResamplerConfiguration(
                width: vision.width, layers: resampler.depth, heads: resampler.heads,
                headWidth: resampler.dim_head, latents: resampler.latents,
                mlpWidth: 4 * vision.width, activation: .gelu, frames: resampler.frames,
                frameEmbedding: .indexed, media: nil),
            crossAttention: CrossAttentionConfiguration(
                layers: gated.layers, heads: gated.heads, headWidth: gated.dim_head,
                mlpWidth: 4 * lm.width, activation: .gelu, visibility: .lastMedia),
            language: LanguageConfiguration(
                architecture: .llama, vocabularySize: lm.vocab, width: lm.width,
                layers: lm.layers, heads: lm.heads, mlpWidth: lm.inner, normEpsilon: lm.rms_eps,
                tiedEmbedding: lm.tied, rotaryBase: lm.rope_theta),
            tokens: SpecialTokens(
                image: tokens.media, endOfChunk: tokens.endofchunk, endOfText: tokens.endofchunk,
                padding: tokens.pad))
    }
}
