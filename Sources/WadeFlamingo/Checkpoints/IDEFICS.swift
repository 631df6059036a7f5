//! IDEFICS (HuggingFaceM4/idefics-9b, -80b and their instruct variants): its `config.json`, and the sizes that follow from
//! its tensors.

package import Foundation
internal import WadeImage
package import WadeTensor

/// The fields of `config.json` that decide the computation. Derived files leave out what equals transformers' defaults,
/// and the oldest have the fields of both towers at their top.
package struct IDEFICSConfiguration: Decodable, Sendable {
    let model_type: String
    let hidden_act: String?
    let num_attention_heads: Int
    let rms_norm_eps: Float?
    let rope_theta: Float?
    let cross_layer_interval: Int?
    let qk_layer_norms: Bool?
    let use_resampler: Bool?
    let tie_word_embeddings: Bool?
    let pad_token_id: Int?
    let vision_config: Vision?
    let perceiver_config: Perceiver?
    let vision_num_attention_heads: Int?
    let vision_hidden_act: String?
    let resampler_n_heads: Int?
    let resampler_head_dim: Int?

    struct Vision: Decodable, Sendable {
        let hidden_act: String?
        let num_attention_heads: Int?
        let layer_norm_eps: Float?
    }

    struct Perceiver: Decodable, Sendable {
        let resampler_n_heads: Int?
        let resampler_head_dim: Int?
        let qk_layer_norms_perceiver: Bool?
    }

    /// Whether a `config.json` says that it is IDEFICS'.
    package static func describes(_ json: Data) -> Bool {
        struct Kind: Decodable { let model_type: String? }
        return (try? JSONDecoder().decode(Kind.self, from: json))?.model_type == "idefics"
    }

    /// Reads the file; `path` is for messages.
    package init(json: Data, path: String) throws {
        self = try decodeConfiguration(Self.self, json, path: path)
        let fields = Fields(path: path)
        try fields.require(model_type, "model_type", equals: "idefics")
        try fields.require(hidden_act ?? "silu", "hidden_act", equals: "silu")
    }

    /// The id of the filler of batches, `<unk>` where the file does not say.
    package var padding: Int { pad_token_id ?? 0 }

    /// GELU where the file does not say: the published towers are OpenCLIP's ViT-H/14.
    var visionActivation: String { vision_config?.hidden_act ?? vision_hidden_act ?? "gelu" }
}

/// The published parts of an IDEFICS model.
package struct IDEFICSParts: Sendable {
    private let checkpoint: TensorArchive
    private let published: IDEFICSConfiguration
    /// The file that `published` was read from, for messages.
    private let path: String
    private let name: String
    private let tokens: SpecialTokens

    package init(
        checkpoint: TensorArchive, configuration: IDEFICSConfiguration, configurationPath: String,
        name: String, tokens: SpecialTokens
    ) {
        self.checkpoint = checkpoint
        self.published = configuration
        self.path = configurationPath
        self.name = name
        self.tokens = tokens
    }

    /// The parameters under Wade's names and the configuration that their shapes imply.
    package func converted() throws -> (FlamingoConfiguration, [CheckpointParameter]) {
        let interval = published.cross_layer_interval ?? 1
        guard interval > 0 else {
            throw contradiction("cross_layer_interval \(interval)", "1 or more")
        }
        let blocks = checkpoint.names.filter { $0.hasSuffix(".alpha_cross_attn") }.count
        var gathered = Checkpoint()
        // Numbers beyond these are refused below, with the layers that they would belong to.
        let table = RenameTable.idefics(
            gatedBlocks: min(blocks, 1024), interval: min(interval, 1024))
        try gathered.add(checkpoint, RenameTable(table))
        let language = try language(gathered)
        let configuration = FlamingoConfiguration(
            name: name, family: .idefics, vision: try vision(gathered),
            resampler: try resampler(gathered),
            crossAttention: try crossAttention(gathered, language, interval: interval),
            language: language, tokens: tokens)
        try configuration.validate()
        return (configuration, try gathered.parameters(heads: language.heads))
    }

    private func vision(_ gathered: Checkpoint) throws -> VisionConfiguration {
        let width = try shape("vision.class_embedding", 1, gathered)[0]
        let patch = try shape("vision.patch_embedding.weight", 4, gathered)[3]
        let positions = try shape("vision.position_embedding", 2, gathered)[0]
        let side = Int(Double(max(positions - 1, 0)).squareRoot().rounded())
        guard side > 0, side * side == positions - 1, patch > 0, patch <= 1 << 12 else {
            throw contradiction("\(positions) positions, patches of \(patch)", "a square and one")
        }
        guard let activation = Activation(rawValue: published.visionActivation) else {
            throw contradiction(
                "hidden_act \"\(published.visionActivation)\"", "gelu or quick_gelu")
        }
        return .transformer(
            VisionTransformerConfiguration(
                imageSize: side * patch, patchSize: patch, width: width,
                layers: gathered.indices(after: "vision.layers.").count,
                heads: published.vision_config?.num_attention_heads
                    ?? published.vision_num_attention_heads ?? 16,
                mlpWidth: try shape("vision.layers.0.mlp.up.weight", 2, gathered)[0],
                activation: activation,
                normEpsilon: published.vision_config?.layer_norm_eps ?? 1e-5,
                projectionWidth: nil, keepsClassToken: true,
                // The aspect ratio is not kept and nothing is cropped.
                preprocessing: try .clip(imageSize: side * patch, fit: .squash)))
    }

    private func resampler(_ gathered: Checkpoint) throws -> ResamplerConfiguration {
        let width = try shape("vision.class_embedding", 1, gathered)[0]
        let exists = gathered.contains("resampler.latents")
        try agree(published.use_resampler, "use_resampler", with: exists)
        let perceiver = published.perceiver_config
        let heads = perceiver?.resampler_n_heads ?? published.resampler_n_heads ?? 16
        let headWidth = perceiver?.resampler_head_dim ?? published.resampler_head_dim ?? 96
        guard exists else {
            return ResamplerConfiguration(
                width: width, layers: 0, heads: heads, headWidth: headWidth,
                latents: try shape("vision.position_embedding", 2, gathered)[0],
                mlpWidth: 4 * width,
                activation: .relu, frames: nil, frameEmbedding: .indexed, media: nil)
        }
        let first = "resampler.layers.0."
        let normed = gathered.contains(first + "attention.q_norm.weight")
        try agree(perceiver?.qk_layer_norms_perceiver, "qk_layer_norms_perceiver", with: normed)
        return ResamplerConfiguration(
            width: width, layers: gathered.indices(after: "resampler.layers.").count, heads: heads,
            headWidth: headWidth, latents: try shape("resampler.latents", 2, gathered)[0],
            mlpWidth: try shape(first + "feed_forward.up.weight", 2, gathered)[0],
            activation: .relu, frames: nil, frameEmbedding: .indexed, media: nil,
            queryKeyNorm: normed)
    }

    private func crossAttention(
        _ gathered: Checkpoint, _ language: LanguageConfiguration, interval: Int
    ) throws -> CrossAttentionConfiguration {
        let layers = gathered.indices(after: "cross_attention.").sorted()
        let expected = Array(stride(from: 0, to: language.layers, by: interval))
        guard let first = layers.first, layers == expected else {
            throw contradiction(
                "cross_layer_interval \(interval) and \(layers.count) gated layers",
                "\(expected.count) gated layers for \(language.layers) layers")
        }
        let part = "cross_attention.\(first)."
        let normed = gathered.contains(part + "attention.q_norm.weight")
        try agree(published.qk_layer_norms, "qk_layer_norms", with: normed)
        return CrossAttentionConfiguration(
            layers: layers, heads: language.heads, headWidth: language.width / language.heads,
            mlpWidth: try shape(part + "feed_forward.up.weight", 2, gathered)[0],
            activation: .silu, visibility: .lastMediaOfText, queryKeyNorm: normed)
    }

    private func language(_ gathered: Checkpoint) throws -> LanguageConfiguration {
        guard let rows = gathered.rows(of: "language.token_embedding.weight") else {
            throw TensorError.missing(name: "model.embed_tokens.weight", file: checkpoint.file)
        }
        let width = try shape("language.norm.weight", 1, gathered)[0]
        let heads = published.num_attention_heads
        guard heads > 0, width % heads == 0 else {
            throw contradiction("num_attention_heads \(heads)", "a divisor of \(width)")
        }
        let tied = !gathered.contains("language.head.weight")
        try agree(published.tie_word_embeddings, "tie_word_embeddings", with: tied)
        return LanguageConfiguration(
            architecture: .llama, vocabularySize: rows, width: width,
            layers: gathered.indices(after: "language.layers.").count, heads: heads,
            mlpWidth: try shape("language.layers.0.mlp.up.weight", 2, gathered)[0],
            normEpsilon: published.rms_norm_eps ?? 1e-6, tiedEmbedding: tied,
            rotaryBase: published.rope_theta ?? 10000)
    }

    private func shape(_ name: String, _ rank: Int, _ gathered: Checkpoint) throws -> Shape {
        guard let shape = gathered.publishedShape(name) else {
            throw TensorError.missing(name: name, file: checkpoint.file)
        }
        guard shape.rank == rank else {
            throw FlamingoError.file(
                path: checkpoint.file, found: "\(name) of shape \(shape)", expected: "\(rank) axes")
        }
        return shape
    }

    /// Throws when the file says something else than the tensors that are there.
    private func agree(_ stated: Bool?, _ field: String, with found: Bool) throws {
        guard let stated, stated != found else { return }
        throw contradiction("\(field) \(stated)", "\(found), as the tensors have it")
    }

    private func contradiction(_ found: String, _ expected: String) -> FlamingoError {
        .file(path: path, found: found, expected: expected)
    }
}
