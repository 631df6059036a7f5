//! Facts about `wade train --from`, on a tiny model and clips of a few frames.
import Foundation
import Logging
import Synchronization
import Testing
import WadeFlamingo
import WadePipeline
import WadeTestSupport
import WadeVideo

@testable import WadeTensor
@testable import WadeTraining

/// What a run said, line by line.
private final class Lines: Sendable {
    private let all = Mutex<[String]>([])
    var texts: [String] { all.withLock { $0 } }

    struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            lines.all.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }
}

@Suite("tuning a bundle on one's own clips")
struct TuningTests {
    /// The plan's run; `stopAfter` asks it to stop once so many steps are done.
    @discardableResult private func run(
        _ plan: TuningPlan, workers: Int = 2, stopAfter: Int? = nil, lines: Lines = Lines()
    ) throws -> TuningRun.Outcome {
        try TuningRun.prepare(plan)
        let stop = StopRequest()
        let log = TrainingLog(
            Logger(label: "test") { _ in Lines.Handler(lines: lines) },
            path: plan.output + "/training.jsonl"
        ) { progress in
            if let progress, progress.what == "tuning", progress.done == stopAfter {
                stop.stop(.signal(15))
            }
        }
        return try TuningRun(
            plan, decoders: DecoderPool(capacity: 2, program: TinyModel.program),
            workers: workers, log: log, stop: stop
        ).run()
    }

    private func weights(_ folder: String) throws -> [String: [Float]] {
        try ModelBundle(path: folder).weights.tensors.mapValues { try $0.float32().values }
    }

    private func bytes(_ stored: StoredTensor) -> [UInt8] {
        var bytes: [UInt8] = []
        unsafe stored.forEachChunk { _, chunk in unsafe bytes += Array(chunk) }
        return bytes
    }

    private func entries(_ kind: String, _ folder: String) -> [TrainingHistory.Entry] {
        TrainingHistory(path: folder + "/training.jsonl").entries(kind, of: "tuning")
    }

    @Test("vision encoder and language model keep their bytes, the wiring moves, the loss falls")
    func frozen() throws {
        let tiny = try TinyModel()
        try tiny.writeClips(12)
        var plan = tiny.plan(steps: 48)
        plan.learningRate = 0.03
        #expect(try run(plan) == .done(leftOut: 0))
        let before = try ModelBundle(path: tiny.bundlePath)
        let after = try ModelBundle(path: tiny.outputPath)
        #expect(before.weights.tensors.count == after.weights.tensors.count)
        for (name, stored) in before.weights.tensors {
            let tuned = try #require(after.weights.tensors[name])
            #expect(tuned.elementType == stored.elementType && tuned.shape == stored.shape)
            let isWiring = name.hasPrefix("resampler.") || name.hasPrefix("cross_attention.")
            if !isWiring { #expect(bytes(tuned) == bytes(stored), "\(name)") }
            if isWiring, stored.shape.rank > 1 { #expect(bytes(tuned) != bytes(stored), "\(name)") }
        }
        #expect(after.configuration.name == "tuned")
        #expect(
            after.configuration.weightsSHA256
                == (try ModelBundle.weightsDigest(of: tiny.outputPath + "/model.safetensors")))
        let tokenizer = "/tokenizer.json"
        #expect(
            FileManager.default.contentsEqual(
                atPath: tiny.bundlePath + tokenizer, andPath: tiny.outputPath + tokenizer))

        let scores = entries("held_out", tiny.outputPath)
        #expect(scores.map(\.step) == [0, 24, 48])
        let losses = try scores.map { try #require($0.values["loss"]) }
        // The frozen language model is random, so what can be learned is which tokens there are at all.
        #expect(losses[2] < losses[0] - 0.3, "\(losses)")
        #expect(scores[2].values["exact_match"] != nil)
        let trained = entries("train", tiny.outputPath)
        #expect(
            try #require(trained.last?.values["loss"]) < #require(trained.first?.values["loss"]))
    }

    @Test("stopped and started again it ends at the same parameters, with any number of workers")
    func resumed() throws {
        let tiny = try TinyModel()
        try tiny.writeClips(8)
        var plan = tiny.plan(steps: 6)
        plan.output = tiny.folder + "/whole"
        #expect(try run(plan, workers: 1) == .done(leftOut: 0))
        let whole = try weights(plan.output)

        plan.output = tiny.folder + "/stopped"
        #expect(try run(plan, stopAfter: 2) == .stopped)
        #expect(!FileManager.default.fileExists(atPath: plan.output + "/config.json"))
        // What was seen of the clips is not looked at again: without the decoder nothing is missing.
        let seen = try FileManager.default.contentsOfDirectory(
            atPath: plan.output + "/training/clips")
        #expect(seen.count == 8)
        #expect(try run(plan, workers: 2) == .done(leftOut: 0))
        #expect(try weights(plan.output) == whole)

        plan.seed = 2
        #expect(throws: TrainingError.self) { try run(plan) }
        plan.output = tiny.folder + "/seed"
        try run(plan)
        #expect(try weights(plan.output) != whole)
    }

    @Test(
        "with a learning rate of its own the vision encoder is tuned, too; the language model never"
    )
    func unfrozen() throws {
        let tiny = try TinyModel(storing: .bfloat16)
        try tiny.writeClips(4)
        var plan = tiny.plan(steps: 2)
        plan.visionLearningRate = 0.001
        try run(plan)
        let (before, after) = (
            try ModelBundle(path: tiny.bundlePath).weights.tensors,
            try ModelBundle(path: tiny.outputPath).weights.tensors
        )
        for (name, stored) in before {
            let tuned = try #require(after[name])
            let isContrastive = ["vision.post_norm.", "vision.projection."].contains {
                name.hasPrefix($0)
            }
            let isFrozen = name.hasPrefix("language.") || isContrastive
            if isFrozen { #expect(bytes(tuned) == bytes(stored), "\(name)") }
            if !isFrozen, name.hasPrefix("vision."), stored.shape.rank > 1 {
                #expect(try tuned.float32().values != stored.float32().values, "\(name)")
            }
            // bfloat16 would swallow small steps.
            #expect(tuned.elementType == (isFrozen ? .bfloat16 : .float32), "\(name)")
        }
    }

    @Test(
        "published families are tuned, too: MPT, GPT-NeoX and LLaMA, with their own tokenizers",
        arguments: [
            ("openflamingo-mpt/mpt1b-every2", "/checkpoint", true),
            ("openflamingo-neox/rpj3b-every2", "/checkpoint", true),
            ("otter-video/llama-video", "", false),
        ])
    func published(fixture: String, checkpoint: String, isInParts: Bool) throws {
        let tiny = try TinyModel()
        try tiny.writeClips(3)
        var plan = tiny.plan(steps: 2)
        plan.bundle = tiny.folder + "/published"
        let parts = Fixtures.bundled.appendingPathComponent(fixture).path
        _ = try ModelImport(
            checkpoint: parts + checkpoint, language: isInParts ? parts + "/lm" : nil,
            vision: isInParts ? parts + "/vision" : nil, name: "published"
        ).write(to: plan.bundle)
        #expect(try run(plan) == .done(leftOut: 0))
        let (before, after) = (
            try ModelBundle(path: plan.bundle).weights.tensors,
            try ModelBundle(path: plan.output).weights.tensors
        )
        #expect(before.count == after.count)
        for (name, stored) in before {
            let tuned = try #require(after[name])
            let isWiring = name.hasPrefix("resampler.") || name.hasPrefix("cross_attention.")
            if !isWiring {
                #expect(tuned.elementType == stored.elementType && bytes(tuned) == bytes(stored))
            } else if stored.shape.rank > 1, name.hasSuffix(".weight") {
                #expect(try tuned.float32().values != stored.float32().values, "\(name)")
            }
        }
    }

    @Test("a line that cannot be used is named with its number and reason, and the rest goes on")
    func badLines() throws {
        let tiny = try TinyModel()
        try tiny.writeClips(4)
        try "no film".write(toFile: tiny.folder + "/text.mp4", atomically: true, encoding: .utf8)
        try "".write(toFile: tiny.folder + "/empty.mp4", atomically: true, encoding: .utf8)
        let bad = """
            {"clip":"nowhere.mp4","caption":"a"}
            {"clip":"0.mp4"}
            {"clip":"0.mp4","title":"a"}
            {"clip":"0.mp4","caption":

            {"clip":"text.mp4","caption":"a"}
            {"clip":"empty.mp4","caption":"a"}
            {"clip":"0.mp4","caption":"  "}
            {"clip":"0.mp4","caption":"<image> a"}
            {"caption":"a"}
            {"clip":"0.mp4","answer":"two"}
            {"clip":"0.mp4","answers":{"count":"two"}}
            7

            """
        let good = try String(contentsOfFile: tiny.dataPath, encoding: .utf8)
        try (good + bad).write(toFile: tiny.dataPath, atomically: true, encoding: .utf8)
        let lines = Lines()
        #expect(try run(tiny.plan(steps: 1), lines: lines) == .done(leftOut: 12))
        let said = lines.texts.filter { $0.contains("left out") }
        let expected: [(line: Int, words: [String])] = [
            (5, ["nowhere.mp4", "not there"]), (6, ["no text"]), (7, ["\"title\""]),
            (8, [":8:27", "a value"]), (10, ["text.mp4", "not_media"]),
            (11, ["empty.mp4", "empty_file"]), (12, ["an empty text for caption"]),
            (13, ["<image> in"]), (14, ["no `clip`"]), (15, ["`answer` alone"]),
            (16, ["\"count\" without a question"]), (17, ["the integer 7"]),
        ]
        #expect(said.count == expected.count)
        for (text, (line, words)) in zip(said, expected) {
            #expect(text.hasPrefix("warning: "))
            #expect(text.contains("clips.jsonl:\(line):"), "\(text)")
            for word in words { #expect(text.contains(word), "\(text)") }
        }

        try bad.write(toFile: tiny.dataPath, atomically: true, encoding: .utf8)
        var plan = tiny.plan(steps: 1)
        plan.output = tiny.folder + "/none"
        let error = #expect(throws: PipelineError.self) { try run(plan) }
        #expect("\(try #require(error))".contains("no line that can be used"))
    }

    @Test("a folder with another model is refused before anything is written")
    func otherModel() throws {
        let tiny = try TinyModel()
        var plan = tiny.plan(steps: 1)
        plan.output = tiny.bundlePath
        #expect(throws: PipelineError.self) { try TuningRun.prepare(plan) }
        #expect(!FileManager.default.fileExists(atPath: tiny.bundlePath + "/training"))
    }

    @Test("curves and card say what was measured")
    func curvesAndCard() throws {
        let tiny = try TinyModel()
        try tiny.writeClips(8)
        try run(tiny.plan(steps: 4))
        let png = try Data(contentsOf: URL(fileURLWithPath: tiny.outputPath + "/curves.png"))
        #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        let picture = try #require(
            TrainingCurves(log: tiny.outputPath + "/training.jsonl").picture)
        #expect(picture.width == 1520 && picture.height == 400)
        // Colours, which only lines have, stand in the plot, left of the legend, over many columns.
        for (first, name) in [(64, "losses"), (760 + 64, "scores")] {
            let columns = (first..<first + 506).filter { x in
                (30..<373).contains { y in
                    let place = (y * picture.width + x) * 3
                    let pixel = picture.pixels[place..<place + 3]
                    return Int(pixel.max() ?? 0) - Int(pixel.min() ?? 0) > 60
                }
            }
            #expect(columns.count > 400, "\(name)")
        }
        let card = try String(contentsOfFile: tiny.outputPath + "/card.md", encoding: .utf8)
        let last = try #require(entries("held_out", tiny.outputPath).last)
        for words in [
            "# tuned", "tiny (weights", "| language | ", "| frozen |", "| resampler | ",
            "| trained |", "| tuning | 4 | 6 sequences of 1 to 5 clips | 0.01 | 1 | ",
            "| tuning | loss | ", Machine.description, "(curves.png)",
            String(format: "%.3f (step 4)", try #require(last.values["loss"])),
        ] {
            #expect(card.contains(words), "\(words)")
        }
    }

    @Test("pairs stand in the words of the pipeline, and only answers count")
    func sequences() throws {
        let tiny = try TinyModel()
        try tiny.writeClip("a.mp4", isRed: true, number: 0, frames: 2, size: (32, 32))
        try """
        {"clip":"a.mp4","answers":{"caption":"red","colour":"blue"},"questions":{"colour":"Which?"}}
        {"clip":"a.mp4","question":"What?","answer":"red"}
        """.write(toFile: tiny.dataPath, atomically: true, encoding: .utf8)
        let read = try CaptionedClips(PathBytes(tiny.dataPath))
        #expect(read.faults.isEmpty)
        #expect(
            read.clips.flatMap(\.pairs).map { "\($0.task) \($0.prompt)|\($0.answer)" } == [
                "caption <image>Output:|red<|endofchunk|>\n",
                "colour <image>Question:Which? Short answer:|blue<|endofchunk|>\n",
                "answer <image>Question:What? Short answer:|red<|endofchunk|>\n",
            ])

        try """
        tasks:
          - {id: short, type: caption, template: "Clip <image> shows {answer}<|endofchunk|>"}
        """.write(toFile: tiny.folder + "/p.yaml", atomically: true, encoding: .utf8)
        try """
        {"clip":"a.mp4","caption":"red"}
        {"clip":"a.mp4","answers":{"short":"blue"}}
        {"clip":"a.mp4","answers":{"caption":"blue"}}
        """.write(toFile: tiny.dataPath, atomically: true, encoding: .utf8)
        let pipeline = try Pipeline.read(PathBytes(tiny.folder + "/p.yaml"))
        let worded = try CaptionedClips(PathBytes(tiny.dataPath), pipeline: pipeline)
        #expect(worded.faults.keys.sorted() == [3])
        #expect(
            worded.clips.flatMap(\.pairs).map { $0.prompt + "|" + $0.answer } == [
                "Clip <image> shows |red<|endofchunk|>", "Clip <image> shows |blue<|endofchunk|>",
            ])

        let tokenizer = try ModelBundle(path: tiny.bundlePath).tokenizer()
        let clips = [ClipContent(digest: [1]), ClipContent(digest: [2])]
        let lessons = zip(read.clips[0].pairs, clips).map {
            Lesson($0, about: $1, tokenizer, endOfChunk: FlamingletTokens.endOfChunk)
        }
        let text = "<image>Output:red<|endofchunk|>\n"
        let all = TrainingDocument(
            Array(lessons.prefix(1)), image: FlamingletTokens.image, beginningOfText: 0)
        #expect(all.ids == [0] + tokenizer.encode(text, applyingTemplate: false))
        let learned = zip(all.ids, all.weights).filter { $1 > 0 }.map(\.0)
        #expect(
            learned == tokenizer.encode("red", applyingTemplate: false)
                + [FlamingletTokens.endOfChunk])
        let both = TrainingDocument(
            lessons, image: FlamingletTokens.image, beginningOfText: nil, onlyLast: true)
        #expect(both.clips == [0, 1] && both.answers.count == 2)
        #expect(both.ids.first == FlamingletTokens.image)
        #expect(
            zip(both.ids, both.weights).filter { $1 > 0 }.map(\.0)
                == tokenizer.encode("blue", applyingTemplate: false)
                + [FlamingletTokens.endOfChunk])
    }

    @Test("a log of a run that was killed shows each step once, and its torn line not at all")
    func history() throws {
        let path = NSTemporaryDirectory() + "wade-history-\(UUID().uuidString).jsonl"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try """
        {"kind":"begin","machine":"A","seconds":1,"stage":"s","step":0}
        {"kind":"train","loss":5,"seconds":11,"stage":"s","step":10}
        {"kind":"train","loss":4,"seconds":21,"stage":"s","step":20}
        {"kind":"train","loss":3,"seco{"kind":"train","loss":9,"seconds":0,"stage":"s","step":1}
        {"kind":"begin","machine":"B","seconds":2,"stage":"s","step":12}
        {"kind":"train","loss":4.5,"seconds":12,"stage":"s","step":20}
        {"kind":"held_out","loss":4.4,"seconds":14,"stage":"s","step":20}
        """.write(toFile: path, atomically: true, encoding: .utf8)
        let history = TrainingHistory(path: path)
        #expect(history.entries("train", of: "s").map { $0.values["loss"] } == [5, 4.5])
        #expect(history.seconds == ["s": 32])
        #expect(history.machines == ["A", "B"])
        #expect(TrainingHistory(path: path + ".none").entries.isEmpty)
        let names = "processor\t: 0\nmodel name\t: AMD  EPYC 9B14\nmodel name\t: other\n"
        #expect(Machine.processor(of: names) == "AMD EPYC 9B14")
        let progress = TrainingProgress(
            what: "tuning", done: 30, total: 100, elapsed: .seconds(40), before: 10)
        #expect(progress.text == "tuning 30/100, 2 min left")
    }
}
