//! Facts about a second pass over the shots of videos, as a user and cron see it.
import Foundation
import Testing

@Suite(
    "runs behind shots", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct ShotRunTests {
    private struct Line: Decodable {
        struct Demonstrations: Decodable {
            let ids: [String]
            let policy: String
        }
        struct Output: Decodable { let text: String }
        struct Video: Decodable { let path: String }
        let demos: Demonstrations
        let flags: [String]
        let key: String
        let output: Output
        let video: Video
    }

    /// A film of shots, a second each, in these greys: hard cuts.
    private func makeFilm(_ wade: BuiltProgram, _ name: String, _ greys: [UInt8]) throws {
        var data = Data("YUV4MPEG2 W32 H32 F8:1 C420mpeg2\n".utf8)
        for (shot, grey) in greys.enumerated() {
            for _ in 0..<8 {
                data += Data("FRAME\n".utf8) + Data(repeating: grey, count: 1024)
                data += Data(repeating: shot.isMultiple(of: 2) ? 90 : 170, count: 512)
            }
        }
        try data.write(to: wade.folder.appendingPathComponent(name))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -100)],
            ofItemAtPath: wade.path(name))
    }

    private func make() throws -> BuiltProgram {
        let wade = try BuiltProgram()
        try makeFilm(wade, "in/a.y4m", [20, 200, 90])
        try makeFilm(wade, "in/b.y4m", [40, 220])
        try makeFilm(wade, "in/c.y4m", [128])
        let tasks = "model: ./model\nsampling: {uniform: 2}\ntasks:\n"
        try wade.write(
            tasks + "  - {id: caption, type: caption, max_new_tokens: 4}\n"
                + "segmentation: {scenes: {minimum_length: 0.5}}\n", to: "shots.yaml")
        try wade.write(
            tasks + "  - {id: summary, type: caption, max_new_tokens: 6}\n"
                + "  - {id: colour, type: vqa, question: \"What colour?\", max_new_tokens: 4}\n"
                + "demonstrations: [{answers: {summary: grey}}]\n"
                + "shots: {file: shots.jsonl, task: caption, at_most: 2}\n", to: "video.yaml")
        return wade
    }

    private func run(
        _ wade: BuiltProgram, _ pipeline: String, _ output: String, _ options: String
    ) throws -> Finished {
        try wade.shell(
            "cd \"$1\"; \"$0\" annotate in -p \(pipeline) -o \(output) \(options)")
    }

    private func lines(_ wade: BuiltProgram, _ name: String) throws -> [Line] {
        try String(decoding: wade.bytes(name), as: UTF8.self).split(separator: "\n")
            .map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test(
        "two passes compose; records do not depend on workers, batch, order or cache; with a warm one nothing is decoded"
    )
    func passes() throws {
        let wade = try make()
        let early = try run(wade, "video.yaml", "early.jsonl", "--no-cache")
        #expect(early.code == 1 && early.errors.contains("shots.jsonl: cannot read the shots"))
        let first = try run(wade, "shots.yaml", "shots.jsonl", "--cache cache")
        #expect(first.code == 0 && first.errors == "", "\(first.errors)")
        #expect(try lines(wade, "shots.jsonl").count == 6)
        for (name, options) in [
            ("one", "--no-cache --workers 1 --batch 1"), ("three", "--no-cache --workers 3"),
            ("small", "--no-cache --order smallest"), ("cold", "--cache cache"),
        ] {
            let second = try run(wade, "video.yaml", "\(name).jsonl", options)
            #expect(second.code == 0 && second.errors == "", "\(second.errors)")
        }
        // A decoder that is started now says that FFmpeg is broken, and ends the run.
        for version in 50..<70 { try wade.write("no library", to: "libavcodec.so.\(version)") }
        let script = "cd \"$1\"; LD_LIBRARY_PATH=\"$1\" \"$0\" annotate in -p video.yaml -o "
        #expect(try wade.shell(script + "warm.jsonl --cache cache").code == 0)
        #expect(try wade.shell(script + "broken.jsonl --no-cache").code == 1)
        let expected = try wade.payloads("one.jsonl").sorted()
        for name in ["three", "small", "cold", "warm"] {
            #expect(try wade.payloads("\(name).jsonl").sorted() == expected, "\(name)")
        }
        let found = try lines(wade, "one.jsonl")
        #expect(
            found.map(\.demos.ids) == [
                ["d1", "shot:0", "shot:2"], ["shot:0", "shot:2"], ["d1", "shot:0", "shot:1"],
                ["shot:0", "shot:1"], ["d1", "shot:0"], ["shot:0"],
            ])
        #expect(
            found.map(\.demos.policy) == ["fixed", "shots", "fixed", "shots", "fixed", "shots"])
        #expect(
            found.map { $0.flags.contains("shots_thinned") } == [true, true] + [
                false, false, false, false,
            ])
        #expect(try wade.run(["check", wade.path("one.jsonl")]).code == 0)
        // One question about one video is answered as in the run.
        let ask = try wade.shell(
            "cd \"$1\"; \"$0\" ask in/a.y4m 'What colour?' -p video.yaml --no-cache")
        #expect(
            ask.code == 0
                && found[1].output.text == ask.output.trimmingCharacters(in: .newlines))
    }

    @Test(
        "shards: parts of before the shots changed and of after join into what one machine says now"
    )
    func shards() throws {
        let wade = try make()
        #expect(try run(wade, "shots.yaml", "shots.jsonl", "--cache cache").code == 0)
        for part in ["1/2", "2/2"] {
            #expect(
                try run(wade, "video.yaml", "out.jsonl", "--cache cache --shard \(part)").code == 0)
        }
        // Records carry seconds: what follows is later by one at least.
        Thread.sleep(forTimeInterval: 1.1)
        let shots = String(decoding: try wade.bytes("shots.jsonl"), as: UTF8.self)
        let line = try #require(shots.split(separator: "\n").first { $0.contains("\"b.y4m\"") })
        let changed = String(line)
            .replacing(/"text":"[^"]*"/, with: "\"text\":\"something else\"")
            .replacing(/"seq":\d+/, with: "\"seq\":99")
        try wade.write(shots + changed + "\n", to: "shots.jsonl")
        let merge = "cd \"$1\"; \"$0\" merge in -p video.yaml -o out.jsonl"
        let early = try wade.shell(merge + "; rm out.jsonl")
        #expect(
            early.errors
                == "wade: 2 answers stand behind shots that have changed since; annotate makes them anew\n"
        )
        for part in ["1/3", "2/3", "3/3"] {
            #expect(
                try run(wade, "video.yaml", "out.jsonl", "--cache cache --shard \(part)").code == 0)
        }
        // Only the video whose shots have changed was asked about again.
        let again = try (1...3).flatMap { try lines(wade, "out.part-\($0)-of-3.jsonl") }
        #expect(again.map(\.video.path) == ["b.y4m", "b.y4m"])
        // Parts of two have the old answers, those of three the new ones; neither has anything to do.
        for part in ["1/2", "2/2"] {
            let none = try run(
                wade, "video.yaml", "out.jsonl", "--cache cache --shard \(part) --verbose")
            #expect(none.code == 0 && none.errors.contains(" 0 answers"), "\(none.errors)")
        }
        let merged = try wade.shell(merge)
        #expect(merged.code == 0 && merged.errors == "", "\(merged.errors)")
        #expect(try run(wade, "video.yaml", "single.jsonl", "--cache cache").code == 0)
        #expect(try wade.payloads("out.jsonl") == wade.payloads("single.jsonl"))
        let none = try run(wade, "video.yaml", "out.jsonl", "--cache cache --verbose")
        #expect(none.code == 0 && none.errors.contains(" 0 answers"), "\(none.errors)")
    }

    @Test("a changed first pass redoes exactly the videos that it changes; new videos wait for it")
    func changes() throws {
        let wade = try make()
        #expect(try run(wade, "shots.yaml", "shots.jsonl", "--cache cache").code == 0)
        #expect(try run(wade, "video.yaml", "out.jsonl", "--cache cache").code == 0)
        let before = try lines(wade, "out.jsonl")
        try makeFilm(wade, "in/d.y4m", [70, 10])
        let plan = "cd \"$1\"; \"$0\" plan in -p video.yaml -o out.jsonl"
        #expect(try wade.shell(plan + " --summary").output == "3 done, 1 deferred\n")
        let waiting = try run(wade, "video.yaml", "out.jsonl", "--cache cache --verbose")
        #expect(waiting.code == 0 && waiting.errors.contains("1 deferred"), "\(waiting.errors)")
        #expect(try lines(wade, "out.jsonl").count == 6)
        // Only b's first shot says something else now.
        let shots = String(decoding: try wade.bytes("shots.jsonl"), as: UTF8.self)
        let line = try #require(shots.split(separator: "\n").first { $0.contains("\"b.y4m\"") })
        let changed = String(line)
            .replacing(/"text":"[^"]*"/, with: "\"text\":\"something else\"")
            .replacing(/"seq":\d+/, with: "\"seq\":99")
        try wade.write(shots + changed + "\n", to: "shots.jsonl")
        #expect(
            try wade.shell(plan + " --summary").output.hasPrefix("1 todo, 2 done, 1 deferred; "))
        #expect(try run(wade, "video.yaml", "out.jsonl", "--cache cache").code == 0)
        let after = try lines(wade, "out.jsonl")
        #expect(after.dropFirst(6).map(\.video.path) == ["b.y4m", "b.y4m"])
        #expect(after.dropFirst(6).map(\.key) == before[2...3].map(\.key))
        #expect(try run(wade, "shots.yaml", "shots.jsonl", "--cache cache").code == 0)
        #expect(try run(wade, "video.yaml", "out.jsonl", "--cache cache").code == 0)
        #expect(try lines(wade, "out.jsonl").dropFirst(8).map(\.video.path) == ["d.y4m", "d.y4m"])
    }
}
