//! Facts about what is said of an answer besides its words.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeVideo

@testable import WadePipeline

@Suite("confidence")
struct ConfidenceTests {
    private func examples(_ list: [(Double, Int)]) -> [Calibration.Example] {
        list.map { Calibration.Example(confidence: $0.0, isRight: $0.1 == 1) }
    }

    @Test("the calibrated curve is the one of least cross-entropy to Platt's targets")
    func plattScaling() {
        // The expected numbers come from a pattern search over the same loss, which shares nothing with Newton's method.
        let mixed = Calibration(
            examples([
                (-0.2, 1), (-0.5, 1), (-1.1, 1), (-0.9, 0), (-2, 0), (-3.5, 0), (-0.4, 1),
                (-2.2, 1),
            ]))
        #expect(abs(mixed.slope - 0.765372671) < 1e-6)
        #expect(abs(mixed.intercept - 1.523310319) < 1e-6)
        #expect(abs(mixed.probability(-1) - 0.680905807) < 1e-6)
        #expect(mixed.count == 8 && mixed.rightCount == 5)
        // Two and two that are told apart without fault: still no certainty.
        let apart = Calibration(examples([(-0.1, 1), (-0.2, 1), (-3, 0), (-4, 0)]))
        #expect(abs(apart.probability(-0.3) - 0.722304183) < 1e-6)
        #expect(abs(apart.probability(-3) - 0.319113355) < 1e-6)
    }

    @Test("confidence that tells nothing, or the wrong way, leaves the rate of right answers")
    func flatCalibration() {
        #expect(Calibration([]).probability(-1) == 0.5)
        let allRight = Calibration(examples([(-1, 1), (-2, 1), (-3, 1)]))
        #expect(allRight.slope == 0 && abs(allRight.probability(-9) - 0.8) < 1e-12)
        let backwards = Calibration(examples([(-1, 0), (-2, 0), (-3, 1), (-4, 1)]))
        #expect(backwards.slope == 0 && abs(backwards.probability(0) - 0.5) < 1e-12)
        let same = Calibration(examples([(-1, 1), (-1, 0), (-1, 1)]))
        #expect(same.slope == 0 && abs(same.probability(-1) - 0.6) < 1e-12)
    }

    @Test("orders of the demonstrations are others than their own, each once, the same every time")
    func orders() {
        #expect(DemonstrationOrders.others(1, most: 4).isEmpty)
        #expect(DemonstrationOrders.others(5, most: 1).isEmpty)
        #expect(DemonstrationOrders.others(2, most: 9) == [[1, 0]])
        for (count, most, expected) in [(3, 24, 5), (4, 24, 23), (5, 6, 5), (16, 24, 23)] {
            let orders = DemonstrationOrders.others(count, most: most)
            #expect(orders.count == expected && Set(orders).count == expected)
            #expect(orders.allSatisfy { $0.sorted() == Array(0..<count) })
            #expect(!orders.contains(Array(0..<count)))
            #expect(orders == DemonstrationOrders.others(count, most: most))
        }
    }

    @Test("answers are compared by their words")
    func comparison() {
        #expect(AnswerComparison.isSame(" A dog  runs. ", "a dog runs"))
        #expect(AnswerComparison.isSame("yes .", "Yes"))
        #expect(!AnswerComparison.isSame("a dog", "dog"))
        #expect(AnswerComparison.isSame("", " . "))
    }

    @Test("each demonstration with a clip is left out once and never among the others")
    func leaveOneOut() {
        let list = (0..<4).map { number in
            Demonstration(
                id: "d\(number)", clip: number == 2 ? nil : PathBytes("/\(number)"),
                answers: ["c": "answer \(number)"])
        }
        let left = TaskPrompts.leavingOneOut(list)
        #expect(left.map(\.left.id) == ["d0", "d1", "d3"])
        for (one, others) in left {
            #expect(others == list.filter { $0.id != one.id })
        }
    }

    private func pipeline(_ demonstrations: Int = 3) -> Pipeline {
        var pipeline = plainPipeline([
            AnnotationTask(id: "say", type: .caption, maxNewTokens: 6),
            AnnotationTask(id: "kind", type: .classify, choices: ["cat", "a dog", "dog"]),
        ])
        let words = ["a red ball", "two cats", "a dog runs", "rain", "snow falls on a hill"]
        pipeline.demonstrations = words.prefix(demonstrations).enumerated().map { index, word in
            Demonstration(
                id: "d\(index)", clip: nil,
                answers: ["say": word, "kind": index == 1 ? "cat" : "dog"])
        }
        return pipeline
    }

    private static let strategies: [Decoding.Strategy] = [
        .greedy, .beam(width: 3), .sample(temperature: 0.7, topP: 1, seed: 3),
    ]

    @Test("visual gain is what the whole text gains over itself with closed cross-attention")
    func visualGain() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        for (task, strategy) in [(0, Self.strategies[0]), (0, Self.strategies[1]), (1, .greedy)] {
            var pipeline = pipeline()
            pipeline.decoding.strategy = strategy
            let plain = try tiny.answers(pipeline, [0, 1], task: task)
            pipeline.confidence.measuresVisualGain = true
            let answers = try tiny.answers(pipeline, [0, 1], task: task)
            #expect(answers[0].score.visualGain != answers[1].score.visualGain)
            let prompt = Prompt(pipeline, task: pipeline.tasks[task])
            let before = tokenizer.encode(prompt.prefix + prompt.query, applyingTemplate: false)
            for (clip, answer) in answers.enumerated() {
                #expect(answer.score.hasVisualGain && answer.finish != .eos)
                // A record has the words, and words that are tokens alone spell the same tokens again here.
                let said = tokenizer.encode(answer.raw, applyingTemplate: false)
                guard said.count == answer.tokens else { continue }
                func total(blind: Bool) throws -> Double {
                    var sequence = model.sequence(media: model.media([tiny.visualTokens(clip)]))
                    sequence.blind = blind
                    let hidden = try model(before + said, sequence: &sequence)
                    let logits = model.language.logits(hidden)
                    return said.indices.reduce(0.0) { sum, place in
                        let row = logits[before.count - 1 + place].values
                        return sum + Double(logSoftmax(row)[said[place]])
                    }
                }
                let expected = try total(blind: false) - total(blind: true)
                // Sums of six log-probabilities near 10, each rounded at 1e-6 by another order of sums.
                #expect(abs(answer.score.visualGain - expected) < 1e-4)
                #expect(abs(expected) > 1e-3)
                var rest = answer
                (rest.score.visualGain, rest.score.hasVisualGain) = (0, false)
                #expect(rest == plain[clip], "measuring changes nothing else")
            }
        }
    }

    @Test("agreement is the share of other orders that say the same", arguments: strategies)
    func agreement(strategy: Decoding.Strategy) throws {
        let tiny = try TinyBundle()
        var pipeline = pipeline()
        pipeline.decoding.strategy = strategy
        pipeline.confidence.orders = 4
        let answers = try tiny.answers(pipeline, [0, 1, 2])
        for (clip, answer) in answers.enumerated() {
            // The same by hand: every order as a pipeline of its own.
            let texts = try DemonstrationOrders.others(3, most: 4).map { order in
                var other = pipeline
                other.confidence = Confidence()
                other.demonstrations = order.map { pipeline.demonstrations[$0] }
                return try tiny.answers(other, [clip])[0].raw
            }
            let same = texts.filter { AnswerComparison.isSame($0, answer.raw) }
            #expect(answer.score.agreement == Double(same.count) / 3)
        }
        #expect(try tiny.answers(pipeline, [2, 1]) == [answers[2], answers[1]])
    }

    @Test(
        "a probability is learned from the demonstrations, and answers below the bound are withheld"
    )
    func calibratedAnswers() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        var pipeline = pipeline(5)
        pipeline.confidence.isCalibrated = true
        for index in pipeline.demonstrations.indices where index != 3 {
            pipeline.demonstrations[index].clip = PathBytes("/clip\(index)")
        }
        let clips = Dictionary(
            uniqueKeysWithValues: [0, 1, 2, 4].map { index in
                (
                    PathBytes("/clip\(index)"),
                    DemonstrationClip(
                        tokens: tiny.visualTokens(index), framesDigest: "sha256:\(index)")
                )
            })
        for task in pipeline.tasks {
            let prompts = try TaskPrompts(
                task, pipeline.demonstrations, clips: clips, confidence: pipeline.confidence,
                reader: PromptReader(model, tokenizer),
                stage: AnswerStage(model, tokenizer, pipeline), media: { model.media([$0]) })
            let calibration = try #require(prompts.calibration)
            #expect(calibration.count == 4)
            let probability = calibration.probability(-1)
            #expect((0.01...0.99).contains(probability), "four examples, no more")
        }
    }

    @Test("a withheld answer has its status, no text, and tells what it was")
    func withheld() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("unsure dog", to: "in/a.mp4")
        folder.write("cat", to: "in/b.mp4")
        folder.write("unsure and torn", to: "in/c.mp4")
        try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: plainPipeline([captionTask]))
        let found = try records(folder("out.jsonl"))
        #expect(found.map(\.status) == [.abstained, .ok, .abstained])
        #expect(found[0].output.text == "" && found[0].output.choice == -1)
        #expect(found[0].output.raw == "unsure dog for caption")
        #expect(found[1].output.text == "cat for caption")
        let schema = try RecordSchema.annotation()
        for record in found {
            #expect(schema.complaints(about: try JSONReader.read(record.line().dropLast())) == [])
        }
        // An answer that was withheld is an answer: the next run has nothing to do.
        let again = try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: plainPipeline([captionTask]))
        #expect(again.answers == 0)
    }

    @Test("what a pipeline may ask for is read, refused with its place, and part of the recipe")
    func reading() throws {
        let folder = try TemporaryFolder()
        func read(_ confidence: String, demonstrations: Int = 4) throws -> Pipeline {
            for number in 0..<demonstrations { folder.write("x", to: "\(number).mp4") }
            let list = (0..<demonstrations).map { "  - {clip: \($0).mp4, answers: {c: word}}\n" }
            folder.write(
                "model: m\ntasks:\n  - {id: c, type: caption}\nconfidence: \(confidence)\n"
                    + (list.isEmpty ? "" : "demonstrations:\n" + list.joined()),
                to: "p.yaml")
            return try Pipeline.read(folder("p.yaml"))
        }
        let all = try read("{visual_gain: true, agreement: 6, abstain_below: 0.4}").confidence
        #expect(all.measuresVisualGain && all.orders == 6 && all.isCalibrated)
        #expect(all.abstainBelow == 0.4)
        #expect(
            try read("{agreement: off, calibrate: on}", demonstrations: 4).confidence.isCalibrated)
        let faults: [(yaml: String, demonstrations: Int, message: String)] = [
            (
                "{visual_gain: maybe}", 0,
                "4:27: found confidence.visual_gain: \"maybe\", expected true or"
            ),
            (
                "{agreement: 1}", 4,
                "4:25: found confidence.agreement: \"1\", expected a whole number from 2"
            ),
            (
                "{agreement: 3}", 1,
                "4:25: found agreement with 1 demonstrations of task c, expected at"
            ),
            (
                "{calibrate: true}", 3,
                "4:25: found 3 demonstrations of task c with clips, expected at least 4"
            ),
            (
                "{abstain_below: 2}", 4,
                "4:29: found confidence.abstain_below: \"2\", expected a number"
            ),
            (
                "{abstain_below: 0.5, calibrate: off}", 4,
                "4:29: found confidence.abstain_below: \"0.5\", expected `abstain_below` without"
            ),
            ("{sure: true}", 0, "4:14: found unknown name \"sure\", expected one of visual_gain"),
        ]
        for fault in faults {
            #expect {
                try read(fault.yaml, demonstrations: fault.demonstrations)
            } throws: {
                "\($0)".contains("p.yaml:" + fault.message)
            }
        }
        let model = ModelIdentity(name: "m", weightsSHA256: "0", numericsVersion: "1")
        func recipe(_ pipeline: Pipeline) throws -> String {
            try Recipe(
                pipeline, task: pipeline.tasks[0], model: model,
                contents: Recipe.contents(of: pipeline)
            ).id
        }
        let plain = try recipe(read("{}"))
        #expect(try recipe(read("{visual_gain: off}")) == plain)
        #expect(try recipe(read("{visual_gain: on}")) != plain)
    }
}
