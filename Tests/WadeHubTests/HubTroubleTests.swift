//! Facts about hubs that are slow, broken, closed or lying: nothing half-made is ever loaded, and what can be had is had.
import Foundation
import Testing
import WadeHub
import WadePipeline
import WadeTestSupport

@Suite("hubs in trouble")
struct HubTroubleTests {
    private static let weights = "open_clip_model.safetensors"

    @Test(
        "what passes is waited for and tried again",
        arguments: [
            [HubServer.Trouble.status(503, [:]), .status(500, [:]), .status(502, [:])],
            [.status(429, ["Retry-After": "0"]), .status(429, ["Retry-After": "0.1"])],
            [.drop(after: 0), .drop(after: 1), .drop(after: 50_000)],
            [.short(10), .short(0)],
            [.stall(after: 1000, seconds: 0.5)],
            [.corrupt],
        ])
    func passing(_ troubles: [HubServer.Trouble]) throws {
        let hub = try TinyHub()
        hub.server.trouble(.content, Self.weights, troubles)
        _ = try hub.pull(partSize: 1 << 20).run(Said().messages)
        #expect(try hub.weights() == hub.importedByHand())
        #expect(hub.server.contentRequests(Self.weights).count >= 2)
    }

    @Test("facts are asked for again, too", arguments: [503, 429, 504])
    func passingFacts(_ status: Int) throws {
        let hub = try TinyHub()
        hub.server.trouble(.facts, "config.json", [.status(status, [:]), .status(status, [:])])
        _ = try hub.pull().run(Said().messages)
        #expect(try hub.weights() == hub.importedByHand())
    }

    @Test("a server without ranges is read from beginning to end")
    func withoutRanges() throws {
        let hub = try TinyHub()
        hub.server.trouble(
            .content, Self.weights, Array(repeating: .wholeFile, count: 20))
        _ = try hub.pull(partSize: 20_000).run(Said().messages)
        #expect(try hub.weights() == hub.importedByHand())
    }

    @Test(
        "what does not pass is said in words, and the next try goes on",
        arguments: [
            (HubServer.Trouble.status(403, [:]), "grant access"),
            (.status(401, ["WWW-Authenticate": "Basic realm=\"x\""]), "HF_TOKEN is not set"),
            (.status(404, [:]), "no such repository, revision or file"),
            (.status(410, [:]), "410"),
            (.webPage, "found a web page (text/html), expected the file"),
            (.otherRange, "found the range bytes "),
            (.status(429, ["Retry-After": "86400"]), "fewer requests"),
        ])
    func lasting(_ trouble: HubServer.Trouble, _ words: String) throws {
        let hub = try TinyHub()
        hub.server.trouble(.content, Self.weights, [trouble])
        let message = hub.failure(try hub.pull())
        #expect(message.contains(words), "\(message)")
        _ = try hub.pull().run(Said().messages)
        #expect(try hub.weights() == hub.importedByHand())
    }

    @Test("wrong bytes twice are refused, and neither is kept")
    func corrupt() throws {
        let hub = try TinyHub()
        hub.server.trouble(.content, Self.weights, [.corrupt, .corrupt])
        let message = hub.failure(try hub.pull(partSize: 1 << 20))
        #expect(
            message.contains("tiny/vision/\(Self.weights): found sha256")
                && message.contains("expected sha256"), "\(message)")
        let left = hub.scratch.names("cache/models--tiny--vision/blobs")
        #expect(left.allSatisfy { !$0.hasSuffix(".wade-part") }, "\(left)")
        _ = try hub.pull().run(Said().messages)
    }

    @Test("a size that no disk has ends a pull before it begins")
    func giantSize() throws {
        let hub = try TinyHub()
        hub.server.trouble(.facts, Self.weights, [.size(1 << 60)])
        let message = hub.failure(try hub.pull())
        #expect(message.contains("free, expected"), "\(message)")
        #expect(hub.server.contentRequests(Self.weights).isEmpty)
        // One that is too small is found by the first answer; one below zero is none, and the list of files is asked.
        hub.server.trouble(.facts, Self.weights, [.size(1000), .size(-5)])
        let small = hub.failure(try hub.pull())
        #expect(small.contains("expected bytes 0-999/1000"), "\(small)")
        _ = try hub.pull().run(Said().messages)
        #expect(hub.server.requests.contains { $0.path.contains("/tree/") })
    }

    @Test("a hub that states no checksum in its fields is asked for its list of files")
    func listedChecksum() throws {
        let hub = try TinyHub()
        hub.server.trouble(.facts, Self.weights, [.noChecksum])
        _ = try hub.pull().run(Said().messages)
        let card = try String(contentsOfFile: hub.scratch("models/bundle/card.md"), encoding: .utf8)
        let data = try Data(
            contentsOf: TinyHub.flamingo.appendingPathComponent("vision/\(Self.weights)"))
        #expect(card.contains(HubServer.sha256(data)))
        #expect(hub.server.requests.contains { $0.path.hasPrefix("/api/models/tiny/vision/tree/") })
    }

    @Test("the token opens a closed hub, and goes nowhere else")
    func token() throws {
        let hub = try TinyHub()
        hub.server.require(token: "secret")
        let unknown = hub.failure(try hub.pull())
        #expect(
            unknown.contains("status 401") && unknown.contains("HF_TOKEN is not set"), "\(unknown)")
        let wrong = hub.failure(try hub.pull(token: "other"))
        #expect(wrong.contains("does not open it") && !wrong.contains("other\""), "\(wrong)")
        _ = try hub.pull(token: "secret").run(Said().messages)
        let (own, content) = (
            hub.server.requests.filter { !$0.isContentHost },
            hub.server.requests.filter(\.isContentHost)
        )
        #expect(own.contains { $0.fields["authorization"] == "Bearer secret" })
        #expect(!content.isEmpty)
        #expect(content.allSatisfy { $0.fields["authorization"] == nil })
    }

    @Test("all files are of one commit, whatever the branch does meanwhile")
    func oneCommit() throws {
        let hub = try TinyHub()
        _ = try hub.pull().run(Said().messages)
        let language = hub.server.requests.filter { $0.path.contains("tiny/language/resolve") }
        #expect(language.first?.path.contains("/main/") == true)
        #expect(
            language.dropFirst().allSatisfy { $0.path.contains(String(repeating: "c", count: 40)) })
    }

    @Test("an index cannot reach out of its folder")
    func evilIndex() throws {
        let hub = try TinyHub()
        hub.server.change { repositories in
            repositories["tiny/flamingo"]?.files["model.safetensors.index.json"] = Data(
                #"{"weight_map":{"x":"../../../etc/passwd"}}"#.utf8)
        }
        let message = hub.failure(try hub.pull())
        #expect(message.contains("shards elsewhere"), "\(message)")
    }

    @Test("files that make no model give no bundle, and the message of their import")
    func badModel() throws {
        let hub = try TinyHub()
        hub.server.change { repositories in
            repositories["tiny/language"]?.files["config.json"] = Data(
                #"{"model_type":"gpt5"}"#.utf8)
        }
        let message = hub.failure(try hub.pull())
        #expect(message.contains("model_type \"gpt5\""), "\(message)")
    }

    @Test("a checksum in the registry binds the hub")
    func registryChecksum() throws {
        let hub = try TinyHub()
        let digits = String(repeating: "0", count: 64)
        let text = TinyHub.registry.replacingOccurrences(
            of: "files: [open_clip_config.json, open_clip_model.safetensors]",
            with:
                "files: [open_clip_config.json, open_clip_model.safetensors]\n        sha256: {open_clip_model.safetensors: \(digits)}"
        )
        try Data(text.utf8).write(to: URL(fileURLWithPath: hub.scratch("models.yaml")))
        let message = hub.failure(try hub.pull())
        #expect(message.contains("as the registry says"), "\(message)")
    }

    @Test(
        "addresses that are none are refused",
        arguments: ["", "ftp://x", "huggingface.co", "https://", "https://u:p@x/"])
    func addresses(_ address: String) {
        #expect(throws: HubError.self) { _ = try Hub(address: address, token: nil) }
    }
}
