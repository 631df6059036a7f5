//! Rung 3: CLIP's vision tower in every published layout against Hugging Face's, OpenCLIP's and OpenAI's code.
import Foundation
import Testing
import WadeImage
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

/// One spelling of a tower's weights in a fixture folder.
private struct Layout: CustomTestStringConvertible, Sendable {
    let folder: String
    let file: String

    var testDescription: String { "\(folder)/\(file)" }

    static let all = Fixtures.folders(in: "clip-vit").flatMap { folder in
        [
            "hf/model.safetensors", "open_clip/open_clip_model.safetensors",
            "open_clip/open_clip_pytorch_model.bin", "openai/openai_state_dict.safetensors",
            "openai/tiny-jit.pt",
        ].map { Layout(folder: "clip-vit/\(folder)", file: $0) }
    }.filter { FileManager.default.fileExists(atPath: $0.path) }

    var path: String { Fixtures.url("\(folder)/\(file)").path }

    /// Weights through the layout's rename table, sizes from Hugging Face's configuration of the same tower.
    func tower(_ arithmetic: Arithmetic) throws -> CLIPVisionTransformer {
        let config = try Fixtures.json("\(folder)/hf/config.json")
        guard let vision = config["vision_config"] as? [String: Any],
            let width = vision["hidden_size"] as? Int, let side = vision["image_size"] as? Int,
            let patch = vision["patch_size"] as? Int, let mlp = vision["intermediate_size"] as? Int,
            let layers = vision["num_hidden_layers"] as? Int,
            let heads = vision["num_attention_heads"] as? Int,
            let activation = (vision["hidden_act"] as? String).flatMap(Activation.init(rawValue:)),
            let projected = config["projection_dim"] as? Int
        else { throw FixtureError.missing("\(folder): sizes of the tower") }
        let configuration = VisionTransformerConfiguration(
            imageSize: side, patchSize: patch, width: width, layers: layers, heads: heads,
            mlpWidth: mlp, activation: activation, normEpsilon: 1e-5, projectionWidth: projected,
            preprocessing: try .clip(imageSize: side, fit: .shorterSideTorchvision))
        let table = RenameTable(
            file.hasPrefix("hf/")
                ? RenameTable.huggingFaceCLIP(prefix: "vision_model.") : RenameTable.openCLIP)
        let weights = try Fixtures.weights(CheckpointFile.read(path: path), table)
        let tower = try CLIPVisionTransformer(
            weights["vision"], configuration, arithmetic: arithmetic)
        try weights.requireAllRead()
        return tower
    }
}

@Suite("Parity: CLIP's vision tower")
struct CLIPParityTests {
    /// Stated by the README for hidden states (values of standard deviation 1 to 6).
    private let tolerance: Float = 2e-4
    /// Stated for resized tables, and for towers that run on them.
    private let tableTolerance: Float = 5e-6
    private let resizedTolerance: Float = 5e-4

    @Test(
        "every layout gives the features of its original", arguments: Layout.all,
        Precision.ofSeeing)
    fileprivate func tower(layout: Layout, precision: Precision) throws {
        let expected = try Fixtures.tensors("\(layout.folder)/expected.safetensors")
        let inputs = try Fixtures.tensors("\(layout.folder)/inputs.safetensors")
        let pixels = try inputs.float("pixel_values")
        for engine in MatrixEngine.allCases {
            let tower = try layout.tower(.every(precision, engine))
            var stages: [String: Tensor] = [:]
            let tokens = try tower.tokens(pixels) { stages[$0] = $1 }
            let layers = stages.keys.filter { $0.hasPrefix("hidden.") }.count
            #expect(layers > 1)
            stages["embeddings_before_pre_layernorm"] = stages.removeValue(forKey: "embeddings")
            for index in 0..<layers {
                stages["hidden_\(index)"] = stages.removeValue(forKey: "hidden.\(index)")
            }
            stages["openflamingo_tokens"] = try tower(pixels)
            stages["post_layernorm_cls"] = tower.pooled(tokens)
            stages["image_embeds"] = tower.projected(tokens)
            stages["openclip_image_features"] = tower.projected(tokens)
            for (name, found) in stages {
                expectNear(
                    found, try expected.float(name),
                    within: precision == .float32 ? .largest(tolerance) : .module(precision),
                    "\(layout.testDescription) \(name) on \(engine.rawValue)")
            }
            #expect(stages.count >= layers + 5)
        }
    }

    @Test("the retrieval embedding is the projected one at length 1", arguments: Layout.all)
    fileprivate func embedding(layout: Layout) throws {
        let expected = try Fixtures.tensors("\(layout.folder)/expected.safetensors")
            .float("image_embeds")
        let inputs = try Fixtures.tensors("\(layout.folder)/inputs.safetensors")
        let tower = try layout.tower(Arithmetic())
        let found = try #require(
            tower.embedding(try tower.tokens(try inputs.float("pixel_values"))))
        for row in 0..<expected.rows {
            let length = expected[row].values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            expectClose(
                found[row], expected[row] * (1 / length), within: tolerance,
                "\(layout.testDescription) row \(row)")
        }
    }

    @Test(
        "Hugging Face's resized positions give its features on other picture sizes",
        arguments: Layout.all.filter { $0.file.hasPrefix("hf/") })
    fileprivate func huggingFacePositions(layout: Layout) throws {
        let expected = try Fixtures.tensors("\(layout.folder)/expected.safetensors")
        let inputs = try Fixtures.tensors("\(layout.folder)/inputs.safetensors")
        let (tower, pixels) = (
            try layout.tower(Arithmetic()), try inputs.float("interp_hf.pixel_values")
        )
        let patch = try layout.patchSize()
        let table = try PositionInterpolation.huggingFace(
            tower.trainedPositions, rows: pixels.shape[2] / patch,
            columns: pixels.shape[3] / patch)
        expectClose(
            try tower.tokens(pixels, positions: table),
            try expected.float("interp_hf.last_hidden_state"), within: resizedTolerance,
            layout.testDescription)
    }

    @Test(
        "OpenCLIP's resized positions are its tables, and give its features",
        arguments: Layout.all.filter { $0.file.hasPrefix("open_clip/") }, ["up", "down"])
    fileprivate func openCLIPPositions(layout: Layout, direction: String) throws {
        let expected = try Fixtures.tensors("\(layout.folder)/expected.safetensors")
        let inputs = try Fixtures.tensors("\(layout.folder)/inputs.safetensors")
        let name = "interp_openclip_\(direction)"
        let (tower, pixels) = (
            try layout.tower(Arithmetic()), try inputs.float("\(name).pixel_values")
        )
        let patch = try layout.patchSize()
        let table = try PositionInterpolation.openCLIP(
            tower.trainedPositions, rows: pixels.shape[2] / patch,
            columns: pixels.shape[3] / patch)
        expectClose(
            table, try expected.float("\(name).positional_embedding"), within: tableTolerance,
            "\(layout.testDescription) \(name) table")
        expectClose(
            try tower.tokens(pixels, positions: table),
            try expected.float("\(name).last_hidden_state"), within: resizedTolerance,
            "\(layout.testDescription) \(name) features")
    }

    @Test(
        "a table that is no square plus one is refused", arguments: PositionInterpolation.allCases)
    func notASquare(way: PositionInterpolation) {
        #expect(throws: FlamingoError.self) {
            try way(Tensor.zeros([12, 4]), rows: 2, columns: 2)
        }
    }

    @Test("there is at least one tower to compare")
    func thereAreTowers() {
        #expect(!Layout.all.isEmpty)
    }
}

extension Layout {
    fileprivate func patchSize() throws -> Int {
        let config = try Fixtures.json("\(folder)/hf/config.json")
        guard let vision = config["vision_config"] as? [String: Any],
            let patch = vision["patch_size"] as? Int
        else { throw FixtureError.missing("\(folder): patch_size") }
        return patch
    }
}
