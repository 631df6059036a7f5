//! Facts about runs that remember visual tokens: the records are those of runs that do not.
import Foundation
import Testing

extension BuiltProgram {
    /// The records of `name` without what differs from run to run, one canonical text each.
    func payloads(_ name: String) throws -> [String] {
        try String(decoding: bytes(name), as: UTF8.self).split(separator: "\n").map { line in
            var object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            object?["run"] = nil
            let data = try JSONSerialization.data(
                withJSONObject: object ?? [:], options: .sortedKeys)
            return String(decoding: data, as: UTF8.self)
        }
    }
}

@Suite(
    "runs with a cache", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct CacheTests {
    private static let demonstrations = """
        model: ./model
        sampling: {uniform: 3}
        segmentation: {windows: {length: 0.5, stride: 0.5}}
        tasks:
          - {id: caption, type: caption, max_new_tokens: 4}
          - {id: colour, type: vqa, question: "What colour?", max_new_tokens: 4}
        demonstrations:
          - {id: a, clip: shown/a.y4m, answers: {caption: grey, colour: grey}}
        """

    /// Files of the cache, and their bytes.
    private func kept(_ wade: BuiltProgram, in folder: String = "cache") -> [URL: Int] {
        let root = URL(fileURLWithPath: wade.path(folder))
        var sizes: [URL: Int] = [:]
        let all = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        for case let url as URL in all ?? .init() {
            let values = try? url.resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
            if values?.isRegularFile == true { sizes[url] = values?.fileSize ?? 0 }
        }
        return sizes
    }

    private func makeClips(_ wade: BuiltProgram, _ count: Int) throws {
        for number in 0..<count {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number % 200))
        }
    }

    @Test("cold, warm and without, for any number of workers, every record is the same")
    func sameBytes() throws {
        let wade = try BuiltProgram()
        try makeClips(wade, 5)
        try wade.write("no video", to: "in/bad.mp4")
        _ = try wade.shell("mkdir \"$1\"/shown; touch -d '1 hour ago' \"$1\"/in/bad.mp4")
        try wade.makeClip("shown/a.y4m", grey: 77)
        try wade.write(Self.demonstrations, to: "p.yaml")
        let options = [
            ("none", ["--no-cache"]), ("cold", ["--cache", wade.path("cache"), "--workers", "3"]),
            ("warm", ["--cache", wade.path("cache"), "--workers", "1"]),
            ("warm3", ["--cache", wade.path("cache"), "--workers", "3"]),
        ]
        for (name, more) in options {
            let run = try wade.annotate("\(name).jsonl", more)
            #expect(run.code == 3 && run.errors.contains("2 records say an error"), "\(run.errors)")
        }
        let expected = try wade.payloads("none.jsonl")
        #expect(expected.count == 22)
        for (name, _) in options { #expect(try wade.payloads("\(name).jsonl") == expected) }
        // Two windows of five files, one demonstration; where five files are cut.
        #expect(kept(wade).count == 16)
        // Nothing of the answers was kept, nor of what failed.
        let more = try wade.annotate("warm3.jsonl", ["--cache", wade.path("cache")])
        #expect(more.code == 0 && kept(wade).count == 16)
    }

    @Test("a new question over an old folder starts no decoder, under a memory budget neither")
    func noDecoder() throws {
        let wade = try BuiltProgram()
        try makeClips(wade, 3)
        _ = try wade.shell("mkdir \"$1\"/shown")
        try wade.makeClip("shown/a.y4m", grey: 77)
        try wade.write(Self.demonstrations, to: "p.yaml")
        #expect(try wade.annotate("out.jsonl", ["--cache", wade.path("cache")]).code == 0)
        try wade.write(
            Self.demonstrations.replacing("What colour?", with: "Which shade?"), to: "p.yaml")
        // A decoder that is started now says that FFmpeg is broken, and ends the run.
        for version in 50..<70 { try wade.write("no library", to: "libavcodec.so.\(version)") }
        let script = """
            cd "$1"; export LD_LIBRARY_PATH="$1"
            "$0" annotate in -p p.yaml -o out.jsonl
            """
        let asked = try wade.shell(script + " --cache cache --memory 900M")
        #expect(asked.code == 0 && asked.errors == "")
        #expect(try wade.shell(script + " --no-cache").code == 0, "nothing is left to do")
        _ = try wade.shell("rm \"$1\"/out.jsonl")
        #expect(try wade.shell(script + " --no-cache").code == 1)
        #expect(try wade.shell(script + " --no-cache --memory 900M").code == 1)
        #expect(try wade.shell(script + " --cache cache").code == 0)
        let summary = String(decoding: try wade.bytes("runs.jsonl"), as: UTF8.self)
        #expect(summary.contains("\"cached_clips\":6"))
    }

    @Test("a damaged file is made anew with a warning, and the answers are the same")
    func damage() throws {
        let wade = try BuiltProgram()
        try makeClips(wade, 4)
        let options = ["--cache", wade.path("cache")]
        #expect(try wade.annotate("first.jsonl", options).code == 0)
        let before = kept(wade)
        for (number, url) in before.keys.sorted(by: { $0.path < $1.path }).enumerated() {
            var bytes = try Data(contentsOf: url)
            switch number {
            case 0: bytes[bytes.count / 2] ^= 4
            case 1: bytes = bytes.prefix(1000)
            case 2: bytes = Data()
            default: continue
            }
            try bytes.write(to: url)
        }
        let again = try wade.annotate("second.jsonl", options)
        #expect(again.code == 0 && again.errors.contains("3 damaged in the cache and made anew"))
        #expect(try wade.payloads("second.jsonl") == wade.payloads("first.jsonl"))
        #expect(kept(wade) == before)
        let healed = try wade.annotate("third.jsonl", options)
        #expect(healed.code == 0 && healed.errors == "")
    }

    @Test("two runs at once share a cache, and a small bound holds and changes no answer")
    func sharedAndBounded() throws {
        let wade = try BuiltProgram()
        try makeClips(wade, 12)
        #expect(try wade.annotate("none.jsonl", ["--no-cache"]).code == 0)
        let runs = try ["a", "b"].map { name in
            try wade.start(
                [
                    "annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o",
                    wade.path("\(name).jsonl"), "--cache", wade.path("cache"),
                ], output: Pipe(), errors: Pipe())
        }
        for run in runs {
            run.waitUntilExit()
            #expect(run.terminationStatus == 0)
        }
        let sizes = kept(wade)
        #expect(sizes.count == 12)
        let largest = sizes.values.max() ?? 0
        let bounded = ["--cache", wade.path("small"), "--cache-size", "\(5 * largest)"]
        for name in ["c", "d"] { #expect(try wade.annotate("\(name).jsonl", bounded).code == 0) }
        let small = kept(wade, in: "small")
        #expect(small.values.reduce(0, +) <= 5 * largest && small.count > 2)
        let expected = try wade.payloads("none.jsonl")
        for name in ["a", "b", "c", "d"] {
            #expect(try wade.payloads("\(name).jsonl") == expected)
        }
    }

    @Test("kill -9 at any moment leaves a cache from which the same answers come")
    func killed() throws {
        let wade = try BuiltProgram()
        try makeClips(wade, 16)
        #expect(try wade.annotate("none.jsonl", ["--no-cache"]).code == 0)
        var killed = 0
        for moment in 1...8 {
            let run = try wade.start(
                [
                    "annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o",
                    wade.path("killed-\(moment).jsonl"), "--cache", wade.path("cache"),
                ], output: Pipe(), errors: Pipe())
            // Until this run has added something to what the earlier ones left.
            let before = kept(wade).count
            while run.isRunning, kept(wade).count <= before + moment / 2 { usleep(1000) }
            if run.isRunning { killed += 1 }
            kill(run.processIdentifier, SIGKILL)
            run.waitUntilExit()
        }
        #expect(killed > 3)
        let rest = try wade.annotate("whole.jsonl", ["--cache", wade.path("cache")])
        #expect(rest.code == 0 && rest.errors == "", "nothing half-written has a clip's name")
        #expect(try wade.payloads("whole.jsonl") == wade.payloads("none.jsonl"))
        #expect(kept(wade).keys.filter { $0.pathExtension != "part" }.count == 16)
    }

    @Test(
        "without options the cache is where XDG wants it; a folder that cannot be one is an error")
    func places() throws {
        let wade = try BuiltProgram()
        try makeClips(wade, 2)
        let script = "cd \"$1\"; \"$0\" annotate in -p p.yaml -o"
        #expect(try wade.shell("export HOME=\"$1/home\"; \(script) a.jsonl").code == 0)
        #expect(kept(wade, in: "home/.cache/wade/clips").count == 2)
        let xdg = "export XDG_CACHE_HOME=\"$1/xdg\" HOME=\"$1/other\"; "
        #expect(try wade.shell(xdg + script + " b.jsonl").code == 0)
        #expect(kept(wade, in: "xdg/wade/clips").count == 2 && kept(wade, in: "other").isEmpty)
        let ask = "cd \"$1\"; \"$0\" ask in/100.y4m 'What?' -p p.yaml"
        let (first, second) = (try wade.shell(xdg + ask), try wade.shell(xdg + ask))
        #expect(first.code == 0 && second.output == first.output)
        #expect(kept(wade, in: "xdg/wade/clips").count == 2)
        let nowhere = try wade.shell("export HOME=/proc/nowhere; \(script) c.jsonl")
        #expect(nowhere.code == 0 && nowhere.errors == "")
        let named = try wade.shell(script + " d.jsonl --cache p.yaml/here")
        #expect(named.code == 1 && named.errors.contains("cannot use the folder as a cache"))
        let both = try wade.shell(script + " d.jsonl --cache here --no-cache")
        #expect(both.code == 64 && both.errors.contains("exclude each other"))
    }
}
