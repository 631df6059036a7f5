//! Facts about `wade chat` on a pipe: answers on standard output, everything else beside it.
import Foundation
import Testing

@Suite("chatting", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct ChatTests {
    private let wade: BuiltProgram

    init() throws {
        wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        try wade.makeClip("in/b.y4m", grey: 200)
    }

    /// What the program says to `lines`.
    private func chat(_ lines: [String], _ more: String = "\"$1/in/a.y4m\"", before: String = "")
        throws -> Finished
    {
        try wade.write(lines.map { $0 + "\n" }.joined(), to: "lines")
        return try wade.shell(
            "cd \"$1\" && \(before) \"$0\" chat --no-cache --model ./model --max-new-tokens 5 \(more) < lines"
        )
    }

    @Test("standard output holds the answers alone, one a line, the first as `wade ask` gives it")
    func answers() throws {
        let chat = try chat(["What moves?", "", "  Is it dark?"])
        #expect(chat.code == 0 && !chat.errors.contains("wade:"), "\(chat.errors)")
        let lines = chat.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 3 && lines.last == "")
        let asked = try wade.run([
            "ask", wade.path("in/a.y4m"), "What moves?", "--no-cache", "--model",
            wade.path("model"),
            "--max-new-tokens", "5",
        ])
        #expect(asked.code == 0 && line(asked.output.dropLast()) == lines[0])
        #expect(try self.chat(["What moves?", "Is it dark?"]).output == chat.output)
    }

    /// An answer as it stands on a pipe.
    private func line(_ answer: Substring) -> Substring {
        Substring(answer.map { $0.isNewline ? " " : $0 })
    }

    @Test("the last line counts without its end, and no input at all is fine")
    func ends() throws {
        let run = try wade.shell(
            "cd \"$1\" && printf 'What moves?' | \"$0\" chat --no-cache --model ./model in/a.y4m")
        #expect(run.code == 0 && run.output.hasSuffix("\n"))
        #expect(try chat([]).code == 0)
        #expect(try chat(["/quit", "What moves?"]).output == "")
    }

    @Test("clips come and go while the dialogue goes on, and notes stay off standard output")
    func clips() throws {
        let run = try chat([
            "/add in/nowhere.y4m", "What moves?", "/add in/b.y4m", "/clips", "What moves?",
            "/use 1",
            "/frames", "/use 7", "/nope", "/help", "What moves?",
        ])
        #expect(run.code == 3)
        #expect(run.output.split(separator: "\n", omittingEmptySubsequences: false).count == 4)
        #expect(run.errors.contains("wade: in/nowhere.y4m: cannot look at it: io_error"))
        #expect(run.errors.contains("* 2: in/b.y4m, 1.00 s") && run.errors.contains("  1: "))
        #expect(run.errors.contains("a.y4m.frames.png: frames at "))
        #expect(run.errors.contains("/use: found 7, expected 1 to 2"))
        #expect(run.errors.contains("/nope: no such command"))
        #expect(run.errors.contains("/save FILE"))
        #expect(try wade.bytes("a.y4m.frames.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
    }

    @Test("a question without a clip is an error with what to do about it")
    func noClip() throws {
        let run = try chat(["What moves?", "/add in/a.y4m", "What moves?"], "")
        #expect(
            run.code == 3 && run.errors.contains("found no clip")
                && run.errors.contains("/add CLIP"))
        #expect(run.output.split(separator: "\n", omittingEmptySubsequences: false).count == 2)
    }

    @Test("a dialogue is saved as JSON lines or text, and nobody else's file is replaced")
    func saving() throws {
        try wade.write("mine", to: "mine.txt")
        let run = try chat([
            "What moves?", "/save talk.jsonl", "Is it dark?", "/save talk.jsonl", "/save talk.txt",
            "/save mine.txt",
        ])
        #expect(run.code == 3 && run.errors.contains("mine.txt: cannot write: it is there"))
        #expect(try wade.bytes("mine.txt") == Data("mine".utf8))
        let turns = try wade.bytes("talk.jsonl").split(separator: 0x0A).map {
            try #require(JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
        }
        let answers = run.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(turns.map { $0["question"] as? String } == ["What moves?", "Is it dark?"])
        #expect(
            turns.map { line(($0["answer"] as? String ?? "")[...]) } == Array(answers.prefix(2)))
        let text = String(decoding: try wade.bytes("talk.txt"), as: UTF8.self)
        #expect(text.contains("\n> What moves?\n") && text.contains("in/a.y4m\n"))
    }

    @Test("a full context forgets the oldest turns and says so")
    func context() throws {
        let run = try chat(
            (0..<8).map { "What moves in part \($0) of it?" }, "--context 90 in/a.y4m")
        #expect(run.code == 0 && run.output.filter { $0 == "\n" }.count == 8)
        #expect(run.errors.contains("the context of 90 tokens is full: the oldest "))
        #expect(try wade.run(["chat", "--context", "3"]).code == 64)
    }

    @Test("a reader that goes away ends it quietly, and a model that is not there is an error")
    func failures() throws {
        let gone = try wade.shell(
            "cd \"$1\" && (for i in 1 2 3 4; do echo 'What moves?'; done) | \"$0\" chat --no-cache --model ./model in/a.y4m | head -c 0; echo done"
        )
        #expect(gone.output == "done\n")
        let none = try wade.run(["chat", "--model", "./nowhere", wade.path("in/a.y4m")])
        #expect(none.code == 1 && none.errors.contains("cannot find the model"))
    }

    @Test("a signal while nothing is answered ends the program with its number")
    func signal() throws {
        // A shell starts what it puts in the background with SIGINT ignored, and that stays so; SIGTERM is not.
        let term = try wade.shell(
            "cd \"$1\" && rm -f line out && mkfifo line && exec 3<>line && (\"$0\" chat --no-cache --model ./model in/a.y4m <&3 > out & p=$!; echo 'What moves?' >&3; while [ ! -s out ]; do sleep 0.1; done; sleep 0.3; kill -TERM $p; wait $p; echo $?)"
        )
        #expect(term.output == "143\n")
    }
}
