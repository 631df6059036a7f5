//! Checkpoints that the original programs wrote.
import Foundation
import Testing
import WadeTensor
import WadeTestSupport

@Suite("Fixture files")
struct FixtureFilesTests {
    /// Every weight file below the fixture folder, relative to it.
    static let weightFiles: [String] = {
        let files = FileManager.default.enumerator(atPath: Fixtures.root.path)
        let names = (files?.allObjects as? [String] ?? []).sorted()
        return names.filter { name in
            [".safetensors", ".pt", ".bin", ".index.json"].contains { name.hasSuffix($0) }
        }
    }()

    @Test("every checkpoint opens and every tensor in it is read", arguments: weightFiles)
    func opens(_ name: String) throws {
        let archive = try CheckpointFile.read(path: Fixtures.url(name).path)
        #expect(!archive.tensors.isEmpty)
        for tensor in archive.tensors.values {
            if tensor.elementType.isFloatingPoint {
                #expect(try tensor.float32().count == tensor.shape.elementCount)
            } else {
                #expect(try tensor.int64().count == tensor.shape.elementCount)
            }
        }
    }

    @Test(
        "writing a safetensors file's tensors again gives the reference writer's bytes",
        arguments: weightFiles.filter { $0.hasSuffix(".safetensors") })
    func rewrites(_ name: String) throws {
        let path = Fixtures.url(name).path
        let archive = try Safetensors.read(path: path)
        var writer = SafetensorsWriter(metadata: archive.metadata)
        for (name, tensor) in archive.tensors { writer.add(name, tensor) }
        let folder = try TemporaryFolder()
        try writer.write(to: folder.path("again"))
        let same = FileManager.default.contentsEqual(atPath: path, andPath: folder.path("again"))
        #expect(same)
    }

    /// The towers in several layouts: folders of `clip-vit`.
    static let towers = Fixtures.folders(in: "clip-vit")

    private func values(_ archive: TensorArchive, _ name: String) throws -> [Float] {
        try #require(archive.tensors[name], "\(archive.file): \(name)").float32().values
    }

    @Test("OpenCLIP's and Hugging Face's files of a tower hold the same numbers", arguments: towers)
    func openCLIP(_ tower: String) throws {
        let folder = "clip-vit/\(tower)"
        let theirs = try CheckpointFile.read(
            path: Fixtures.url("\(folder)/hf/model.safetensors").path)
        let stem = Fixtures.url("\(folder)/open_clip").path + "/open_clip_"
        let name = ["model.safetensors", "pytorch_model.bin"].first {
            FileManager.default.fileExists(atPath: stem + $0)
        }
        let ours = try CheckpointFile.read(path: stem + #require(name))
        let layer = "vision_model.encoder.layers.0."
        let block = "visual.transformer.resblocks.0."
        let pairs = [
            (layer + "mlp.fc1.weight", block + "mlp.c_fc.weight"),
            (layer + "mlp.fc2.bias", block + "mlp.c_proj.bias"),
            (layer + "self_attn.out_proj.weight", block + "attn.out_proj.weight"),
            ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
            ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
            ("vision_model.post_layernorm.weight", "visual.ln_post.weight"),
        ]
        for (hf, open) in pairs { #expect(try values(theirs, hf) == values(ours, open)) }
        let joined = try ["q_proj", "k_proj", "v_proj"].flatMap {
            try values(theirs, layer + "self_attn.\($0).weight")
        }
        #expect(try joined == values(ours, block + "attn.in_proj_weight"))
    }

    @Test(
        "OpenAI's TorchScript archive holds its state dictionary, and OpenCLIP's in half precision")
    func torchScript() throws {
        let folder = "clip-vit/quick_gelu"
        let path = Fixtures.url("\(folder)/openai/openai_state_dict.safetensors").path
        try #require(FileManager.default.fileExists(atPath: path), "\(path) is missing")
        let dictionary = try CheckpointFile.read(path: path)
        let script = try CheckpointFile.read(
            path: Fixtures.url("\(folder)/openai/tiny-jit.pt").path)
        let full = try CheckpointFile.read(
            path: Fixtures.url("\(folder)/open_clip/open_clip_model.safetensors").path)
        #expect(script.names == dictionary.names)
        for (name, tensor) in dictionary.tensors {
            let other = try #require(script.tensors[name])
            #expect(other.elementType == tensor.elementType && other.shape == tensor.shape)
            guard tensor.elementType.isFloatingPoint else {
                #expect(try other.int64() == tensor.int64())
                continue
            }
            let found = try values(script, name)
            #expect(try found == values(dictionary, name))
            let isHalf = tensor.elementType == .float16
            let exact = try values(full, name)
            #expect(found == (isHalf ? exact.map { Float(Float16($0)) } : exact), "\(name)")
        }
    }
}
