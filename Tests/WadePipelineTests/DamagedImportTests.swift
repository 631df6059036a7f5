//! Published folders that lack something or contradict themselves are refused by name.
import Foundation
import Testing
import WadeFlamingo
import WadePipeline
import WadeTensor
import WadeTestSupport

@Suite("Importing damaged models")
struct DamagedImportTests {
    private static let otter = Fixtures.bundled.appendingPathComponent("otter-video/llama-video")
        .path
    private static let flamingo = Fixtures.bundled
        .appendingPathComponent("openflamingo-mpt/mpt1b-every2").path

    /// A folder that goes when the test is over.
    private func withScratch(_ body: (String) throws -> Void) throws {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-damaged-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try body(scratch)
    }

    /// The Otter model in one file without the tensors that `leavingOut` names, its configuration changed by `editing`.
    private func importOtter(
        leavingOut isLeftOut: (String) -> Bool = { _ in false },
        editing edit: (inout String) -> Void = { _ in }
    ) throws -> String {
        var message = "imported"
        try withScratch { scratch in
            for name in ["tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"] {
                try FileManager.default.copyItem(
                    atPath: Self.otter + "/" + name, toPath: scratch + "/" + name)
            }
            var config = try String(contentsOfFile: Self.otter + "/config.json", encoding: .utf8)
            edit(&config)
            try config.write(
                toFile: scratch + "/config.json", atomically: true, encoding: .utf8)
            let archive = try CheckpointFile.read(
                path: Self.otter + "/model.safetensors.index.json")
            var writer = SafetensorsWriter()
            for name in archive.names where !isLeftOut(name) {
                if let tensor = archive.tensors[name] { writer.add(name, tensor) }
            }
            try writer.write(to: scratch + "/model.safetensors")
            let parts = ModelImport(
                checkpoint: scratch, language: nil, vision: nil, name: "otter")
            do { _ = try parts.write(to: scratch + "/bundle") } catch { message = "\(error)" }
            let left = try FileManager.default.contentsOfDirectory(atPath: scratch)
            #expect(!left.contains { $0.contains("unfinished") }, "left behind: \(left)")
        }
        return message
    }

    @Test("the whole model imports, so that the refusals below have their reason")
    func whole() throws {
        #expect(try importOtter() == "imported")
    }

    @Test(
        "a model without one of its parts is refused, and the part is named",
        arguments: [
            ("lang_encoder.lm_head.weight", "language.head.weight is missing"),
            ("lang_encoder.model.layers.1.gated_cross_attn_layer", "cross_attn_every_n_layers"),
            ("perceiver.layers.5.", "perceiver"),
            ("perceiver.frame_embs", "max_num_frames"),
            ("lang_encoder.model.layers.2.decoder_layer.mlp.up_proj.weight", "layers.2.mlp.up"),
            ("vision_encoder.vision_model.encoder.layers.2.", "layers"),
        ])
    func missingParts(_ part: (name: String, word: String)) throws {
        let message = try importOtter(leavingOut: { $0.hasPrefix(part.name) })
        #expect(message.contains(part.word), "\(part.name): \(message)")
    }

    @Test(
        "a configuration that contradicts the tensors is refused, and the field is named",
        arguments: [
            ("\"cross_attn_every_n_layers\": 2", "\"cross_attn_every_n_layers\": 7", "every"),
            ("\"max_num_frames\": 16", "\"max_num_frames\": 3", "max_num_frames"),
            ("\"intermediate_size\": 80", "\"intermediate_size\": 81", "intermediate size 81"),
            ("\"patch_size\": 7", "\"patch_size\": 14", "patch size 14"),
            ("\"rms_norm_eps\": 1e-06", "\"rope_scaling\": {\"factor\": 2}", "rope_scaling"),
            ("\"model_type\": \"otter\"", "\"model_type\": \"beaver\"", "beaver"),
            ("\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "language.heads"),
        ])
    func contradictions(_ change: (from: String, to: String, word: String)) throws {
        let message = try importOtter(editing: { config in
            #expect(config.contains(change.from), "no \(change.from)")
            config = config.replacingOccurrences(of: change.from, with: change.to)
        })
        #expect(message.contains(change.word), "\(change.to): \(message)")
    }

    @Test("a tower's file without a configuration beside it is not guessed at")
    func towerWithoutConfiguration() throws {
        try withScratch { scratch in
            let tower = scratch + "/tower.safetensors"
            try FileManager.default.copyItem(
                atPath: Self.flamingo + "/vision/open_clip_model.safetensors", toPath: tower)
            let parts = ModelImport(
                checkpoint: Self.flamingo + "/checkpoint", language: Self.flamingo + "/lm",
                vision: tower, name: "x")
            #expect {
                _ = try parts.write(to: scratch + "/bundle")
            } throws: { "\($0)".contains("open_clip_config.json") }
        }
    }

    @Test("a folder called like an unfinished bundle is not touched")
    func nothingIsDeleted() throws {
        try withScratch { scratch in
            let other = scratch + "/bundle.unfinished"
            try FileManager.default.createDirectory(
                atPath: other, withIntermediateDirectories: true)
            let parts = ModelImport(
                checkpoint: Self.flamingo + "/checkpoint", language: Self.flamingo + "/lm",
                vision: Self.flamingo + "/vision", name: "x")
            _ = try parts.write(to: scratch + "/bundle//")
            #expect(FileManager.default.fileExists(atPath: other))
            #expect(FileManager.default.fileExists(atPath: scratch + "/bundle/config.json"))
        }
    }

    @Test("a tensor without elements is refused before its other sizes are believed")
    func emptyTensors() throws {
        try withScratch { scratch in
            let header =
                #"{"perceiver.latents":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}}"#
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
            let file = URL(fileURLWithPath: scratch + "/checkpoint.safetensors")
            try (length + Data(header.utf8)).write(to: file)
            let parts = ModelImport(
                checkpoint: file.path, language: Self.flamingo + "/lm",
                vision: Self.flamingo + "/vision", name: "x")
            #expect {
                _ = try parts.write(to: scratch + "/bundle")
            } throws: { "\($0)".contains("perceiver.latents") }
        }
    }
}
