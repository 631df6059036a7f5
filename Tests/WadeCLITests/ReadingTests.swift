//! Facts about the commands that read an output: report, show, export, tail.
import Foundation
import Testing

@Suite("reading commands", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct ReadingTests {
    private func annotated() throws -> BuiltProgram {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        try wade.write("no video", to: "in/bad.mp4")
        #expect(try wade.annotate().code == 3)
        return wade
    }

    @Test("a report shows the frames of the folder, and says nothing but its name")
    func report() throws {
        let wade = try annotated()
        let (file, page) = (wade.path("out.jsonl"), wade.path("page.html"))
        let made = try wade.run(["report", file, "--videos", wade.path("in"), "-o", page])
        #expect(made.code == 0 && made.output == page + "\n" && made.errors == "", "\(made.errors)")
        let html = String(decoding: try wade.bytes("page.html"), as: UTF8.self)
        #expect(html.components(separatedBy: "data-jpeg=\"/9j/").count == 3)
        #expect(html.contains("not_media"))
        let elsewhere = try wade.run(["report", file, "--videos", wade.path("model"), "-o", page])
        #expect(elsewhere.code == 0)
        #expect(elsewhere.errors == "wade: 1 clips without pictures: the file was not found\n")
        #expect(try wade.run(["report", file, "--no-pictures", "-o", page]).errors == "")
        #expect(try wade.run(["report", wade.path("gone.jsonl")]).code == 1)
        #expect(try wade.run(["report", file, "--frames", "0"]).code == 64)
    }

    @Test("a record is shown by key, path or name, with its frames as a sheet")
    func show() throws {
        let wade = try annotated()
        let file = wade.path("out.jsonl")
        let shown = try wade.run(["show", "a.y4m", "-f", file])
        #expect(shown.code == 0 && shown.output.hasPrefix("a.y4m\n  32x32, "), "\(shown.output)")
        let key = try #require(shown.output.firstMatch(of: /key ([0-9a-f]{64})/)).1
        let again = try wade.run([
            "show", String(key.prefix(8)), "-f", file, "--videos", wade.path("in"), "--sheet",
            wade.path("sheet.png"),
        ])
        #expect(again.code == 0 && again.output == shown.output && again.errors == "")
        #expect(try wade.bytes("sheet.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
        try wade.makeClip("in/a.y4m", grey: 90)
        let changed = try wade.run([
            "show", "a.y4m", "-f", file, "--videos", wade.path("in"), "--sheet",
            wade.path("other.png"),
        ])
        #expect(changed.code == 1 && changed.errors.contains("has been changed since"))
        #expect(!FileManager.default.fileExists(atPath: wade.path("other.png")))
        let nobody = try wade.run(["show", "nobody", "-f", file])
        #expect(nobody.code == 1 && nobody.errors.contains("found no record \"nobody\""))
        let failure = try wade.run(["show", "bad.mp4", "-f", file])
        #expect(failure.code == 0 && failure.output.contains("not_media"))
    }

    @Test("an export goes to standard output, a file or a folder, and counts what it leaves out")
    func export() throws {
        let wade = try annotated()
        let file = wade.path("out.jsonl")
        let vatex = try wade.run(["export", file, "--to", "vatex"])
        #expect(vatex.code == 0 && vatex.output.hasPrefix("[{\"enCap\":["))
        #expect(vatex.errors == "wade: left out: 1 error\n")
        let csv = try wade.run(["export", file, "--to", "csv", "-o", wade.path("t.csv")])
        #expect(csv.code == 0 && csv.output == "" && csv.errors == "")
        #expect(try wade.bytes("t.csv").filter { $0 == 0x0A }.count == 3)
        #expect(
            try wade.run(["export", file, "--to", "srt", "-o", wade.path("subs")]).code == 0)
        #expect(
            try wade.bytes("subs/a.srt").starts(
                with: Array("1\n00:00:00,000 --> 00:00:01,000\n".utf8)))
        #expect(try wade.run(["export", file, "--to", "srt"]).code == 64)
        #expect(try wade.run(["export", file, "--to", "xlsx"]).code == 64)
        let again = try wade.run(["export", file, "--to", "srt", "-o", wade.path("subs")])
        #expect(again.code == 1 && again.errors.contains("it is there"))
    }

    @Test("a follower gets what a run writes meanwhile, and ends with its signal or its reader")
    func tail() throws {
        let wade = try annotated()
        let all = try wade.run(["tail", wade.path("out.jsonl")])
        let written = try wade.bytes("out.jsonl")
        #expect(all.code == 0 && Data(all.output.utf8) == written)
        try wade.makeClip("in/b.y4m", grey: 90)
        let script = """
            cd "$1" && { "$0" tail out.jsonl --after 1 --follow > seen.jsonl & } && follower=$! &&
            "$0" annotate in -p p.yaml -o out.jsonl
            for i in $(seq 200); do test -s seen.jsonl && break; sleep 0.05; done
            kill -TERM $follower; wait $follower; echo "$?"
            """
        let shell = try wade.shell(script)
        #expect(shell.output == "143\n", "\(shell.errors)")
        let lines = try wade.bytes("out.jsonl").split(separator: 0x0A)
        #expect(lines.count == 3)
        #expect(try wade.bytes("seen.jsonl") == Data(lines[2]) + Data([0x0A]))
        let gone = try wade.shell(
            "cd \"$1\"; { \"$0\" tail out.jsonl -f; echo $? >&2; } | head -n 1 >/dev/null")
        #expect(gone.errors == "141\n")
    }
}
