//! Facts about `wade model pull` and `wade model list` as a user or a script runs them.
import Foundation
import Testing
import WadeTestSupport

@Suite(
    "wade model pull and list, as programs", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason)
)
struct ModelPullCommandTests {
    private let wade: BuiltProgram
    private let server: HubServer

    init() throws {
        wade = try BuiltProgram()
        func repository(_ folder: String) throws -> HubServer.Repository {
            try HubServer.Repository(folder: BuiltProgram.fixture.appendingPathComponent(folder))
        }
        server = try HubServer([
            "tiny/flamingo": repository("checkpoint"), "tiny/language": repository("lm"),
            "tiny/vision": repository("vision"),
        ])
        try wade.write(
            """
            models:
              tiny:
                about: a small one
                parameters: 457000
                parts:
                  checkpoint: {repository: tiny/flamingo, files: [model.safetensors.index.json]}
                  language:
                    repository: tiny/language
                    files: [config.json, tokenizer.json, model.safetensors]
                    optional: [special_tokens_map.json, tokenizer_config.json]
                  vision: {repository: tiny/vision, files: [open_clip_config.json, open_clip_model.safetensors]}
            """, to: "models.yaml")
    }

    /// Runs wade with the test's folders as the user's, and this hub.
    private func run(_ arguments: String, setting: String = "") throws -> Finished {
        try wade.shell(
            """
            cd "$1" && export HF_HUB_CACHE="$1/cache" WADE_MODELS="$1/models" HF_ENDPOINT=\(server.address) \(setting)
            exec "$0" \(arguments)
            """)
    }

    @Test("a pulled model is found by its name, listed, annotates, and a second pull does nothing")
    func pulled() throws {
        let first = try run("model pull tiny --registry models.yaml")
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.errors == "")
        #expect(
            first.output.hasPrefix(wade.path("models/tiny") + ": 501260 parameters"),
            "\(first.output)")
        let asked = server.requests.count
        let second = try run("model pull tiny --registry models.yaml --verbose")
        #expect(second.code == 0 && second.output == first.output)
        #expect(second.errors.contains("there already") && server.requests.count == asked)
        let listed = try run("model list --registry models.yaml")
        #expect(listed.code == 0 && listed.errors == "")
        #expect(listed.output.contains("tiny  "), "\(listed.output)")
        #expect(listed.output.contains("openflamingo-3b"))
        try wade.makeClip("in/a.y4m", grey: 40)
        let annotated = try run("annotate in -p p.yaml --model tiny -o out.jsonl")
        #expect(annotated.code == 0, "\(annotated.errors)")
    }

    @Test("exit codes tell wrong usage, what could not be had, and another pull at work apart")
    func exitCodes() throws {
        #expect(try run("model pull").code == 64)
        #expect(try run("model pull tiny --output /").code == 64)
        #expect(try run("model pull tiny --quantize float32").code == 64)
        #expect(try run("model pull tiny --quantize int3").code == 64)
        let unknown = try run("model pull gone --registry models.yaml")
        #expect(
            unknown.code == 1
                && unknown.errors.contains("found the model \"gone\", expected one of"))
        let hub = try run("model pull tiny --registry models.yaml --hub ftp://x")
        #expect(hub.code == 1 && hub.errors.contains("https://huggingface.co"), "\(hub.errors)")
        let registry = try run("model pull tiny --registry p.yaml")
        #expect(registry.code == 1 && registry.errors.contains("p.yaml:1:1"), "\(registry.errors)")
        let offline = try run("model pull tiny --registry models.yaml", setting: "HF_HUB_OFFLINE=1")
        #expect(offline.code == 1 && offline.output == "")
        #expect(
            offline.errors.contains(
                "into \(wade.path("cache/models--tiny--vision/snapshots/main"))"),
            "\(offline.errors)")
        let held = try wade.shell(
            """
            cd "$1" && mkdir -p models && exec 9>models/.tiny.lock && flock 9 &&
            WADE_MODELS="$1/models" HF_HUB_CACHE="$1/cache" "$0" model pull tiny --registry models.yaml --hub \(server.address)
            """)
        #expect(
            held.code == 75 && held.errors.contains("another wade model pull is at work"),
            "\(held.errors)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: wade.path("models")) == [
                ".tiny.lock"
            ])
    }

    @Test("killed at any moment and run again, the bundle is that of an undisturbed pull")
    func killed() throws {
        let whole = try run("model pull tiny --registry models.yaml -o whole")
        #expect(whole.code == 0, "\(whole.errors)")
        var kills = 0
        for delay in [0.02, 0.05, 0.1, 0.15, 0.2, 0.3] {
            let attempt = try wade.shell(
                """
                cd "$1" && export HF_HUB_CACHE="$1/cache-2"
                "$0" model pull tiny --registry models.yaml --hub \(server.address) -o again & pid=$!
                sleep \(delay); kill -KILL $pid 2>/dev/null && echo killed; wait $pid
                """)
            if attempt.output.contains("killed") { kills += 1 }
            let isThere = FileManager.default.fileExists(atPath: wade.path("again"))
            if isThere { break }
        }
        #expect(kills > 0)
        let last = try wade.shell(
            """
            cd "$1" && HF_HUB_CACHE="$1/cache-2" "$0" model pull tiny --registry models.yaml --hub \(server.address) -o again
            """)
        #expect(last.code == 0, "\(last.errors)")
        for name in ["model.safetensors", "config.json", "tokenizer.json", "card.md"] {
            #expect(
                try wade.bytes("again/" + name) == wade.bytes("whole/" + name), "\(name) differs")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: wade.folder.path)
        #expect(!left.contains(".again.pull"))
    }

    @Test("a plan warns when the model does not fit, and says nothing on standard output about it")
    func plan() throws {
        try wade.makeClip("in/a.y4m", grey: 40)
        let quiet = try run("plan in -p p.yaml -o out.jsonl")
        #expect(quiet.code == 0 && quiet.errors == "", "\(quiet.errors)")
        let verbose = try run("plan in -p p.yaml -o out.jsonl --verbose")
        #expect(verbose.output == quiet.output)
        #expect(
            verbose.errors.contains(
                "the model's weights take 2.01 MB in float32; this machine has"),
            "\(verbose.errors)")
    }
}
