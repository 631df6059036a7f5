//! Facts about runs whose demonstrations are chosen for each clip, as a user sees them.
import Foundation
import Testing

@Suite(
    "runs with retrieved demonstrations", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason),
    .serialized)
struct RetrievalRunTests {
    private static let pipeline = """
        model: ./model
        sampling: {uniform: 2}
        tasks:
          - {id: caption, type: caption, max_new_tokens: 4}
          - {id: colour, type: vqa, question: "What colour?", max_new_tokens: 4}
        demonstrations: {file: pool.jsonl, retrieve: 2, near_duplicates: off}
        """

    private struct Line: Decodable {
        struct Demonstrations: Decodable {
            let ids: [String]
            let policy: String
            let sims: [Double]
        }
        let demos: Demonstrations
        let flags: [String]
    }

    /// Five shades in the pool, and queries of which two are in the pool.
    private func make() throws -> BuiltProgram {
        let wade = try BuiltProgram()
        _ = try wade.shell("mkdir \"$1\"/pool")
        for grey in [20, 60, 100, 140, 180] {
            try wade.makeClip("pool/\(grey).y4m", grey: UInt8(grey))
        }
        for grey in [24, 60, 96, 140, 170] {
            try wade.makeClip("in/\(grey).y4m", grey: UInt8(grey))
        }
        let lines = [20, 60, 100, 140, 180].map {
            "{\"id\":\"g\($0)\",\"clip\":\"pool/\($0).y4m\",\"answers\":{\"caption\":\"grey \($0)\",\"colour\":\"grey\"}}\n"
        }
        try wade.write(lines.joined(), to: "pool.jsonl")
        try wade.write(Self.pipeline, to: "p.yaml")
        return wade
    }

    private func lines(_ wade: BuiltProgram, _ name: String) throws -> [Line] {
        try String(decoding: wade.bytes(name), as: UTF8.self).split(separator: "\n")
            .map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test(
        "records do not depend on workers, the order of the files or the cache; the second run decodes nothing"
    )
    func sameBytes() throws {
        let wade = try make()
        let runs = [
            ("none", ["--no-cache"]), ("three", ["--no-cache", "--workers", "3"]),
            ("newest", ["--no-cache", "--order", "smallest"]),
            ("cold", ["--cache", wade.path("cache")]),
        ]
        for (name, options) in runs {
            let run = try wade.annotate("\(name).jsonl", options)
            #expect(run.code == 0 && run.errors == "", "\(run.errors)")
        }
        // A decoder that is started now says that FFmpeg is broken, and ends the run.
        for version in 50..<70 { try wade.write("no library", to: "libavcodec.so.\(version)") }
        let script = """
            cd "$1"; export LD_LIBRARY_PATH="$1"
            "$0" annotate in -p p.yaml -o
            """
        #expect(try wade.shell(script + " warm.jsonl --cache cache").code == 0)
        #expect(try wade.shell(script + " broken.jsonl --no-cache").code == 1)
        let expected = try wade.payloads("none.jsonl").sorted()
        for name in ["three", "newest", "cold", "warm"] {
            #expect(try wade.payloads("\(name).jsonl").sorted() == expected, "\(name)")
        }
        let found = try lines(wade, "none.jsonl")
        #expect(found.count == 10)
        for line in found {
            #expect(line.demos.policy == "rices" && line.demos.ids.count == 2 && line.flags == [])
            #expect(line.demos.sims == line.demos.sims.sorted(), "the most similar last")
        }
        // 140, 170, 24, 60, 96 are the files in order; 140 and 60 are in the pool themselves.
        #expect(found[0].demos.ids.contains("g140") == false)
        #expect(found[6].demos.ids.contains("g60") == false)
        let check = try wade.run(["check", wade.path("none.jsonl")])
        #expect(check.code == 0, "\(check.output)")
        // One question about one clip is answered as in the run.
        let ask = try wade.shell(
            "cd \"$1\"; \"$0\" ask in/96.y4m 'What colour?' -p p.yaml --no-cache")
        let said =
            try JSONSerialization.jsonObject(
                with: Data(
                    String(decoding: wade.bytes("none.jsonl"), as: UTF8.self)
                        .split(separator: "\n")[9].utf8)) as? [String: Any]
        let text = (said?["output"] as? [String: Any])?["text"] as? String
        #expect(ask.code == 0 && text == ask.output.trimmingCharacters(in: .newlines))
    }

    @Test("a changed pool is told by plan and redone; copies leave less, and the record says so")
    func planning() throws {
        let wade = try make()
        let plan = [
            "plan", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl"),
            "--summary",
        ]
        let first = try wade.run(plan)
        #expect(
            first.output
                == "5 todo; no estimate before a first run or wade benchmark; behind the 2 nearest of 5 demonstrations\n"
        )
        #expect(try wade.annotate("out.jsonl", ["--no-cache"]).code == 0)
        #expect(try wade.run(plan).output == "5 done\n")
        try wade.makeClip("pool/180.y4m", grey: 190)
        #expect(
            try wade.run(plan).output.hasPrefix("5 todo; about 1 min for at least 10 answers; "))
        // Everything is as similar as a copy.
        try wade.write(
            Self.pipeline.replacing("near_duplicates: off", with: "near_duplicates: 0"),
            to: "p.yaml")
        #expect(try wade.annotate("few.jsonl", ["--no-cache"]).code == 0)
        for line in try lines(wade, "few.jsonl") {
            #expect(line.demos.ids == [] && line.flags == ["demos_missing"])
        }
    }

    @Test("a clip of the pool that cannot be decoded ends the run before its first record")
    func damaged() throws {
        let wade = try make()
        try wade.write("no video", to: "pool/100.y4m")
        let run = try wade.annotate("out.jsonl", ["--no-cache"])
        #expect(run.code == 1 && run.errors.contains("pool/100.y4m: cannot encode the clip of"))
        #expect(run.errors.contains("demonstration \"g100\"") && run.errors.contains("not_media"))
        #expect(try wade.bytes("out.jsonl").isEmpty)
    }
}
