//! The published sizes of IDEFICS: files with the names and shapes of 9B and 80B, without values, are taken as they are.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor

@Suite("IDEFICS in its published sizes")
struct IDEFICSPublishedSizeTests {
    /// What the model card's configuration says, and what was counted from the architecture.
    struct Size: Sendable, CustomTestStringConvertible {
        let name: String
        let width: Int
        let mlpWidth: Int
        let layers: Int
        let heads: Int
        let added: Int
        let parameters: Int

        var testDescription: String { name }
    }

    static let sizes = [
        Size(
            name: "9b", width: 4096, mlpWidth: 11008, layers: 32, heads: 32, added: 2,
            parameters: 8_929_679_632),
        Size(
            name: "9b-instruct", width: 4096, mlpWidth: 11008, layers: 32, heads: 32, added: 3,
            parameters: 8_929_687_824),
        Size(
            name: "80b", width: 8192, mlpWidth: 22016, layers: 80, heads: 64, added: 2,
            parameters: 79_967_843_624),
    ]

    /// Names and shapes as published, the stale buffers that have to be ignored among them.
    private func tensors(_ size: Size) -> [(name: String, type: String, shape: [Int])] {
        var tensors: [(String, String, [Int])] = []
        func add(_ name: String, _ shape: Int..., type: String = "BF16") {
            tensors.append((name, type, shape))
        }
        let (d, m) = (size.width, size.mlpWidth)
        for (name, rows) in [
            ("model.embed_tokens.weight", 32000),
            ("model.embed_tokens.additional_embedding.weight", size.added),
            ("lm_head.weight", 32000), ("lm_head.additional_fc.weight", size.added),
        ] { add(name, rows, d) }
        add("model.norm.weight", d)
        let vision = "model.vision_model."
        add(vision + "embeddings.class_embedding", 1280)
        add(vision + "embeddings.patch_embedding.weight", 1280, 3, 14, 14)
        add(vision + "embeddings.position_embedding.weight", 257, 1280)
        add(vision + "embeddings.position_ids", 1, 257, type: "I64")
        func norm(_ name: String, _ width: Int) {
            add(name + ".weight", width)
            add(name + ".bias", width)
        }
        norm(vision + "pre_layrnorm", 1280)
        norm(vision + "post_layernorm", 1280)
        for layer in 0..<32 {
            let name = vision + "encoder.layers.\(layer)."
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                add(name + "self_attn.\(part).weight", 1280, 1280)
                add(name + "self_attn.\(part).bias", 1280)
            }
            norm(name + "layer_norm1", 1280)
            norm(name + "layer_norm2", 1280)
            add(name + "mlp.fc1.weight", 5120, 1280)
            add(name + "mlp.fc1.bias", 5120)
            add(name + "mlp.fc2.weight", 1280, 5120)
            add(name + "mlp.fc2.bias", 1280)
        }
        let resampler = "model.perceiver_resampler."
        add(resampler + "latents", 64, 1280)
        norm(resampler + "layer_norm", 1280)
        for block in 0..<6 {
            let name = resampler + "blocks.\(block)."
            norm(name + "0.context_layer_norm", 1280)
            norm(name + "0.latents_layer_norm", 1280)
            norm(name + "0.q_layer_norm", 96)
            norm(name + "0.k_layer_norm", 96)
            for part in ["q_proj", "k_proj", "v_proj"] {
                add(name + "0.\(part).weight", 1536, 1280)
            }
            add(name + "0.output_proj.weight", 1280, 1536)
            norm(name + "1.ln", 1280)
            add(name + "1.fc.weight", 5120, 1280)
            add(name + "1.c_proj.weight", 1280, 5120)
        }
        func block(_ name: String, attention: String, keysFrom width: Int) {
            add(name + "\(attention).q_proj.weight", d, d)
            add(name + "\(attention).k_proj.weight", d, width)
            add(name + "\(attention).v_proj.weight", d, width)
            add(name + "\(attention).o_proj.weight", d, d)
            add(name + "\(attention).rotary_emb.inv_freq", 64, type: "F32")
            add(name + "mlp.gate_proj.weight", m, d)
            add(name + "mlp.up_proj.weight", m, d)
            add(name + "mlp.down_proj.weight", d, m)
            add(name + "input_layernorm.weight", d)
            add(name + "post_attention_layernorm.weight", d)
        }
        for layer in 0..<size.layers {
            block("model.layers.\(layer).", attention: "self_attn", keysFrom: d)
        }
        for layer in 0..<size.layers / 4 {
            let name = "model.gated_cross_attn_layers.\(layer)."
            block(name, attention: "cross_attn", keysFrom: 1280)
            add(name + "cross_attn.q_layer_norm.weight", 128)
            add(name + "cross_attn.k_layer_norm.weight", 128)
            add(name + "alpha_cross_attn", 1)
            add(name + "alpha_dense", 1)
        }
        return tensors
    }

    /// A safetensors file of these tensors that holds no block of them: its size is that of the published files together.
    private func write(_ size: Size, to path: String) throws {
        var header: [String: Any] = [:]
        var offset = 0
        for (name, type, shape) in tensors(size) {
            let width = ["BF16": 2, "F32": 4, "I64": 8][type] ?? 0
            let end = offset + shape.reduce(width, *)
            header[name] = ["dtype": type, "shape": shape, "data_offsets": [offset, end]]
            offset = end
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        let length = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
        try (length + json).write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: UInt64(8 + json.count + offset))
        try file.close()
    }

    private func configuration(_ size: Size) -> Data {
        Data(
            """
            {"model_type": "idefics", "hidden_act": "silu", "num_attention_heads": \(size.heads),
             "rms_norm_eps": 1e-06, "cross_layer_interval": 4, "qk_layer_norms": true,
             "use_resampler": true, "tie_word_embeddings": false, "pad_token_id": 0,
             "vision_config": {"hidden_act": "gelu"},
             "perceiver_config": {"qk_layer_norms_perceiver": true}}
            """.utf8)
    }

    @Test("names and shapes as published give the published sizes", arguments: sizes)
    func published(_ size: Size) throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-\(size.name)-\(UUID().uuidString).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try write(size, to: path)
        let parts = IDEFICSParts(
            checkpoint: try Safetensors.read(path: path),
            configuration: try IDEFICSConfiguration(json: configuration(size), path: "config.json"),
            configurationPath: "config.json", name: size.name,
            tokens: SpecialTokens(image: 32001, endOfChunk: 2, endOfText: 2, beginningOfText: 1))
        let (found, parameters) = try parts.converted()
        // The norm behind the tower, weight and bias, is in the files, and nothing uses it.
        #expect(
            parameters.reduce(0) { $0 + $1.shape.elementCount } == size.parameters - 2 * 1280)
        let tower = try #require(found.vision.transformer)
        #expect(tower.layers == 32 && tower.heads == 16 && tower.width == 1280)
        #expect(found.vision.imageSize == 224 && found.vision.features == 257)
        #expect(found.resampler.latents == 64 && found.resampler.layers == 6)
        #expect(found.resampler.heads == 16 && found.resampler.headWidth == 96)
        #expect(found.language.vocabularySize == 32000 + size.added)
        #expect(found.language.layers == size.layers && found.language.width == size.width)
        #expect(
            found.crossAttention.layers == Array(stride(from: 0, to: size.layers, by: 4)))
        #expect(found.crossAttention.headWidth == 128)
    }
}
