//! Facts about a pull that goes well, goes on, or has no hub.
import Foundation
import Glibc
import Testing
import WadeHub
import WadePipeline
import WadeTensor
import WadeTestSupport

@Suite("wade model pull")
struct ModelPullTests {
    @Test(
        "a pull gives the bundle that an import of the same files by hand gives, and its card says where they came from"
    )
    func endToEnd() throws {
        let hub = try TinyHub()
        let outcome = try hub.pull().run(Said().messages)
        #expect(!outcome.wasThere && outcome.published > 2_000_000)
        #expect(try hub.weights() == hub.importedByHand())
        let card = try String(contentsOfFile: hub.scratch("models/bundle/card.md"), encoding: .utf8)
        #expect(
            card.contains(
                "| language | tiny/language | \(String(repeating: "c", count: 40)) | mit |"))
        let checkpoint = try Data(
            contentsOf: TinyHub.flamingo.appendingPathComponent(
                "checkpoint/model-00001-of-00002.safetensors"))
        #expect(card.contains("sha256 \(HubServer.sha256(checkpoint))"))
        #expect(hub.scratch.names("models").filter { $0.contains(".pull") }.isEmpty)
    }

    @Test(
        "a pull can quantise: the bundle is what quantising the import gives, card and precision say so",
        .enabled(if: Arithmetic(precision: .bfloat16).isNarrow))
    func quantized() throws {
        let hub = try TinyHub()
        var pull = try hub.pull()
        pull.quantization = try QuantizationPlan(.bfloat16)
        let outcome = try pull.run(Said().messages)
        #expect(!outcome.wasThere && outcome.bundle.configuration.precision == .bfloat16)
        _ = try hub.importedByHand()
        _ = try ModelQuantization(
            ModelBundle(path: hub.scratch("by-hand")), precision: .bfloat16
        ).write(to: hub.scratch("by-hand-small"))
        #expect(try hub.weights() == hub.weights("by-hand-small"))
        let card = try String(contentsOfFile: hub.scratch("models/bundle/card.md"), encoding: .utf8)
        #expect(card.contains("--quantize bfloat16`") && card.contains("## Precision"))
        #expect(hub.scratch.names("models").filter { $0.contains(".pull") }.isEmpty)
        // What is there stays, whatever precision is asked for.
        #expect(try pull.run(Said().messages).wasThere)
        #expect(try hub.pull().run(Said().messages).wasThere)
        pull.quantization = try QuantizationPlan(.int8)
        #expect {
            try pull.run(Said().messages)
        } throws: { "\($0)".contains("whose weights are not int8") }
        #expect(throws: PipelineError.self) { try QuantizationPlan(.float32) }
        let memory = try ModelMemory(bundle: hub.scratch("models/bundle"))
        #expect(memory.stored?.precision == "bfloat16")
        #expect(memory.bytes(in: "bfloat16") == memory.stored?.bytes)
        let listing = ModelListing(
            try ModelRegistry(adding: nil), cache: HubCache(folder: hub.scratch("cache")),
            here: [("tiny", hub.scratch("models/bundle"))], memory: nil)
        #expect(listing.text.contains("yes, bfloat16  -  "))
    }

    @Test("models of one repository come the same way", arguments: ["tiny-otter", "tiny-idefics"])
    func wholeModels(_ name: String) throws {
        let hub = try TinyHub()
        let outcome = try hub.pull(name).run(Said().messages)
        try outcome.bundle.check()
        #expect(outcome.bundle.configuration.name == name)
    }

    @Test("a bundle that is there is looked at and left alone, without a request")
    func again() throws {
        let hub = try TinyHub()
        _ = try hub.pull().run(Said().messages)
        let before = hub.server.requests.count
        let outcome = try hub.pull().run(Said().messages)
        #expect(outcome.wasThere && hub.server.requests.count == before)
    }

    @Test(
        "what an earlier pull has loaded is not loaded again, nor what another program has left in the cache"
    )
    func cache() throws {
        let hub = try TinyHub()
        _ = try hub.pull().run(Said().messages)
        let before = hub.server.requests.count
        _ = try hub.pull(to: "models/second").run(Said().messages)
        #expect(
            hub.server.requests.dropFirst(before).allSatisfy {
                $0.method == "HEAD" || $0.path.hasPrefix("/api/")
            })
        // huggingface_hub's folders: blobs by checksum, links to them by commit, the branch's commit.
        let commit = String(repeating: "c", count: 40)
        let folder = hub.scratch("cache/models--tiny--vision")
        let link = folder + "/snapshots/\(commit)/open_clip_model.safetensors"
        let target = try FileManager.default.destinationOfSymbolicLink(atPath: link)
        let data = try Data(
            contentsOf: TinyHub.flamingo.appendingPathComponent(
                "vision/open_clip_model.safetensors"))
        #expect(target == "../../blobs/" + HubServer.sha256(data))
        #expect(try String(contentsOfFile: folder + "/refs/main", encoding: .utf8) == commit)
        #expect(try Data(contentsOf: URL(fileURLWithPath: link)) == data)
    }

    @Test("a damaged file in the cache is not used but loaded anew")
    func damagedCache() throws {
        let hub = try TinyHub()
        _ = try hub.pull().run(Said().messages)
        let file = hub.scratch(
            "cache/models--tiny--language/snapshots/\(String(repeating: "c", count: 40))/model.safetensors"
        )
        let blob = URL(fileURLWithPath: file).resolvingSymlinksInPath()
        var data = try Data(contentsOf: blob)
        data[data.count - 1] ^= 1
        try data.write(to: blob)
        _ = try hub.pull(to: "models/second").run(Said().messages)
        #expect(try hub.weights("models/second") == hub.importedByHand())
    }

    @Test("large files come in parts, several at a time, each byte once")
    func parts() throws {
        let hub = try TinyHub()
        _ = try hub.pull(partSize: 100_000).run(Said().messages)
        let ranges = hub.server.contentRequests("checkpoint/model-00001-of-00002.safetensors")
        #expect(ranges.isEmpty)
        let own =
            hub.server.contentRequests("main/model-00001-of-00002.safetensors")
            + hub.server.contentRequests(
                "\(String(repeating: "c", count: 40))/model-00001-of-00002.safetensors")
        let asked = own.compactMap { $0.fields["range"] }
        #expect(asked.count == 9 && Set(asked).count == 9, "839,000 bytes by 100,000: \(asked)")
    }

    @Test("a pull that was cut off goes on with what is missing")
    func resumed() throws {
        let name = "model-00002-of-00002.safetensors"
        let other = try TinyHub()
        other.server.trouble(
            .content, name,
            [.drop(after: 300_000)] + Array(repeating: .status(503, [:]), count: 3))
        let cut = other.failure(try other.pull(partSize: 1 << 20))
        #expect(cut.contains("503"), "\(cut)")
        let before = other.server.contentRequests(name).count
        let said = Said()
        _ = try other.pull(partSize: 1 << 20).run(said.messages)
        let asked = other.server.contentRequests(name).dropFirst(before).compactMap {
            $0.fields["range"]
        }
        #expect(asked == ["bytes=300000-788831"], "\(asked)")
        #expect(said.notes.contains { $0.contains("of which 300 kB are here") }, "\(said.notes)")
        #expect(try other.weights() == other.importedByHand())
    }

    @Test(
        "a process that is ended in the middle of an import leaves nothing that is loaded or in the way"
    )
    func interruptedImport() throws {
        let hub = try TinyHub()
        let half = hub.scratch("models/.bundle.pull/bundle")
        try FileManager.default.createDirectory(atPath: half, withIntermediateDirectories: true)
        try Data("{".utf8).write(to: URL(fileURLWithPath: half + "/config.json"))
        _ = try hub.pull().run(Said().messages)
        #expect(try hub.weights() == hub.importedByHand())
        #expect(hub.scratch.names("models").filter { $0.contains(".pull") }.isEmpty)
    }

    @Test("a second pull at once is told who is at work, and does no harm")
    func locked() throws {
        let hub = try TinyHub()
        try FileManager.default.createDirectory(
            atPath: hub.scratch("models"), withIntermediateDirectories: true)
        let lock = open(hub.scratch("models/.bundle.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        let text = Array("process 4711 since 2026-11-23T02:00:00Z\n".utf8)
        #expect(pwrite(lock, text, text.count, 0) == text.count)
        let message = hub.failure(try hub.pull())
        #expect(message.contains("another wade model pull is at work: process 4711"), "\(message)")
        #expect(hub.server.requests.isEmpty)
        close(lock)
        _ = try hub.pull().run(Said().messages)
    }

    @Test("two pulls into two folders share one cache and both succeed")
    func twoAtOnce() throws {
        let hub = try TinyHub()
        let pulls = try (0..<2).map { try hub.pull(to: "models/\($0)") }
        let pool = WorkerPool<ModelPull, String>(workers: 2, inFlight: 2) { pull in
            do {
                _ = try pull.run(Said().messages)
                return ""
            } catch {
                return "\(error)"
            }
        }
        var rest = pulls.makeIterator()
        while let message = pool.next(from: { rest.next() }) { #expect(message == "") }
        #expect(try hub.weights("models/0") == hub.weights("models/1"))
        let whole = hub.server.contentRequests("/open_clip_model.safetensors")
            .compactMap { $0.fields["range"] }
        #expect(Set(whole).count == whole.count, "loaded twice: \(whole)")
    }

    @Test("without a hub the cache has to do; what is missing is named with its place")
    func offline() throws {
        let hub = try TinyHub()
        _ = try hub.pull().run(Said().messages)
        hub.server.stop()
        let said = Said()
        _ = try hub.pull(to: "models/second").run(said.messages)
        #expect(try hub.weights("models/second") == hub.weights())
        #expect(said.notes.contains { $0.contains("no connection") }, "\(said.notes)")
        var unasked = try hub.pull(to: "models/third")
        unasked.isOffline = true
        _ = try unasked.run(Said().messages)

        let empty = try TinyHub()
        empty.server.stop()
        let message = empty.failure(try empty.pull())
        let place = empty.scratch("cache/models--tiny--language/snapshots/main")
        #expect(
            message.contains("of tiny/language, revision main: config.json, tokenizer.json, "),
            "\(message)")
        #expect(message.contains("into \(place)"), "\(message)")
        // Do as it says.
        for (repository, folder) in [
            ("flamingo", "checkpoint"), ("language", "lm"), ("vision", "vision"),
        ] {
            let snapshot = empty.scratch("cache/models--tiny--\(repository)/snapshots")
            try FileManager.default.createDirectory(
                atPath: snapshot, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: TinyHub.flamingo.path + "/" + folder, toPath: snapshot + "/main")
        }
        let told = Said()
        _ = try empty.pull().run(told.messages)
        #expect(try empty.weights() == empty.importedByHand())
        #expect(told.notes.contains { $0.contains("taken as they are") }, "\(told.notes)")
    }

    @Test("a cached file that is not what its name says is refused without a hub")
    func offlineDamage() throws {
        let hub = try TinyHub()
        _ = try hub.pull(to: "elsewhere/bundle").run(Said().messages)
        hub.server.stop()
        let link = hub.scratch(
            "cache/models--tiny--language/snapshots/\(String(repeating: "c", count: 40))/config.json"
        )
        let blob = URL(fileURLWithPath: link).resolvingSymlinksInPath()
        try (Data(contentsOf: blob) + Data(" ".utf8)).write(to: blob)
        let message = hub.failure(try hub.pull())
        #expect(message.contains("found git blob"), "\(message)")
    }
}
