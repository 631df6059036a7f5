//! A hub that serves the bundled small models, and everything that a pull from it needs.
import Foundation
import Synchronization
import Testing
import WadeHub
import WadePipeline
import WadeTestSupport

/// A folder that goes when the value does.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-hub-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }

    /// The names of everything below `folder`, sorted.
    func names(_ folder: String) -> [String] {
        ((try? FileManager.default.subpathsOfDirectory(atPath: path + "/" + folder)) ?? []).sorted()
    }
}

/// What a pull said.
final class Said: Sendable {
    private let lines = Mutex<[String]>([])

    var notes: [String] { lines.withLock { $0 } }

    var messages: ModelPull.Messages {
        ModelPull.Messages(
            progress: { _ in }, note: { note in self.lines.withLock { $0.append(note) } })
    }
}

/// The hub, and folders for a cache and bundles.
struct TinyHub {
    let server: HubServer
    let scratch: Scratch

    /// The folder of the bundled model whose parts the hub serves as `tiny/*`, and which a pull of `tiny` is compared with.
    static let flamingo = Fixtures.bundled.appendingPathComponent("openflamingo-mpt/mpt1b-every2")

    /// The registry of what the hub serves.
    static let registry = """
        models:
          tiny:
            about: a small OpenFlamingo
            parameters: 457000
            licence: as the tests'
            parts:
              checkpoint:
                repository: tiny/flamingo
                gigabytes: 0.0016
                files: [[model.safetensors, model.safetensors.index.json, pytorch_model.bin]]
              language:
                repository: tiny/language
                files: [config.json, tokenizer.json, [model.safetensors.index.json, model.safetensors]]
                optional: [special_tokens_map.json, tokenizer_config.json, generation_config.json]
              vision:
                repository: tiny/vision
                files: [open_clip_config.json, open_clip_model.safetensors]
          tiny-otter:
            parts:
              checkpoint:
                repository: tiny/otter
                files: [config.json, tokenizer.json, [model.safetensors, model.safetensors.index.json]]
                optional: [special_tokens_map.json, tokenizer_config.json]
          tiny-idefics:
            parts:
              checkpoint:
                repository: tiny/idefics
                files: [config.json, tokenizer.json, [model.safetensors, model.safetensors.index.json]]
        """

    init() throws {
        func repository(
            _ path: String, where isTaken: (String) -> Bool = { _ in true }
        ) throws -> HubServer.Repository {
            try HubServer.Repository(
                folder: Fixtures.bundled.appendingPathComponent(path), where: isTaken)
        }
        let model = "openflamingo-mpt/mpt1b-every2"
        server = try HubServer([
            "tiny/flamingo": repository(model + "/checkpoint"),
            "tiny/language": repository(model + "/lm"),
            "tiny/vision": repository(model + "/vision"),
            "tiny/otter": repository("otter-video/llama-video") { !$0.hasPrefix("cases") },
            "tiny/idefics": repository("idefics/base") {
                !$0.contains(".inputs") && !$0.contains(".expected")
            },
        ])
        scratch = try Scratch()
        try Data(Self.registry.utf8).write(to: URL(fileURLWithPath: scratch("models.yaml")))
    }

    /// Impatient, so that tests are quick.
    static var retrying: Retrying {
        var retrying = Retrying()
        retrying.firstPause = 0.01
        retrying.attempts = 4
        retrying.connectionAttempts = 2
        return retrying
    }

    func pull(
        _ name: String = "tiny", to output: String = "models/bundle", cache: String = "cache",
        token: String? = nil, address: String? = nil, partSize: Int = 100_000
    ) throws -> ModelPull {
        let registry = try ModelRegistry(adding: PathBytes(scratch("models.yaml")))
        var pull = ModelPull(
            try registry.model(name),
            hub: try Hub(
                address: address ?? server.address, token: token, retrying: Self.retrying,
                timeout: 20),
            cache: HubCache(folder: scratch(cache)), output: scratch(output))
        pull.partSize = partSize
        return pull
    }

    /// The message of a pull that must fail; nothing that could be loaded is left behind.
    func failure(
        _ pull: ModelPull, sourceLocation: SourceLocation = #_sourceLocation
    ) -> String {
        do {
            _ = try pull.run(Said().messages)
            Issue.record("the pull succeeded", sourceLocation: sourceLocation)
            return ""
        } catch {
            let left = scratch.names("models").filter { !$0.hasSuffix(".lock") }
            #expect(left.isEmpty, "left behind: \(left)", sourceLocation: sourceLocation)
            return "\(error)"
        }
    }

    /// The bytes of a bundle's weights.
    func weights(_ bundle: String = "models/bundle") throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: scratch(bundle) + "/model.safetensors"))
    }

    /// The weights that an import of the same files by hand gives.
    func importedByHand() throws -> Data {
        let path = scratch("by-hand")
        _ = try ModelImport(
            checkpoint: Self.flamingo.path + "/checkpoint", language: Self.flamingo.path + "/lm",
            vision: Self.flamingo.path + "/vision", name: "tiny"
        ).write(to: path)
        return try weights("by-hand")
    }
}
