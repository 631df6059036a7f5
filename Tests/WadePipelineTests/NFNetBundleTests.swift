//! A Flamingo whose vision encoder is a normalizer-free network: imported, bundled, quantised.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeTestSupport

@testable import WadePipeline

@Suite("NFNet as a vision encoder")
struct NFNetBundleTests {
    private let folder: TemporaryFolder
    private let bundle: ModelBundle

    init() throws {
        folder = try TemporaryFolder()
        let parts = try NFNetParts(in: folder.path.text)
        bundle = try ModelImport(
            checkpoint: parts.checkpoint, language: parts.language, vision: parts.vision,
            name: "tiny nfnet"
        ).write(to: folder("model").text)
    }

    private func bits(_ tensor: Tensor) -> [UInt32] { tensor.values.map(\.bitPattern) }

    @Test("its configuration says so, and survives being written and read")
    func configuration() throws {
        guard case .nfnet(let vision) = bundle.configuration.vision else {
            Issue.record("vision is \(bundle.configuration.vision)")
            return
        }
        #expect(vision.network.depths == [1, 2, 2, 1] && vision.network.rule == .timm)
        #expect(vision.imageSize == 64 && vision.features == 4)
        // timm: both sides to floor(64 / 0.9), then the centre.
        #expect(vision.preprocessing.resizedSize == 71 && vision.preprocessing.fit == .squash)
        #expect(vision.preprocessing.mean == [0.485, 0.456, 0.406])
        #expect(bundle.configuration.resampler.width == 96)
        let json = try JSONEncoder().encode(bundle.configuration)
        #expect(String(decoding: json, as: UTF8.self).contains("\"kind\":\"nfnet\""))
        let read = try FlamingoConfiguration(json: json, path: "config.json")
        #expect(read == bundle.configuration)
        #expect(try ModelCard(bundle).text.contains("normalizer-free network of 1, 2, 2, 1 blocks"))
    }

    @Test(
        "its features are the original's last stage, row by row; a frame's do not depend on others")
    func features() throws {
        let model = try bundle.model(Arithmetic())
        let pixels = try Fixtures.tensors("nfnet/inputs.safetensors").float("image_0")
        let expected = try Fixtures.tensors("nfnet/expected.safetensors")
            .float("image_0.flamingo_tokens")
        let features = try model.features(pixels)
        expectClose(features, expected, within: 1e-4, "features")
        #expect(features.shape == [2, 4, 96])
        #expect(bits(try model.features(pixels[1..<2])) == bits(features[1]))
        let tokens = try model.visualTokens(ofFeatures: features)
        #expect(tokens.shape == [64, 96] && tokens.values.allSatisfy { $0.isFinite })
        let other = try model.visualTokens(pixels[0..<1])
        #expect(Comparison(tokens, other).difference > 1e-3, "a second frame changes the tokens")
    }

    @Test(
        "a bundle of low precision computes the bits of its source in that precision",
        .enabled(if: QuantizationTests.canQuantize), arguments: QuantizationTests.precisions)
    func quantized(precision: Precision) throws {
        let small = try ModelQuantization(bundle, precision: precision, leastInt8Weights: 0)
            .write(to: folder("small-\(precision)").text)
        let arithmetic = Arithmetic(precision: precision, leastInt8Weights: 0)
        let pixels = try Fixtures.tensors("nfnet/inputs.safetensors").float("image_0")
        let tokens = try [small, bundle].map { try $0.model(arithmetic).visualTokens(pixels) }
        #expect(bits(tokens[0]) == bits(tokens[1]))
        #expect(try ModelCard(small).parts == ModelCard(bundle).parts)
    }

    @Test("other towers of timm, sizes that contradict each other and unknown kinds are refused")
    func refusals() throws {
        let path = folder("nfnet/config.json").text
        let json = try String(contentsOfFile: path, encoding: .utf8)
        for (text, other) in [
            ("[3, 64, 64]", "[3, 64, 48]"), ("\"squash\"", "\"border\""),
            ("\"crop_pct\": 0.9", "\"crop_pct\": 0.1"), ("\"se\"", "\"eca\""),
            ("\"input_size\"", "\"size\""),
        ] {
            #expect(json.contains(text), "\(text)")
            let wrong = Data(json.replacing(text, with: other).utf8)
            #expect(throws: FlamingoError.self, "\(text)") {
                try NFNetVisionConfiguration(timm: wrong, path: "config.json")
            }
        }
        let own = try String(contentsOfFile: bundle.path + "/config.json", encoding: .utf8)
        for (text, other, word) in [
            ("\"nfnet\"", "\"resnet\"", "resnet"), ("\"mpt\"", "\"chinchilla\"", "Chinchilla"),
            ("\"mpt\"", "\"rwkv\"", "gpt_neox"),
            ("\"width\" : 96", "\"width\" : 95", "vision.width"),
        ] {
            #expect(own.contains(text), "\(text)")
            #expect {
                try FlamingoConfiguration(
                    json: Data(own.replacing(text, with: other).utf8), path: "config.json")
            } throws: { "\($0)".contains(word) && $0 is FlamingoError }
        }
    }
}
