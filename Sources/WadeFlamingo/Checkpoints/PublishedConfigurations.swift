//! The `config.json` files of published models, read for the fields that decide the computation.

package import Foundation
package import WadeImage
package import WadeTensor

/// A language model's `config.json`: `mosaic_gpt`, `mpt`, `gpt_neox` or `llama`.
package struct PublishedLanguageConfiguration: Decodable, Sendable {
    let model_type: String
    let vocab_size: Int?
    // MPT
    let d_model: Int?
    let n_heads: Int?
    let n_layers: Int?
    let mlp_ratio: Int?
    let expansion_ratio: Int?
    let alibi: Bool?
    let alibi_bias_max: Float?
    let attn_qk_ln: Bool?
    let attn_clip_qkv: Float?
    let softmax_scale: Float?
    let logit_scale: Float?
    let embedding_fraction: Float?
    let prefix_lm: Bool?
    let no_bias: Bool?
    let attn_config: Attention?
    // GPT-NeoX and LLaMA
    let hidden_size: Int?
    let intermediate_size: Int?
    let num_hidden_layers: Int?
    let num_attention_heads: Int?
    let num_key_value_heads: Int?
    let hidden_act: String?
    let layer_norm_eps: Float?
    let rms_norm_eps: Float?
    let rotary_pct: Float?
    let rotary_emb_base: Float?
    let rope_theta: Float?
    let rope_scaling: Anything?
    let norm_type: String?
    let use_parallel_residual: Bool?
    let tie_word_embeddings: Bool?
    // Ids
    let bos_token_id: Int?
    let eos_token_id: Int?

    /// A value that is only asked whether it is there.
    struct Anything: Decodable, Sendable {
        init(from decoder: any Decoder) throws {}
    }

    struct Attention: Decodable, Sendable {
        let qk_ln: Bool?
        let clip_qkv: Float?
        let softmax_scale: Float?
        let prefix_lm: Bool?
        let alibi: Bool?
        let alibi_bias_max: Float?
    }

    /// Reads a `config.json`; `path` is for messages.
    package init(json: Data, path: String) throws {
        self = try decodeConfiguration(Self.self, json, path: path)
    }

    /// Wade's configuration, for a model whose token embedding has `vocabularySize` rows.
    package func configuration(vocabularySize: Int, path: String) throws -> LanguageConfiguration {
        switch model_type {
        case "mosaic_gpt", "mpt": return try mpt(vocabularySize, path)
        case "gpt_neox": return try gptNeoX(vocabularySize, path)
        case "llama": return try llama(vocabularySize, path)
        default:
            throw FlamingoError.file(
                path: path, found: "model_type \"\(model_type)\"",
                expected: "mosaic_gpt, mpt, gpt_neox or llama")
        }
    }

    private func mpt(_ vocabularySize: Int, _ path: String) throws -> LanguageConfiguration {
        let fields = Fields(path: path)
        try fields.require(attn_config?.alibi ?? alibi, "alibi", equals: true)
        try fields.require(no_bias, "no_bias", equals: true)
        try fields.requireAbsent(attn_config?.clip_qkv ?? attn_clip_qkv, "clip_qkv")
        try fields.requireAbsent(attn_config?.softmax_scale ?? softmax_scale, "softmax_scale")
        try fields.requireAbsent(logit_scale, "logit_scale")
        let norms = ["low_precision_layernorm", "layernorm"]
        if let norm_type, !norms.contains(norm_type) {
            throw FlamingoError.file(
                path: path, found: "norm_type \"\(norm_type)\"",
                expected: norms.joined(separator: " or "))
        }
        try fields.require(attn_config?.prefix_lm ?? prefix_lm ?? false, "prefix_lm", equals: false)
        try fields.require(embedding_fraction ?? 1, "embedding_fraction", equals: 1)
        let width = try fields.present(d_model, "d_model")
        let ratio = try fields.present(expansion_ratio ?? mlp_ratio, "expansion_ratio")
        return LanguageConfiguration(
            architecture: .mpt, vocabularySize: vocabularySize, width: width,
            layers: try fields.present(n_layers, "n_layers"),
            heads: try fields.present(n_heads, "n_heads"),
            mlpWidth: try fields.product(width, ratio, "expansion_ratio"), normEpsilon: 1e-5,
            tiedEmbedding: true, queryKeyNorm: attn_config?.qk_ln ?? attn_qk_ln ?? false,
            alibiMaximum: attn_config?.alibi_bias_max ?? alibi_bias_max ?? 8,
            alibiInterleaved: model_type == "mpt")
    }

    private func gptNeoX(_ vocabularySize: Int, _ path: String) throws -> LanguageConfiguration {
        let fields = Fields(path: path)
        try fields.require(hidden_act ?? "gelu", "hidden_act", equals: "gelu")
        try fields.require(rope_scaling != nil, "rope_scaling", equals: false)
        return LanguageConfiguration(
            architecture: .gptNeoX, vocabularySize: vocabularySize,
            width: try fields.present(hidden_size, "hidden_size"),
            layers: try fields.present(num_hidden_layers, "num_hidden_layers"),
            heads: try fields.present(num_attention_heads, "num_attention_heads"),
            mlpWidth: try fields.present(intermediate_size, "intermediate_size"),
            normEpsilon: layer_norm_eps ?? 1e-5, tiedEmbedding: tie_word_embeddings ?? false,
            rotaryFraction: rotary_pct ?? 0.25, rotaryBase: rotary_emb_base ?? 10000,
            parallelResidual: use_parallel_residual ?? true)
    }

    private func llama(_ vocabularySize: Int, _ path: String) throws -> LanguageConfiguration {
        let fields = Fields(path: path)
        try fields.require(hidden_act ?? "silu", "hidden_act", equals: "silu")
        try fields.require(rope_scaling != nil, "rope_scaling", equals: false)
        let heads = try fields.present(num_attention_heads, "num_attention_heads")
        try fields.require(num_key_value_heads ?? heads, "num_key_value_heads", equals: heads)
        return LanguageConfiguration(
            architecture: .llama, vocabularySize: vocabularySize,
            width: try fields.present(hidden_size, "hidden_size"),
            layers: try fields.present(num_hidden_layers, "num_hidden_layers"), heads: heads,
            mlpWidth: try fields.present(intermediate_size, "intermediate_size"),
            normEpsilon: rms_norm_eps ?? 1e-6, tiedEmbedding: tie_word_embeddings ?? false,
            rotaryBase: rope_theta ?? 10000)
    }
}

/// What is known of a vision tower besides its tensors: Hugging Face's `config.json` or OpenCLIP's `open_clip_config.json`.
package struct PublishedVisionConfiguration: Sendable {
    /// H; nil when only the convention width/64 is left.
    package var heads: Int?
    package var activation: Activation
    package var normEpsilon: Float = 1e-5
    package var fit: Preprocessing.Fit
    /// Mean and deviation of red, green and blue, where a file tells others than CLIP's.
    package var mean: [Float]?
    package var standardDeviation: [Float]?
    /// Sizes that the file tells although the tensors' shapes tell them too.
    private var sizes = Sizes()
    /// The file that was read, for messages.
    private var path = ""

    private struct Sizes {
        var width, layers, mlpWidth, imageSize, patchSize: Int?
    }

    /// OpenAI's archives come without a configuration.
    package static let openAI = PublishedVisionConfiguration(
        heads: nil, activation: .quickGELU, fit: .shorterSideTorchvision)

    package init(
        heads: Int?, activation: Activation, fit: Preprocessing.Fit
    ) {
        self.heads = heads
        self.activation = activation
        self.fit = fit
    }

    /// Reads either kind of file; `path` is for messages.
    package init(json: Data, path: String) throws {
        let file = try decodeConfiguration(File.self, json, path: path)
        let fields = Fields(path: path)
        if let model = file.model_cfg {
            let vision = try fields.present(model.vision_cfg, "model_cfg.vision_cfg")
            let headWidth = vision.head_width ?? 64
            guard let width = vision.width, headWidth > 0, width % headWidth == 0 else {
                throw FlamingoError.file(
                    path: path, found: "head_width \(headWidth)",
                    expected: "a divisor of vision_cfg.width")
            }
            self.init(
                heads: width / headWidth,
                activation: model.quick_gelu ?? false ? .quickGELU : .gelu,
                fit: .shorterSideTorchvision)
            self.path = path
            sizes = Sizes(
                width: vision.width, layers: vision.layers, imageSize: vision.image_size,
                patchSize: vision.patch_size)
            mean = file.preprocess_cfg?.mean
            standardDeviation = file.preprocess_cfg?.std
            return
        }
        // A vision-only file has the fields at its top.
        let vision = file.vision_config ?? file.tower
        let activation = vision.hidden_act ?? "quick_gelu"
        guard let known = Activation(rawValue: activation) else {
            throw FlamingoError.file(
                path: path, found: "hidden_act \"\(activation)\"", expected: "quick_gelu or gelu")
        }
        self.init(
            heads: try fields.present(vision.num_attention_heads, "num_attention_heads"),
            activation: known, fit: .shorterSideTransformers)
        normEpsilon = vision.layer_norm_eps ?? 1e-5
        self.path = path
        sizes = Sizes(
            width: vision.hidden_size, layers: vision.num_hidden_layers,
            mlpWidth: vision.intermediate_size, imageSize: vision.image_size,
            patchSize: vision.patch_size)
    }

    /// Takes mean and deviation from a Hugging Face `preprocessor_config.json`; `path` is for messages.
    package mutating func readPreprocessor(json: Data, path: String) throws {
        let file = try decodeConfiguration(Preprocessor.self, json, path: path)
        mean = file.image_mean ?? mean
        standardDeviation = file.image_std ?? standardDeviation
    }

    /// How a picture becomes the input.
    func preprocessing(imageSize: Int) throws -> Preprocessing {
        let clip = try Preprocessing.clip(imageSize: imageSize, fit: fit)
        return try Preprocessing(
            imageSize: imageSize, fit: fit, mean: mean ?? clip.mean,
            standardDeviation: standardDeviation ?? clip.standardDeviation)
    }

    /// Throws `FlamingoError.file` when the file tells another size than the tensors have.
    func check(width: Int, layers: Int, mlpWidth: Int, imageSize: Int, patchSize: Int) throws {
        let pairs = [
            ("width", sizes.width, width), ("layers", sizes.layers, layers),
            ("intermediate size", sizes.mlpWidth, mlpWidth),
            ("image size", sizes.imageSize, imageSize), ("patch size", sizes.patchSize, patchSize),
        ]
        for case (let name, .some(let written), let shape) in pairs where written != shape {
            throw FlamingoError.file(
                path: path, found: "vision \(name) \(written)",
                expected: "\(shape), as the tensors have it")
        }
    }

    private struct Preprocessor: Decodable {
        let image_mean: [Float]?
        let image_std: [Float]?
    }

    private struct File: Decodable {
        let model_cfg: OpenCLIP?
        let preprocess_cfg: Preprocess?
        let vision_config: Tower?
        let tower: Tower

        enum CodingKeys: String, CodingKey { case model_cfg, preprocess_cfg, vision_config }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            model_cfg = try container.decodeIfPresent(OpenCLIP.self, forKey: .model_cfg)
            preprocess_cfg = try container.decodeIfPresent(Preprocess.self, forKey: .preprocess_cfg)
            vision_config = try container.decodeIfPresent(Tower.self, forKey: .vision_config)
            tower = try Tower(from: decoder)
        }
    }

    private struct Tower: Decodable {
        let num_attention_heads: Int?
        let hidden_act: String?
        let layer_norm_eps: Float?
        let hidden_size: Int?
        let num_hidden_layers: Int?
        let intermediate_size: Int?
        let image_size: Int?
        let patch_size: Int?
    }

    private struct Preprocess: Decodable {
        let mean: [Float]?
        let std: [Float]?
    }

    private struct OpenCLIP: Decodable {
        let quick_gelu: Bool?
        let vision_cfg: Vision?

        struct Vision: Decodable {
            let width: Int?
            let head_width: Int?
            let layers: Int?
            let image_size: Int?
            let patch_size: Int?
        }
    }
}

/// Messages about single fields of a published file.
package struct Fields {
    private let path: String

    package init(path: String) {
        self.path = path
    }

    /// The value, or an error that names the field.
    package func present<Value>(_ value: Value?, _ name: String) throws -> Value {
        guard let value else {
            throw FlamingoError.file(path: path, found: "no \(name)", expected: "\(name)")
        }
        return value
    }

    func require<Value: Equatable>(_ value: Value?, _ name: String, equals expected: Value) throws {
        guard value == expected else {
            let found = value.map { "\(name) \($0)" } ?? "no \(name)"
            throw FlamingoError.file(path: path, found: found, expected: "\(expected)")
        }
    }

    func requireAbsent(_ value: Float?, _ name: String) throws {
        guard let value else { return }
        throw FlamingoError.file(path: path, found: "\(name) \(value)", expected: "null")
    }

    func product(_ a: Int, _ b: Int, _ name: String) throws -> Int {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        guard !overflow else {
            throw FlamingoError.file(path: path, found: "\(name) \(b)", expected: "a small number")
        }
        return product
    }
}

/// Decodes JSON with a message that names the file and the field.
package func decodeConfiguration<Value: Decodable>(
    _ type: Value.Type, _ json: Data, path: String
) throws -> Value {
    do {
        return try JSONDecoder().decode(type, from: json)
    } catch DecodingError.keyNotFound(let key, let context) {
        let place = (context.codingPath + [key]).map(\.stringValue).joined(separator: ".")
        throw FlamingoError.file(path: path, found: "no \(place)", expected: place)
    } catch DecodingError.typeMismatch(let type, let context) {
        let place = context.codingPath.map(\.stringValue).joined(separator: ".")
        throw FlamingoError.file(
            path: path, found: "\(place) of another type", expected: "\(spoken(type))")
    } catch DecodingError.valueNotFound(let type, let context) {
        let place = context.codingPath.map(\.stringValue).joined(separator: ".")
        throw FlamingoError.file(path: path, found: "\(place) null", expected: "\(spoken(type))")
    } catch let DecodingError.dataCorrupted(context) {
        let place = context.codingPath.map(\.stringValue).joined(separator: ".")
        throw FlamingoError.file(
            path: path,
            found: "bad JSON\(place.isEmpty ? "" : " at \(place)"): \(context.debugDescription)",
            expected: "valid JSON whose numbers fit their fields")
    }
}

/// A type as JSON calls it.
private func spoken(_ type: Any.Type) -> String {
    switch type {
    case is String.Type: return "a string"
    case is Bool.Type: return "true or false"
    case is Int.Type: return "an integer"
    case is Float.Type, is Double.Type: return "a number"
    default: return "\(type)".hasPrefix("Array") ? "an array" : "an object"
    }
}

extension PublishedLanguageConfiguration {
    /// Whether prompts start with the beginning-of-text token (LLaMA).
    package var startsWithBeginning: Bool { model_type == "llama" }
}

/// An Otter model's `config.json`: both towers in one file.
package struct OtterConfiguration: Sendable {
    package let language: PublishedLanguageConfiguration
    package let vision: PublishedVisionConfiguration
    /// A gated block stands before every n-th layer.
    package let everyNLayers: Int?
    /// Rows of `frame_embs`; nil for a model without.
    package let frames: Int?

    private struct File: Decodable {
        let model_type: String
        let text_config: PublishedLanguageConfiguration
        let cross_attn_every_n_layers: Int?
        let max_num_frames: Int?
    }

    /// Reads the file; `path` is for messages.
    package init(json: Data, path: String) throws {
        let file = try decodeConfiguration(File.self, json, path: path)
        guard file.model_type == "otter" || file.model_type == "flamingo" else {
            throw FlamingoError.file(
                path: path, found: "model_type \"\(file.model_type)\"", expected: "otter")
        }
        language = file.text_config
        everyNLayers = file.cross_attn_every_n_layers
        frames = file.max_num_frames
        vision = try PublishedVisionConfiguration(json: json, path: path)
    }
}

extension Preprocessing {
    /// What CLIP's towers were trained on: bicubic resize, CLIP's own mean and deviation of red, green and blue.
    package static func clip(imageSize: Int, fit: Fit) throws -> Preprocessing {
        try Preprocessing(
            imageSize: imageSize, fit: fit, mean: [0.48145466, 0.4578275, 0.40821073],
            standardDeviation: [0.26862954, 0.26130258, 0.27577711])
    }
}
