//! Facts about second passes, which answer about whole videos behind what a first pass said about their shots.
import Foundation
import Synchronization
import Testing
import WadeFlamingo
import WadeTensor
import WadeVideo

@testable import WadePipeline

@Suite("second passes over shots")
struct ShotTests {
    private static let first: Pipeline = {
        var pipeline = plainPipeline([captionTask, colourTask])
        pipeline.segmentation = .windows(length: 1, stride: 1)
        return pipeline
    }()

    private static func second(_ file: PathBytes, task: String = "caption", limit: Int = 8)
        -> Pipeline
    {
        var pipeline = plainPipeline([AnnotationTask(id: "summary", type: .caption)])
        pipeline.shots = ShotSource(file: file, task: task)
        pipeline.shots?.limit = limit
        return pipeline
    }

    /// The fake model, whose answers say what stood before the question.
    private static let annotator: Annotator<String> = {
        var annotator = FakeAnnotator.make()
        let answer = annotator.answer
        annotator.answer = { questions in
            zip(questions, answer(questions)).map { question, result in
                result.map { answer in
                    var answer = answer
                    let shots = question.shots.map { "(\($0.tokens): \($0.shot.words))" }
                    answer.raw = (shots + [answer.raw]).joined()
                    return answer
                }
            }
        }
        return annotator
    }()

    private func make(_ files: [String: String]) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        for (name, content) in files { folder.write(content, to: "in/\(name)") }
        return folder
    }

    @discardableResult
    private func pass(
        _ folder: TemporaryFolder, _ pipeline: Pipeline, _ output: String, workers: Int = 2
    )
        throws -> RunSummary
    {
        try annotate(
            [folder("in")], into: folder(output), pipeline: pipeline, workers: workers,
            annotator: Self.annotator)
    }

    @Test(
        "every shot stands before the question with its answer, in the order of time; again does nothing"
    )
    func order() throws {
        let folder = try make(["a.mp4": "cat dog", "b.mp4": "fish"])
        try pass(folder, Self.first, "shots.jsonl")
        let second = Self.second(folder("shots.jsonl"))
        let summary = try pass(folder, second, "out.jsonl")
        #expect(summary.answers == 2 && summary.deferred == 0)
        let found = try records(folder("out.jsonl"))
        let cat = "(cat: <image>Output:cat for caption<|endofchunk|>\n)"
        let dog = "(dog: <image>Output:dog for caption<|endofchunk|>\n)"
        #expect(found[0].output.raw == cat + dog + "cat dog for summary")
        #expect(found.map(\.demonstrations.ids) == [["shot:0", "shot:1"], ["shot:0"]])
        #expect(found.allSatisfy { $0.demonstrations.policy == .shots && $0.flags == [] })
        #expect(Set(found.map(\.demonstrations.setID)).count == 2)
        #expect(found.allSatisfy { $0.clip.boundary == .whole && $0.clip.count == 1 })
        let schema = try RecordSchema.annotation()
        for record in found {
            #expect(schema.complaints(about: try JSONReader.read(record.line().dropLast())) == [])
        }
        let before = try folder.bytes("out.jsonl")
        let again = try pass(folder, second, "out.jsonl")
        #expect(again.answers == 0 && again.filesDone == 2)
        #expect(try folder.bytes("out.jsonl") == before)
        try pass(folder, second, "one.jsonl", workers: 1)
        #expect(try payload(folder("one.jsonl")) == payload(folder("out.jsonl")))
        // Answers to questions have a question in their words.
        try pass(folder, Self.second(folder("shots.jsonl"), task: "colour"), "colour.jsonl")
        #expect(
            try records(folder("colour.jsonl"))[1].output.raw.hasPrefix(
                "(fish: <image>Question:What colour? Short answer:fish for colour<|endofchunk|>\n)")
        )
    }

    /// Appends the record number `place` of `name` once more, changed.
    private func change(
        _ folder: TemporaryFolder, _ name: String, _ place: Int,
        _ change: (inout AnnotationRecord) -> Void
    ) throws {
        let all = try records(folder(name))
        var record = all[place]
        record.run.sequence = (all.map(\.run.sequence).max() ?? 0) + 1
        change(&record)
        try folder.replace(name, with: folder.bytes(name) + record.line())
    }

    @Test("a changed shot redoes its video alone, under the same key")
    func changed() throws {
        let folder = try make(["a.mp4": "cat dog", "b.mp4": "fish", "c.mp4": "bird"])
        try pass(folder, Self.first, "shots.jsonl")
        let second = Self.second(folder("shots.jsonl"))
        try pass(folder, second, "out.jsonl")
        // The answer to the other task is no concern of this pass: lines are caption, colour of each clip in turn.
        try change(folder, "shots.jsonl", 1) { $0.output.text = "blue" }
        #expect(try pass(folder, second, "out.jsonl").answers == 0)
        try change(folder, "shots.jsonl", 2) { $0.output.text = "wolf" }
        #expect(try pass(folder, second, "out.jsonl").answers == 1)
        let found = try records(folder("out.jsonl"))
        #expect(found.count == 4 && found[3].key == found[0].key)
        #expect(found[3].output.raw.contains("(dog: <image>Output:wolf<|endofchunk|>\n)"))
        #expect(found[3].demonstrations.setID != found[0].demonstrations.setID)
        #expect(try RecordFile(folder("out.jsonl")).count == 3, "one current record for each video")
        #expect(try pass(folder, second, "out.jsonl").answers == 0)
        // A renamed file keeps its shots.
        rename(folder("in/c.mp4").text, folder("in/d.mp4").text)
        #expect(try pass(folder, second, "out.jsonl").answers == 0)
    }

    @Test("a video whose shots are not all there waits, is planned so, and follows when they are")
    func waiting() throws {
        let folder = try make(["a.mp4": "cat dog"])
        try pass(folder, Self.first, "whole.jsonl")
        folder.write("fish", to: "in/b.mp4")
        let lines = try folder.bytes("whole.jsonl").split(separator: 0x0A).map { $0 + [0x0A] }
        // The second shot of a.mp4 is torn, b.mp4 is not there yet.
        try folder.replace(
            "shots.jsonl", with: lines[0] + lines[1] + lines[2].prefix(100))
        let second = Self.second(folder("shots.jsonl"))
        let summary = try pass(folder, second, "out.jsonl")
        #expect(summary.answers == 0 && summary.deferred == 2 && summary.exitCode == 0)
        #expect(summary.complaints.count == 1)
        #expect(
            summary.complaints[0].hasPrefix(
                "nothing was answered: all 2 videos wait for their shots; 1 of them is there in part, in "
            ))
        try pass(folder, Self.first, "shots.jsonl")
        #expect(try pass(folder, second, "out.jsonl").answers == 2)
        // Another recipe of the first pass: its answers come in one by one, and none is mixed with the earlier ones.
        try change(folder, "shots.jsonl", 0) {
            $0.recipeID = "0123456789abcdef"
            $0.key = String($0.key.reversed())
        }
        let ledger = try Ledger(readingFrom: folder("out.jsonl"))
        let plan = try RunPlan(
            pipeline: second,
            model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
            findings: try ClipFinder.find([folder("in")]), settings: RunSettings(workers: 1))
        let forecast = RunForecast(plan: plan, ledger: ledger, estimate: nil)
        #expect(forecast.lines.map(\.state) == [.deferred, .deferred])
        #expect(forecast.lines[0].reason.contains("not all of its shots"))
        #expect(try pass(folder, second, "out.jsonl").deferred == 2)
    }

    @Test("when all wait that is said with the reason, and only then")
    func nothingToAnswer() throws {
        let folder = try make(["a.mp4": "cat dog", "b.mp4": "fish"])
        try pass(folder, Self.first, "shots.jsonl")
        let second = Self.second(folder("shots.jsonl"))
        #expect(try pass(folder, second, "out.jsonl").complaints == [])
        folder.write("bird", to: "in/c.mp4")
        #expect(try pass(folder, second, "out.jsonl").complaints == [], "two are done")
        #expect(try pass(folder, second, "new.jsonl").complaints == [], "two are answered")
        folder.makeFolder("other")
        folder.write("bee", to: "other/a.mp4")
        let other = try annotate(
            [folder("other")], into: folder("other.jsonl"), pipeline: second,
            annotator: Self.annotator)
        #expect(other.deferred == 1 && other.exitCode == 0)
        #expect(
            other.complaints == [
                "nothing was answered: the one video waits for its shots; none of them is in \(folder("shots.jsonl").text), task \"caption\": the first pass is yet to run over these files, or was about others"
            ])
        folder.makeFolder("none")
        let none = try annotate(
            [folder("none")], into: folder("none.jsonl"), pipeline: second,
            annotator: Self.annotator)
        #expect(none.complaints == [], "nothing waits")
    }

    @Test(
        "the first pass tells the contents of files that have not changed: the second reads none of them, and plan knows"
    )
    func contents() throws {
        let folder = try make(["a.mp4": "cat dog", "b.mp4": "fish"])
        try pass(folder, Self.first, "shots.jsonl")
        folder.write("bird", to: "in/c.mp4")
        let second = Self.second(folder("shots.jsonl"))
        let plan = try RunPlan(
            pipeline: second,
            model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
            findings: try ClipFinder.find([folder("in")]), settings: RunSettings(workers: 1))
        let forecast = RunForecast(plan: plan, ledger: Ledger(), estimate: nil)
        #expect(forecast.lines.map(\.state) == [.todo, .todo, .deferred])
        #expect(forecast.lines[2].reason.contains("not in the output of the earlier pass"))
        let known = try plan.findings.files.map { file in
            plan.content(
                of: file, try FileStatus.of(file.path, followingLinks: true), Ledger())
        }
        let contents = try records(folder("shots.jsonl")).map(\.video.contentID)
        #expect(
            known.map { $0.map { "sha256:" + Hexadecimal.text($0) } } == [
                contents.first, contents.last, nil,
            ])
        // Another size or time is another file until it is read.
        folder.write("cat dog wolf", to: "in/a.mp4")
        let status = try FileStatus.of(folder("in/a.mp4"), followingLinks: true)
        #expect(plan.content(of: plan.findings.files[0], status, Ledger()) == nil)
    }

    @Test("only the meant task's lines count, however its id is spelled")
    func taskNames() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("cat dog", to: "in/a.mp4")
        let odd = "say \"é\\n\""
        var first = plainPipeline([AnnotationTask(id: odd, type: .caption), captionTask])
        first.segmentation = .windows(length: 1, stride: 1)
        try pass(folder, first, "shots.jsonl")
        let content = try #require(
            Hexadecimal.bytes(
                try records(folder("shots.jsonl"))[0].video.contentID.dropFirst(7).utf8))
        let text = String(decoding: try folder.bytes("shots.jsonl"), as: UTF8.self)
        let escaped = text.replacing("é", with: "\\u00e9")
        #expect(escaped != text)
        try folder.replace("escaped.jsonl", with: Array(escaped.utf8))
        for name in ["shots.jsonl", "escaped.jsonl"] {
            let table = try ShotTable(ShotSource(file: folder(name), task: odd))
            let choice = try #require(table.choice(of: content))
            #expect(try table.shots(choice).map(\.index) == [0, 1], "\(name)")
            #expect(table.holdsSome(of: content) && !table.holdsSome(of: content.reversed()))
            // A backslash and an n are no line end.
            #expect(throws: PipelineError.self) {
                _ = try ShotTable(ShotSource(file: folder(name), task: "say \"é\n\""))
            }
        }
    }

    @Test(
        "a shot without an answer is left out and the record says so; of many shots the middle of equal groups is taken"
    )
    func choices() throws {
        let folder = try make([
            "a.mp4": "cat unsure dog", "b.mp4": "unsure", "c.mp4": "0 1 2 3 4 5 6 7 8 9",
        ])
        try pass(folder, Self.first, "shots.jsonl")
        try pass(folder, Self.second(folder("shots.jsonl"), limit: 4), "out.jsonl")
        let found = try records(folder("out.jsonl"))
        #expect(
            found.map(\.demonstrations.ids)
                == [["shot:0", "shot:2"], [], ["shot:1", "shot:3", "shot:6", "shot:8"]])
        #expect(found.map(\.flags) == [[.shotsMissing], [.shotsMissing], [.shotsThinned]])
        #expect(found.map(\.status) == [.ok, .abstained, .ok])
    }

    @Test("copies repeat the answer of their original, also when its shots have changed")
    func copies() throws {
        let folder = try make(["b.mp4": "cat dog"])
        try pass(folder, Self.first, "shots.jsonl")
        let second = Self.second(folder("shots.jsonl"))
        try pass(folder, second, "out.jsonl")
        folder.write("cat dog", to: "in/a.mp4")
        folder.write("cat dog", to: "in/c.mp4")
        #expect(try pass(folder, second, "out.jsonl").copies == 2)
        try change(folder, "shots.jsonl", 0) { $0.output.text = "lion" }
        // a.mp4 comes before its original.
        let summary = try pass(folder, second, "out.jsonl")
        #expect(summary.answers == 1 && summary.copies == 1 && summary.deferred == 1)
        #expect(try pass(folder, second, "out.jsonl").copies == 1)
        var texts: [String] = []
        try RecordFile(folder("out.jsonl")).forEachRecord { texts.append($0.output.raw) }
        #expect(texts.count == 3 && Set(texts).count == 1 && texts[0].contains("lion"))
    }

    @Test("what cannot be a first pass is told with its line")
    func faults() throws {
        let folder = try make(["a.mp4": "cat dog"])
        try pass(folder, Self.first, "shots.jsonl")
        let good = try folder.bytes("shots.jsonl")
        func message(_ bytes: [UInt8]?, task: String = "caption") throws -> String {
            if let bytes { try folder.replace("x.jsonl", with: bytes) }
            do throws(PipelineError) {
                _ = try ShotTable(ShotSource(file: folder("x.jsonl"), task: task))
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(try message(nil).contains("No such file or directory; the first pass"))
        #expect(
            try message(good, task: "x").hasSuffix(
                "x.jsonl, expected one of its tasks as `task` of `shots`: \"caption\", \"colour\""))
        #expect(try message(good + Array("{}\n".utf8)).contains("x.jsonl:5: schema: found nothing"))
        let other = String(decoding: good, as: UTF8.self)
            .replacing("wade.annotation/1", with: "wade.annotation/2")
        #expect(try message(Array(other.utf8)).contains("x.jsonl:1: schema: found"))
        #expect(try message(good + Array("no JSON\n".utf8)).contains("x.jsonl:5: byte"))
        #expect(try message(good + Array("torn".utf8)) == "")
        #expect(try message([]) == "", "nothing is there yet")
        // The same lines as another program spells them.
        let spaced = String(decoding: good, as: UTF8.self).replacing("\":", with: "\" : ")
        #expect(try message(Array(spaced.utf8)) == "")
        let content = try #require(
            Hexadecimal.bytes(
                try records(folder("shots.jsonl"))[0].video.contentID.dropFirst(7).utf8))
        let here = try ShotTable(ShotSource(file: folder("shots.jsonl"), task: "caption"))
        try folder.replace("x.jsonl", with: Array(spaced.utf8))
        let there = try ShotTable(ShotSource(file: folder("x.jsonl"), task: "caption"))
        let (one, other2) = (
            try #require(here.choice(of: content)), try #require(there.choice(of: content))
        )
        #expect(one.setID(demonstrations: "") == other2.setID(demonstrations: ""))
        #expect(try here.shots(one) == there.shots(other2))
    }

    @Test(
        "a pipeline says where its shots are; what makes no sense beside them is an error with its place"
    )
    func reading() throws {
        let folder = try TemporaryFolder()
        func read(_ shots: String) throws -> Pipeline {
            try Pipeline.read(
                folder.write(
                    "tasks:\n  - {id: c, type: caption}\nshots: \(shots)\n", to: "p.yaml"))
        }
        let plain = try read("{file: out/shots.jsonl, task: caption}")
        #expect(plain.shots == ShotSource(file: folder("out/shots.jsonl"), task: "caption"))
        let more = try read("{file: s.jsonl, task: t, at_most: 3, template: \"<image>{answer}.\"}")
        #expect(more.shots?.limit == 3 && more.shots?.template?.text == "<image>{answer}.")
        for (shots, expected) in [
            ("{file: s.jsonl}", "found `shots` without them, expected `file:`"),
            ("{file: s, task: t, at_most: 0}", "expected a whole number from 1 to 256"),
            ("{file: s, task: t, template: \"{answer}\"}", "expected a text with <image> once"),
            (
                "{file: s, task: t}\nsegmentation: {scenes: {}}",
                "expected `segmentation: whole` beside `shots`"
            ),
            ("{file: s, task: t, most: 3}", "unknown name \"most\""),
        ] {
            var text = ""
            do { _ = try read(shots) } catch { text = "\(error)" }
            #expect(text.contains(expected) && text.contains("p.yaml:"), "\(text)")
        }
        let model = ModelIdentity(name: "m", weightsSHA256: "0", numericsVersion: "1")
        var none = plain
        none.shots = nil
        let recipes = try [plain, more, none].map {
            try Recipe($0, task: $0.tasks[0], model: model, contents: [:]).id
        }
        #expect(Set(recipes).count == 3)
    }

    @Test(
        "a prompt with shots is the prompt that is read at once, and the answer hangs on what the shots' answers say"
    )
    func prompts() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        let task = AnnotationTask(id: "say", type: .caption, maxNewTokens: 6)
        let shown = Prompt(
            [Demonstration(id: "d", clip: nil, answers: ["say": "rain"])], task: task)
        let base = TaskPrompts(
            prompt: try PromptReader(model, tokenizer).read(shown, clips: []), reordered: [],
            calibration: nil)
        func shots(_ words: [String]) -> [SeenShot<Tensor>] {
            words.enumerated().map { index, word in
                SeenShot(
                    shot: AnsweredShot(
                        index: index, span: nil,
                        words: task.template.demonstration(
                            question: "", answer: word, hasClip: true)),
                    tokens: tiny.visualTokens(index))
            }
        }
        func state(_ prompt: ReadPrompt) throws -> [Float] {
            var sequence = prompt.seeing(model.media([tiny.visualTokens(9)]))
            let hidden = try model(prompt.query, sequence: &sequence)
            return hidden[hidden.rows - 1..<hidden.rows].values
        }
        let words = ["a red ball", "two cats"]
        let read = try ShotPrompts(model, tokenizer).prompts(base, with: shots(words)).prompt
        var whole = shown
        whole.parts += shots(words).map(\.shot.words)
        let expected = try PromptReader(model, tokenizer).read(
            whole, clips: words.indices.map { tiny.visualTokens($0) })
        #expect(read.earlier == expected.earlier && read.query == expected.query)
        // Sums in another order: states near 1, rounded at 1e-7.
        #expect(
            zip(try state(read), try state(expected)).allSatisfy { abs($0 - $1) < 1e-5 })
        let other = try ShotPrompts(model, tokenizer).prompts(
            base, with: shots(["a red ball", "snow falls"])
        ).prompt
        #expect(
            zip(try state(read), try state(other)).contains { abs($0 - $1) > 1e-3 })
        let none = try ShotPrompts(model, tokenizer).prompts(base, with: []).prompt
        #expect(try state(none) == state(base.prompt))
    }
}
