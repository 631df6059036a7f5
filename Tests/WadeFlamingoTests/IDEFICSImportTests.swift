//! IDEFICS at its published sizes, by names and shapes alone, and configurations that contradict their tensors.
import Foundation
import Testing
import WadeTensor

@testable import WadeFlamingo

/// A published model's names and shapes in a sparse file that takes no space.
private struct PublishedLayout {
    var (layers, width, mlpWidth, interval, added) = (32, 4096, 11008, 4, 2)
    var heads = 32

    /// Tensors as the model's card and code have them.
    func shapes() -> [String: [Int]] {
        var shapes = vision()
        shapes.merge(resampler()) { $1 }
        let model = "model."
        for layer in 0..<layers {
            let name = model + "layers.\(layer)."
            for part in ["q", "k", "v", "o"] {
                shapes[name + "self_attn.\(part)_proj.weight"] = [width, width]
            }
            shapes.merge(feedForward(name)) { $1 }
        }
        for block in 0..<layers / interval {
            let name = model + "gated_cross_attn_layers.\(block)."
            for part in ["q", "o"] {
                shapes[name + "cross_attn.\(part)_proj.weight"] = [width, width]
            }
            for part in ["k", "v"] {
                shapes[name + "cross_attn.\(part)_proj.weight"] = [width, 1280]
            }
            for part in ["q", "k"] {
                shapes[name + "cross_attn.\(part)_layer_norm.weight"] = [width / heads]
            }
            shapes.merge(feedForward(name)) { $1 }
            shapes[name + "alpha_cross_attn"] = [1]
            shapes[name + "alpha_dense"] = [1]
        }
        shapes[model + "embed_tokens.weight"] = [32000, width]
        shapes[model + "embed_tokens.additional_embedding.weight"] = [added, width]
        shapes[model + "norm.weight"] = [width]
        shapes["lm_head.weight"] = [32000, width]
        shapes["lm_head.additional_fc.weight"] = [added, width]
        return shapes
    }

    private func feedForward(_ name: String) -> [String: [Int]] {
        [
            name + "mlp.gate_proj.weight": [mlpWidth, width],
            name + "mlp.up_proj.weight": [mlpWidth, width],
            name + "mlp.down_proj.weight": [width, mlpWidth],
            name + "input_layernorm.weight": [width],
            name + "post_attention_layernorm.weight": [width],
        ]
    }

    private func vision() -> [String: [Int]] {
        let name = "model.vision_model."
        var shapes = [
            name + "embeddings.class_embedding": [1280],
            name + "embeddings.patch_embedding.weight": [1280, 3, 14, 14],
            name + "embeddings.position_embedding.weight": [257, 1280],
        ]
        func linear(_ name: String, _ shape: [Int]) {
            shapes[name + ".weight"] = shape
            shapes[name + ".bias"] = [shape[0]]
        }
        linear(name + "pre_layrnorm", [1280])
        linear(name + "post_layernorm", [1280])
        for layer in 0..<32 {
            let layer = name + "encoder.layers.\(layer)."
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                linear(layer + "self_attn." + part, [1280, 1280])
            }
            linear(layer + "mlp.fc1", [5120, 1280])
            linear(layer + "mlp.fc2", [1280, 5120])
            linear(layer + "layer_norm1", [1280])
            linear(layer + "layer_norm2", [1280])
        }
        return shapes
    }

    private func resampler() -> [String: [Int]] {
        let name = "model.perceiver_resampler."
        var shapes = [name + "latents": [64, 1280]]
        func norm(_ name: String, _ width: Int) {
            shapes[name + ".weight"] = [width]
            shapes[name + ".bias"] = [width]
        }
        norm(name + "layer_norm", 1280)
        for block in 0..<6 {
            let (attention, mlp) = (name + "blocks.\(block).0.", name + "blocks.\(block).1.")
            norm(attention + "context_layer_norm", 1280)
            norm(attention + "latents_layer_norm", 1280)
            norm(attention + "q_layer_norm", 96)
            norm(attention + "k_layer_norm", 96)
            for part in ["q", "k", "v"] {
                shapes[attention + "\(part)_proj.weight"] = [1536, 1280]
            }
            shapes[attention + "output_proj.weight"] = [1280, 1536]
            norm(mlp + "ln", 1280)
            shapes[mlp + "fc.weight"] = [5120, 1280]
            shapes[mlp + "c_proj.weight"] = [1280, 5120]
        }
        return shapes
    }

    /// Opens a file with these tensors, all zeros in BF16, that takes the disk space of its header only.
    func archive() throws -> TensorArchive {
        var (header, end) = ([String: Any](), 0)
        for (name, shape) in shapes() {
            let start = end
            end += 2 * shape.reduce(1, *)
            header[name] = ["dtype": "BF16", "shape": shape, "data_offsets": [start, end]]
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: url) }
        let length = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
        try (length + json).write(to: url)
        let file = try FileHandle(forWritingTo: url)
        try file.truncate(atOffset: UInt64(8 + json.count + end))
        try file.close()
        return try Safetensors.read(path: url.path)
    }

    /// The configuration with the fields that are not transformers' defaults, and `changes`.
    func configuration(_ changes: [String: Any] = [:]) throws -> IDEFICSConfiguration {
        let fields: [String: Any] = [
            "model_type": "idefics", "num_attention_heads": heads, "cross_layer_interval": interval,
            "qk_layer_norms": true, "use_resampler": true,
        ]
        let json = try JSONSerialization.data(
            withJSONObject: fields.merging(changes) { $1 })
        return try IDEFICSConfiguration(json: json, path: "config.json")
    }

    func converted(
        _ changes: [String: Any] = [:]
    ) throws -> (FlamingoConfiguration, [CheckpointParameter]) {
        try IDEFICSParts(
            checkpoint: archive(), configuration: configuration(changes),
            configurationPath: "config.json", name: "idefics",
            tokens: SpecialTokens(image: 32001, endOfChunk: 2, endOfText: 2)
        ).converted()
    }

    static let large = PublishedLayout(
        layers: 80, width: 8192, mlpWidth: 22016, interval: 4, added: 2, heads: 64)

    /// Two gated blocks are enough to contradict.
    static let small = PublishedLayout(
        layers: 8, width: 64, mlpWidth: 128, interval: 4, added: 2, heads: 4)

    init() {}

    init(layers: Int, width: Int, mlpWidth: Int, interval: Int, added: Int, heads: Int) {
        (self.layers, self.width, self.mlpWidth) = (layers, width, mlpWidth)
        (self.interval, self.added, self.heads) = (interval, added, heads)
    }
}

@Suite("IDEFICS checkpoints")
struct IDEFICSImportTests {
    /// The final norm of the tower, which is published and not used.
    private let unused = 2 * 1280

    @Test("the 9B model imports by names and shapes: 1015 tensors, 8,929,679,632 parameters")
    func nineBillion() throws {
        let layout = PublishedLayout()
        #expect(layout.shapes().count == 1015)
        let (configuration, parameters) = try layout.converted()
        let count = parameters.reduce(0) { $0 + $1.shape.elementCount }
        #expect(count + unused == 8_929_679_632)
        #expect(configuration.crossAttention.layers == [0, 4, 8, 12, 16, 20, 24, 28])
        #expect(configuration.vision.imageSize == 224 && configuration.vision.features == 257)
        #expect(configuration.resampler.latents == 64 && configuration.resampler.heads == 16)
        #expect(configuration.language.vocabularySize == 32002)
    }

    @Test("the 80B model imports by names and shapes: 1603 tensors, 79,967,843,624 parameters")
    func eightyBillion() throws {
        #expect(PublishedLayout.large.shapes().count == 1603)
        let (configuration, parameters) = try PublishedLayout.large.converted()
        let count = parameters.reduce(0) { $0 + $1.shape.elementCount }
        #expect(count + unused == 79_967_843_624)
        #expect(configuration.crossAttention.layers.count == 20)
        #expect(configuration.crossAttention.headWidth == 128)
    }

    @Test(
        "a configuration that contradicts the tensors is refused by its field",
        arguments: [
            ("cross_layer_interval", "3"), ("cross_layer_interval", "0"),
            ("cross_layer_interval", "\(Int.max)"), ("use_resampler", "false"),
            ("qk_layer_norms", "false"), ("tie_word_embeddings", "true"),
            ("num_attention_heads", "0"), ("num_attention_heads", "-3"),
            ("num_attention_heads", "7"), ("hidden_act", "\"gelu\""),
            ("vision_config", "{\"hidden_act\": \"tanh\"}"),
            ("perceiver_config", "{\"qk_layer_norms_perceiver\": false}"),
        ])
    func contradictions(field: String, value: String) throws {
        let json = try JSONSerialization.jsonObject(
            with: Data(value.utf8), options: .fragmentsAllowed)
        let nested = (json as? [String: Any])?.keys.first
        do {
            _ = try PublishedLayout.small.converted([field: json])
            Issue.record("\(field) \(value) was accepted")
        } catch let error as FlamingoError {
            #expect(error.description.contains(nested ?? field), "\(error)")
        }
    }
}
