//! Bundles: what import writes, what loading refuses.
import Foundation
import Testing
import WadeFlamingo
import WadePipeline
import WadeTensor
import WadeTestSupport

@Suite("Model bundles")
struct ModelBundleTests {
    private static let fixture = Fixtures.bundled
        .appendingPathComponent("openflamingo-mpt/mpt1b-every2").path

    /// Imports the small model into a scratch folder that `body` may damage.
    private func withBundle(_ body: (String) throws -> Void) throws {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-bundle-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let parts = ModelImport(
            checkpoint: Self.fixture + "/checkpoint", language: Self.fixture + "/lm",
            vision: Self.fixture + "/vision", name: "tiny")
        _ = try parts.write(to: scratch)
        try body(scratch)
    }

    private func replace(_ text: String, by other: String, in path: String) throws {
        let old = try String(contentsOfFile: path, encoding: .utf8)
        try #require(old.contains(text), "\(path) has no \(text)")
        try old.replacingOccurrences(of: text, with: other)
            .write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func load(_ path: String) throws {
        _ = try ModelBundle(path: path).model(Arithmetic(engine: .openBLAS))
    }

    /// The message of whatever `body` throws.
    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing was thrown"
        } catch {
            return "\(error)"
        }
    }

    @Test("an import writes the four files, loads again, and counts its parameters")
    func roundTrip() throws {
        try withBundle { path in
            let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            #expect(names == ["card.md", "config.json", "model.safetensors", "tokenizer.json"])
            let bundle = try ModelBundle(path: path)
            let model = try bundle.model(Arithmetic())
            #expect(model.language.vocabularySize == 531)
            #expect(bundle.configuration.weightsSHA256.count == 64)
            let card = try ModelCard(bundle)
            #expect(card.parameters > card.trained && card.trained > 0)
            let text = try ModelInspection(bundle).text(withTensors: true)
            #expect(text.contains("resampler.latents F32 [64, 18]"))
        }
    }

    @Test("OpenFlamingo's pictures are prepared as open_clip does it, whosever file its tower is")
    func preprocessing() throws {
        try withBundle { path in
            let vision = try ModelBundle(path: path).configuration.vision
            #expect(vision.preprocessing.fit == .shorterSideTorchvision)
        }
        // A tower in Hugging Face's layout is among the whole set of fixtures only.
        let folder = Fixtures.url("openflamingo-mpt/mpt7b-every1").path
        guard FileManager.default.fileExists(atPath: folder + "/vision/config.json") else { return }
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-bundle-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let bundle = try ModelImport(
            checkpoint: folder + "/checkpoint.pt", language: folder + "/lm",
            vision: folder + "/vision", name: "tiny"
        ).write(to: scratch)
        #expect(bundle.configuration.vision.preprocessing.fit == .shorterSideTorchvision)
    }

    @Test("an import twice over gives the same bytes, and never writes over what is there")
    func importIsRepeatable() throws {
        try withBundle { first in
            try withBundle { second in
                for name in ["model.safetensors", "config.json", "card.md"] {
                    let (a, b) = (
                        try Data(contentsOf: URL(fileURLWithPath: first + "/" + name)),
                        try Data(contentsOf: URL(fileURLWithPath: second + "/" + name))
                    )
                    #expect(a == b, "\(name) differs")
                }
            }
            let parts = ModelImport(
                checkpoint: Self.fixture + "/checkpoint", language: Self.fixture + "/lm",
                vision: Self.fixture + "/vision", name: "tiny")
            #expect(message { _ = try parts.write(to: first) }.contains("there already"))
        }
    }

    @Test("a configuration that contradicts the weights names the tensor and both shapes")
    func contradiction() throws {
        try withBundle { path in
            try replace("\"latents\" : 64", by: "\"latents\" : 32", in: path + "/config.json")
            let message = message { try load(path) }
            #expect(
                message.contains(
                    "model.safetensors: resampler.latents has shape [64, 18], expected [32, 18]"))
        }
    }

    @Test(
        "fields that make no model are refused by name",
        arguments: [
            ("\"format\" : \"wade.flamingo/1\"", "\"format\" : \"wade.flamingo/9\"", "format"),
            ("\"architecture\" : \"mpt\"", "\"architecture\" : \"gpt5\"", "language.architecture"),
            ("\"layers\" : 6", "\"layers\" : -1", "resampler.layers"),
            ("\"latents\" : 64", "\"latents\" : 1e300", "config.json: found"),
            ("\"latents\" : 64", "\"latents\" : null", "resampler.latents"),
            ("\"image\" : 529", "\"image\" : 70000", "tokens.image"),
            ("\"image\" : 529", "\"image\" : 528", "<image>"),
        ])
    func badFields(_ change: (String, String, String)) throws {
        try withBundle { path in
            try replace(change.0, by: change.1, in: path + "/config.json")
            let message = message {
                try load(path)
                _ = try ModelBundle(path: path).tokenizer()
            }
            #expect(message.contains(change.2), "\(message)")
        }
    }

    @Test("a missing, an unread and a truncated tensor are refused")
    func badTensors() throws {
        try withBundle { path in
            let weights = path + "/model.safetensors"
            let whole = try Data(contentsOf: URL(fileURLWithPath: weights))
            try replaceBytes("resampler.latents", by: "resampler.lAtents", in: whole, to: weights)
            #expect(message { try load(path) }.contains("resampler.latents is missing"))
            try whole.dropLast(100).write(to: URL(fileURLWithPath: weights))
            #expect(message { try load(path) }.contains("model.safetensors"))
            try whole.write(to: URL(fileURLWithPath: weights))
            // The model without query-key norms has no use for their weights.
            try replace(
                "\"query_key_norm\" : true", by: "\"query_key_norm\" : false",
                in: path + "/config.json")
            #expect(message { try load(path) }.contains("q_norm.weight"))
        }
    }

    private func replaceBytes(_ text: String, by other: String, in data: Data, to path: String)
        throws
    {
        var data = data
        let place = try #require(data.range(of: Data(text.utf8)))
        data.replaceSubrange(place, with: Data(other.utf8))
        try data.write(to: URL(fileURLWithPath: path))
    }
}
