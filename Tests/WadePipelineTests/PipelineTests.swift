//! Facts about pipelines, prompts and recipes.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeVideo

@testable import WadePipeline

@Suite("pipelines")
struct PipelineTests {
    private func read(_ yaml: String, in folder: TemporaryFolder) throws -> Pipeline {
        folder.write(yaml, to: "p.yaml")
        return try Pipeline.read(folder("p.yaml"))
    }

    private static let least = "model: m\ntasks:\n  - {id: c, type: caption}\n"

    /// 30 lists of ten aliases of the list before, and a name made of the last: 10^30 values to compare.
    private static let manyAliases =
        "a0: &a0 x\n"
        + (1...30).map { level in
            "a\(level): &a\(level) ["
                + [String](repeating: "*a\(level - 1)", count: level == 30 ? 9 : 10)
                .joined(separator: ", ") + "]\n"
        }.joined() + "? *a30\n: x\n"

    @Test("a byte order mark and an alias are read")
    func marksAndAliases() throws {
        let folder = try TemporaryFolder()
        let pipeline = try read(
            "\u{FEFF}model: &m m\nname: *m\n" + Self.least.dropFirst(9), in: folder)
        #expect(pipeline.name == "m" && pipeline.model == "m")
    }

    @Test("what is not said has the documented defaults")
    func defaults() throws {
        let folder = try TemporaryFolder()
        let pipeline = try read(Self.least, in: folder)
        #expect(pipeline.name == "p" && pipeline.model == "m" && pipeline.precision == nil)
        #expect(pipeline.precision(storedAs: .float32) == .float32)
        #expect(pipeline.sampling == .uniform(count: 8) && pipeline.segmentation == .whole)
        #expect(pipeline.decoding == Decoding() && pipeline.demonstrations.isEmpty)
        #expect(pipeline.tasks == [AnnotationTask(id: "c", type: .caption)])
        #expect(pipeline.tasks[0].maxNewTokens == 20)
        #expect(try read(String(Self.least.dropFirst(9)), in: folder).model == "flaminglet")
    }

    @Test("everything that can be said is read")
    func everything() throws {
        let folder = try TemporaryFolder()
        folder.write("x", to: "dog.mp4")
        folder.write(
            "{\"id\":\"one\",\"clip\":\"dog.mp4\",\"answers\":{\"q\":\"brown\"},\"questions\":{\"q\":\"Colour?\"}}\n\n",
            to: "d.jsonl")
        let pipeline = try read(
            """
            name: all
            model: ./bundle
            precision: float32
            sampling: {fps: 2, at_most: 16}
            segmentation: {windows: {length: 10, stride: 5}}
            decoding: {strategy: beam, beams: 4, length_penalty: -2, stop: [".", "no"], max_new_tokens: 9}
            tasks:
              - {id: q, type: vqa, question: What colour?, question_id: 3}
              - id: k
                type: classify
                choices: [yes, no]
                template: "<image>{question} {answer}!"
                max_new_tokens: 2
            demonstrations: {file: d.jsonl}
            output: {custom_id: "{task}/{id}/{index}"}
            """, in: folder)
        #expect(pipeline.model == folder("bundle").text && pipeline.precision == .float32)
        #expect(pipeline.sampling == .rate(perSecond: 2, limit: 16))
        #expect(pipeline.segmentation == .windows(length: 10, stride: 5))
        #expect(
            pipeline.decoding.strategy == .beam(width: 4) && pipeline.decoding.lengthPenalty == -2)
        #expect(pipeline.decoding.stop == [".", "no"])
        #expect(pipeline.tasks[0].questionID == 3 && pipeline.tasks[0].maxNewTokens == 9)
        #expect(pipeline.tasks[1].choices == ["yes", "no"] && pipeline.tasks[1].maxNewTokens == 2)
        #expect(
            pipeline.demonstrations == [
                Demonstration(
                    id: "one", clip: folder("dog.mp4"), answers: ["q": "brown"],
                    questions: ["q": "Colour?"])
            ])
        #expect(pipeline.customID == "{task}/{id}/{index}")
    }

    /// What a pipeline file may get wrong, and how the message begins.
    private static let faultyFiles: [(yaml: String, message: String)] = [
        (
            least + "colour: red\n",
            "4:1: found unknown name \"colour\", expected one of name, model"
        ),
        (least + "sampling: 8\n", "4:11: found sampling: \"8\", expected named values"),
        (
            least + "sampling: {uniform: many}\n",
            "4:21: found sampling.uniform: \"many\", expected a whole number"
        ),
        (
            least + "sampling: {uniform: 2, fps: 1}\n",
            "4:11: found sampling: 2 named values, expected one of"
        ),
        (
            least + "decoding: {guard: on}\n",
            "4:19: found decoding.guard: \"on\", expected `off`, or named values: loop"
        ),
        (
            least + "decoding: {guard: {attempts: 8}}\n",
            "4:30: found decoding.guard.attempts: \"8\", expected a whole number from 1 to 7"
        ),
        (
            least + "precision: float64\n",
            "4:12: found precision: \"float64\", expected one of auto, float32, bfloat16, int8"
        ),
        (least + "demonstrations: {file: none.jsonl}\n", "4:24: found "),
        (
            least + "demonstrations: [{answers: {d: x}}]\n",
            "4:29: found unknown name \"d\", expected one of c"
        ),
        (
            least + "decoding: {beams: 3}\n",
            "4:19: found decoding.beams: \"3\", expected `beams` with `strategy: beam` only"
        ),
        (least + "model: n\n", "1:1: found model twice"),
        (least + "  - {id: c, type: caption}\n", "4:5: found the id \"c\" a second time"),
        ("model: m\ntasks: []\n", "2:8: found tasks: a list of 0, expected at least one task"),
        ("model: m\n", "1:1: found no `tasks`"),
        (
            "model: m\ntasks:\n  - {id: v, type: vqa}\n",
            "3:5: found a vqa task without a question"
        ),
        (
            "model: m\ntasks:\n  - {id: v, type: classify}\n",
            "3:5: found a classify task without choices"
        ),
        ("model: [\n", "2:1: found "), ("", "1:1: found nothing"),
        (least + "name: *gone\n", "4:7: found undefined alias, expected YAML"),
        (
            least + "output: {custom_id: \"{id}{foo}\"}\n",
            "4:21: found {foo}, expected {id}, {index} and {task}"
        ),
        (
            least + "decoding: {stop: [\"\"]}\n",
            "4:19: found decoding.stop[0]: \"\", expected a text that is not empty"
        ),
        (manyAliases, "4:30: found 300 aliases, expected at most 24 in one file"),
        ("- a\n", "1:1: found a list of 1"),
    ]

    @Test(
        "a fault is told with its line and column", arguments: faultyFiles)
    func faults(yaml: String, message: String) throws {
        let folder = try TemporaryFolder()
        var text = ""
        do {
            _ = try read(yaml, in: folder)
        } catch {
            text = "\(error)"
        }
        #expect(text.hasPrefix("\(folder("p.yaml").text):\(message)"), "\(text)")
    }

    @Test(
        "the shipped pipelines are read",
        arguments: ["caption", "question-answering", "classify", "describe"])
    func shipped(name: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let pipeline = try Pipeline.read(PathBytes(root.path + "/Pipelines/\(name).yaml"))
        #expect(pipeline.name == name && !pipeline.tasks.isEmpty)
    }

    @Test(
        "a guard has defaults, each of its tests can be set or switched off, and so can the whole")
    func guards() throws {
        let folder = try TemporaryFolder()
        func decoding(_ text: String) throws -> Decoding {
            try read(Self.least + "decoding: {\(text)}\n", in: folder).decoding
        }
        #expect(try decoding("strategy: greedy").guard == AnswerGuard())
        #expect(try decoding("guard: off").guard == nil)
        var guardian = AnswerGuard()
        guardian.repetition = RepetitionGuard(longestPeriod: 8, minimumTokens: 20)
        guardian.compressionRatio = 3
        guardian.meanLogProbability = -1.5
        guardian.attempts = 7
        #expect(
            try decoding(
                "guard: {loop: {ngram: 8, tokens: 20}, compression_ratio: 3, mean_logprob: -1.5, attempts: 7}"
            ).guard == guardian)
        guardian = AnswerGuard()
        guardian.repetition = nil
        guardian.compressionRatio = nil
        #expect(
            try decoding("guard: {loop: off, compression_ratio: off, mean_logprob: off}").guard
                == guardian)
    }

    @Test("prompts are OpenFlamingo's, the newline rule included")
    func prompts() throws {
        var pipeline = plainPipeline([
            AnnotationTask(id: "c", type: .caption),
            AnnotationTask(id: "q", type: .vqa, question: "What?"),
            AnnotationTask(id: "k", type: .classify, choices: ["cat", "dog"]),
        ])
        pipeline.demonstrations = [
            Demonstration(
                id: "1", clip: PathBytes("/a.mp4"),
                answers: ["c": "A cat.", "q": "cat", "k": "cat"],
                questions: ["q": "Who?"]),
            Demonstration(id: "2", clip: nil, answers: ["c": "A {question}"]),
        ]
        let caption = Prompt(pipeline, task: pipeline.tasks[0])
        #expect(
            caption.prefix
                == "<image>Output:A cat.<|endofchunk|>\nOutput:A {question}<|endofchunk|>\n")
        #expect(caption.query == "<image>Output:" && caption.clips == [PathBytes("/a.mp4")])
        let question = Prompt(pipeline, task: pipeline.tasks[1])
        #expect(question.prefix == "<image>Question:Who? Short answer:cat<|endofchunk|>\n")
        #expect(question.query == "<image>Question:What? Short answer:")
        let choice = Prompt(pipeline, task: pipeline.tasks[2])
        #expect(
            choice.prefix == "<image>Output:cat<|endofchunk|>" && choice.query == "<image>Output:")
    }

    @Test(
        "answers are cut as OpenFlamingo's evaluation cuts them",
        arguments: [
            (" A \"dog\" runs.Output:Another", AnnotationRecord.TaskType.caption, "A dog runs."),
            (" brown Question:What", .vqa, "brown"), ("red, green", .vqa, "red"),
            ("Short", .vqa, ""),
            (" two Answer: three", .vqa, "two"), ("", .caption, ""),
        ])
    func answers(raw: String, type: AnnotationRecord.TaskType, text: String) {
        #expect(Prompt.answer(in: raw, task: type) == text)
    }

    @Test("a recipe follows what decides the answer of its task, and nothing else")
    func recipes() throws {
        let task = AnnotationTask(id: "q", type: .vqa, question: "What?")
        let other = AnnotationTask(id: "c", type: .caption)
        let model = ModelIdentity(name: "m", weightsSHA256: "00", numericsVersion: "1")
        func id(
            _ change: (inout Pipeline) -> Void, model: ModelIdentity = model, content: String = "x"
        ) throws -> String {
            var pipeline = plainPipeline([task, other])
            pipeline.demonstrations = [
                Demonstration(id: "1", clip: PathBytes("/a"), answers: ["q": "dog"])
            ]
            change(&pipeline)
            return try Recipe(
                pipeline, task: pipeline.tasks[0], model: model,
                contents: [PathBytes("/a"): content]
            ).id
        }
        let base = try id { _ in }
        #expect(base.utf8.count == 16)
        let same: [(inout Pipeline) -> Void] = [
            { $0.name = "other" }, { $0.tasks[1].maxNewTokens = 1 }, { $0.customID = "x" },
            { $0.demonstrations[0].id = "z" }, { $0.demonstrations[0].answers["c"] = "x" },
            { $0.tasks[0].questionID = 5 },
        ]
        for (index, change) in same.enumerated() {
            #expect(try id(change) == base, "change \(index)")
        }
        let different: [(inout Pipeline) -> Void] = [
            { $0.tasks[0].question = "Who?" }, { $0.tasks[0].maxNewTokens = 6 },
            { $0.sampling = .uniform(count: 3) }, { $0.decoding.stop = ["."] },
            { $0.decoding.strategy = .beam(width: 2) }, { $0.decoding.guard = nil },
            { $0.decoding.guard?.attempts = 1 }, { $0.decoding.guard?.repetition = nil },
            { $0.decoding.guard?.compressionRatio = 3 },
            { $0.demonstrations[0].answers["q"] = "cat" }, { $0.demonstrations = [] },
            { $0.segmentation = .scenes(minimumLength: 1) },
        ]
        for (index, change) in different.enumerated() {
            #expect(try id(change) != base, "change \(index)")
        }
        #expect(try id({ _ in }, content: "y") != base)
        let changed = ModelIdentity(name: "m", weightsSHA256: "01", numericsVersion: "1")
        #expect(try id({ _ in }, model: changed) != base)
    }
}
