//! Facts about the registry of models, and about what the listing says.
import Foundation
import Testing
import WadeTestSupport

@testable import WadeHub
@testable import WadePipeline

@Suite("the registry of models")
struct ModelRegistryTests {
    private func registry(_ text: String) throws -> ModelRegistry {
        let scratch = try Scratch()
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch("r.yaml")))
        return try ModelRegistry(adding: PathBytes(scratch("r.yaml")))
    }

    @Test("the package knows the published families, and each of its facts is one that can be read")
    func own() throws {
        let registry = try ModelRegistry()
        let names = registry.models.map(\.name)
        for name in [
            "openflamingo-3b", "openflamingo-3b-instruct", "openflamingo-4b",
            "openflamingo-4b-instruct", "openflamingo-9b", "otter-image", "otter-video",
            "idefics-9b", "idefics-9b-instruct", "idefics-80b", "idefics-80b-instruct",
        ] {
            #expect(names.contains(name))
        }
        for model in registry.models {
            #expect(!model.about.isEmpty && model.parameters ?? 0 > 2_000_000_000, "\(model.name)")
            // Published values have 2 or 4 bytes; IDEFICS' have 2, and its sizes are rounded.
            let (size, count) = (try #require(model.downloadSize), model.parameters ?? 0)
            #expect(
                size * 100 > 2 * count * 99 && size < 5 * count, "\(model.name): \(size) bytes")
        }
        let flamingo = try registry.model("openflamingo-3b")
        #expect(flamingo.parts[.vision]?.repository.name == "openai/clip-vit-large-patch14")
        #expect(flamingo.parts[.checkpoint]?.files == [["checkpoint.pt"]])
    }

    @Test("a user's file adds models and replaces them")
    func adding() throws {
        let registry = try registry(
            """
            models:
              mine: {parts: {checkpoint: {repository: me/mine, files: [config.json]}}}
              otter-image: {about: another, parts: {checkpoint: {repository: me/otter, revision: v2, files: [a.bin]}}}
            """)
        #expect(
            try registry.model("mine").parts[.checkpoint]?.repository
                == HubRepository(name: "me/mine", revision: "main"))
        #expect(try registry.model("otter-image").about == "another")
        #expect(try registry.model("otter-image").parts[.checkpoint]?.repository.revision == "v2")
        #expect(registry.models.filter { $0.name == "otter-image" }.count == 1)
        #expect(throws: HubError.self) { _ = try registry.model("otter-picture") }
    }

    @Test(
        "a file that says something else is refused with its place",
        arguments: [
            ("modells: {}", "1:1"), ("models: []", "models"),
            ("models: {a/b: {parts: {checkpoint: {repository: x/y, files: [a]}}}}", "letters"),
            ("models: {a: {parts: {language: {repository: x/y, files: [a]}}}}", "checkpoint"),
            (
                "models: {a: {parts: {checkpoint: {repository: x/y, files: []}}}}",
                "at least one file"
            ),
            (
                "models: {a: {parts: {checkpoint: {repository: x/y, files: [../../etc/passwd]}}}}",
                "letters"
            ),
            ("models: {a: {parts: {checkpoint: {repository: /etc, files: [a]}}}}", "letters"),
            (
                "models: {a: {parts: {checkpoint: {repository: x/y, files: [a], sha256: {a: ff}}}}}",
                "64"
            ),
            (
                "models: {a: {parameters: -1, parts: {checkpoint: {repository: x/y, files: [a]}}}}",
                "from 1 to"
            ),
        ])
    func refused(_ text: String, _ words: String) throws {
        #expect {
            _ = try registry(text)
        } throws: { "\($0)".contains(words) && "\($0)".contains("r.yaml:") }
    }

    @Test("the listing says what is here, what is loaded, what each needs and what does not fit")
    func listing() throws {
        let hub = try TinyHub()
        _ = try hub.pull().run(Said().messages)
        let registry = try ModelRegistry(adding: PathBytes(hub.scratch("models.yaml")))
        let text = ModelListing(
            registry, cache: HubCache(folder: hub.scratch("cache")),
            here: [("tiny", hub.scratch("models/bundle"))], memory: 16_000_000_000
        ).text
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        func row(_ name: String) -> [String] { lines.first { $0.first == name } ?? [] }
        #expect(row("tiny").prefix(4) == ["tiny", "yes", "2.01", "MB"], "\(text)")
        #expect(
            row("openflamingo-3b").joined(separator: " ").hasPrefix(
                "openflamingo-3b no 10.24 GB 5.12 GB 2.56 GB 1.44 GB 11.15 GB"), "\(text)")
        #expect(
            row("openflamingo-9b").joined(separator: " ").hasPrefix(
                "openflamingo-9b no 32.53 GB * 16.26 GB * 8.13 GB 4.57 GB 33.85 GB"), "\(text)")
        #expect(row("tiny-otter").joined(separator: " ").contains("unknown"))
        #expect(text.contains("tiny: licence as the tests'"))
        let damaged = ModelListing(
            registry, cache: HubCache(folder: hub.scratch("none")),
            here: [("broken", hub.scratch("cache"))], memory: nil
        ).text
        #expect(damaged.contains("broken") && damaged.contains("damaged"))
    }

    @Test("the cache is where the environment says")
    func cacheFolder() {
        #expect(HubCache(environment: ["HF_HUB_CACHE": "/a", "HF_HOME": "/b"]).folder == "/a")
        #expect(HubCache(environment: ["HF_HOME": "/b", "HOME": "/h"]).folder == "/b/hub")
        #expect(
            HubCache(environment: ["XDG_CACHE_HOME": "/c", "HOME": "/h"]).folder
                == "/c/huggingface/hub")
        #expect(
            HubCache(environment: ["HOME": "/h", "HF_HOME": ""]).folder
                == "/h/.cache/huggingface/hub")
    }

    @Test("Retry-After is seconds or a date")
    func retryAfter() {
        #expect(RetryAfter.seconds("7") == 7)
        #expect(RetryAfter.seconds(" 0.5 ") == 0.5)
        #expect(RetryAfter.seconds("-3") == 0)
        #expect(RetryAfter.seconds("soon") == nil)
        #expect(RetryAfter.seconds(nil) == nil)
        let now = Date(timeIntervalSince1970: 1_445_412_400)
        #expect(RetryAfter.seconds("Wed, 21 Oct 2015 07:28:00 GMT", now: now) == 80)
    }

    @Test(
        "a file that was begun with other sizes is begun anew, and a record that claims too much is not believed"
    )
    func partialFiles() throws {
        let scratch = try Scratch()
        let path = scratch("f")
        let first = try FileInParts(path: path, size: 250, partSize: 100)
        #expect(first.openParts == [0, 1, 2] && first.missing(of: 2) == 200..<250)
        try first.append([1, 2, 3], to: 1)
        #expect(FileInParts.bytesHere(path: path, size: 250, partSize: 100) == 3)
        #expect(try FileInParts(path: path, size: 250, partSize: 100).missing(of: 1) == 103..<200)
        #expect(FileInParts.bytesHere(path: path, size: 250, partSize: 50) == 0)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(bytes.count == 250 + 8 * 6 && Array(bytes[100..<103]) == [1, 2, 3])
        bytes[250 + 8 * 3] = 200
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(try FileInParts(path: path, size: 250, partSize: 100).bytesHere == 0)
    }

    @Test(
        "an answer in which nothing moves is given up, and a hub that nobody answers for is told apart"
    )
    func timeout() throws {
        let server = try HubServer(["a/b": .init(files: ["f": Data(repeating: 1, count: 3000)])])
        server.trouble(.content, "f", [.stall(after: 1000, seconds: 4)])
        let client = HTTPClient(timeout: 1, connections: 1)
        let url = try #require(URL(string: server.address + "/a/b/resolve/main/f"))
        var bytes = 0
        #expect {
            _ = try client.send(
                HTTPRequest(url: url), isWanted: { _ in true },
                take: {
                    bytes += $0.count
                    return true
                })
        } throws: { error in
            guard let fault = error as? HTTPFault else { return false }
            return !fault.isUnreachable && fault.reason.contains("nothing came")
        }
        #expect(bytes == 1000)
        server.stop()
        #expect {
            _ = try client.send(
                HTTPRequest(url: url), isWanted: { _ in true }, take: { _ in true })
        } throws: { ($0 as? HTTPFault)?.isUnreachable == true }
    }

    @Test("memory follows from the number of parameters")
    func memory() {
        let memory = ModelMemory(parameters: 2_559_117_360)
        #expect(memory.bytes(in: "float32") == 10_236_469_440)
        #expect(memory.bytes(in: "bfloat16") == 5_118_234_720)
        // A scale for every 32 weights.
        #expect(memory.bytes(in: "int4") == 1_439_503_515)
        #expect(memory.fits(in: "float32", machine: 16 << 30))
        #expect(!memory.fits(in: "float32", machine: 8 << 30))
        #expect(ModelMemory(parameters: Int.max).bytes(in: "float32") == Int.max)
        #expect(
            MachineMemory.total(meminfo: "MemTotal:       16316412 kB\nMemFree: 1 kB\n")
                == 16_708_005_888)
        #expect(MachineMemory.total ?? 0 > 1 << 20)
    }
}
