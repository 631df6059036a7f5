//! Answers in batches are the answers alone: the same tokens and log-probabilities, to the bit, in any company.
import Foundation
import Testing
import WadeTensor
import WadeTestSupport
import WadeVideo

@testable import WadeFlamingo
@testable import WadePipeline

@Suite("answers in batches")
struct BatchedAnswerTests {
    /// A model of every language family: its folder, and whether it is one checkpoint or three parts.
    static let models = [
        "openflamingo-mpt/mpt1b-every2", "openflamingo-neox/rpj3b-every2",
        "otter-video/llama-video",
    ]

    private func model(_ fixture: String, _ precision: Precision = .float32) throws -> Flamingo {
        let path = Fixtures.bundled.appendingPathComponent(fixture).path
        let isWhole = fixture.hasPrefix("otter")
        let folder = try TemporaryFolder()
        let bundle = folder("model").text
        _ = try ModelImport(
            checkpoint: isWhole ? path : path + "/checkpoint",
            language: isWhole ? nil : path + "/lm", vision: isWhole ? nil : path + "/vision",
            name: "tiny"
        ).write(to: bundle)
        return try ModelBundle(path: bundle).model(
            Arithmetic(precision: precision, leastInt8Weights: 0))
    }

    private func media(_ clip: Int, _ model: Flamingo) -> Media {
        let width = model.configuration.resampler.width
        let count = model.configuration.resampler.latents * width
        let values = (0..<count).map { Float(sin(Double($0 * (clip + 1)) * 0.37)) }
        return model.media([Tensor(values, shape: [model.configuration.resampler.latents, width])])
    }

    /// Eleven requests: long and short prompts, behind a shared prefix or nothing, greedy or drawn, with ends of every kind.
    private func requests(_ model: Flamingo) throws -> [AnswerRequest] {
        let image = model.configuration.tokens.image
        let size = model.language.vocabularySize
        var prefix = model.sequence(media: media(9, model))
        let shown = [image] + (0..<17).map { ($0 * 31 + 7) % (size - 10) }
        _ = try model(shown, sequence: &prefix)
        return (0..<11).map { number in
            let prompt =
                [image] + (0..<(number * 3) % 8 + 1).map { ($0 * 13 + number) % (size - 10) }
            let isBehind = number % 3 != 1
            let sequence =
                isBehind
                ? prefix.continued(with: media(number, model))
                : model.sequence(media: media(number, model))
            var options = DecodingOptions(maximumTokens: 3 + number * 2, endTokens: [])
            if number % 2 == 1 {
                options.strategy = .sampling(
                    temperature: 1.3, topK: 0, topP: 0.95, seed: UInt64(number))
            }
            if number == 4 { options.repetition = RepetitionGuard() }
            if number == 5 { options.noRepeatNGramInAnswer = 2 }
            if number == 6 { options.strategy = .beam(count: 3, lengthPenalty: 1) }
            if number == 7 { options.maximumTokens = 1 }
            let unread = UnreadPrompt(
                prompt, behind: sequence, earlier: isBehind ? shown : [],
                generatedTokens: number == 8 ? .areBlindAfterTheFirst : .seeMedia)
            return AnswerRequest(number, .unread(unread), options: options) { ids in
                number != 9 || ids.count < 2
            }
        }
    }

    /// Where the answer to `request` begins when nobody else asks.
    private func start(of request: AnswerRequest, _ model: Flamingo) throws -> AnswerStart {
        switch request.beginning {
        case .read(let start): start
        case .unread(let prompt):
            try Generator(model).read(
                prompt.ids, behind: prompt.sequence, earlier: prompt.earlier,
                generatedTokens: prompt.generatedTokens)
        }
    }

    /// The answers to `requests` in the order in which they are asked for.
    private func answers(_ requests: [AnswerRequest], places: Int, _ model: Flamingo) throws -> [(
        Int, Generated
    )] {
        var waiting = requests[...]
        var found: [(Int, Generated)] = []
        var failure: (any Error)?
        BatchedGenerator(model, places: places).run(
            next: { free in
                let taken = waiting.prefix(free)
                waiting = waiting.dropFirst(taken.count)
                return Array(taken)
            },
            ended: { ended in
                do { found.append((ended.number, try ended.result.get())) } catch {
                    failure = error
                }
                return nil
            })
        if let failure { throw failure }
        return found
    }

    @Test(
        "token ids and log-probabilities are the same to the bit in any batch and order",
        arguments: models, Precision.allCases)
    func sameBits(fixture: String, precision: Precision) throws {
        let model = try model(fixture, precision)
        let requests = try requests(model)
        let generator = Generator(model)
        let alone = try requests.map { request in
            try generator.answer(
                start(of: request, model), options: request.options, goOn: request.goOn)
        }
        #expect(Set(alone.map(\.ids.count)).count > 4, "answers of many lengths")
        let orders = [requests, requests.reversed(), requests.filter { $0.number % 2 == 0 }]
        for (order, batches) in zip(orders, [[1, 2, 3, 8], [3], [8]]) {
            for places in batches {
                let found = try answers(Array(order), places: places, model)
                #expect(found.count == order.count)
                for (number, generated) in found {
                    #expect(generated.ids == alone[number].ids, "\(number) among \(places)")
                    #expect(
                        generated.logProbabilities.map(\.bitPattern)
                            == alone[number].logProbabilities.map(\.bitPattern),
                        "\(number) among \(places)")
                    #expect(generated == alone[number])
                }
            }
        }
        // Those that end early leave early, though they came later.
        let left = try answers(requests, places: 8, model).map(\.0)
        #expect(left != left.sorted() && Set(left) == Set(0..<11))
    }

    @Test(
        "scores of choices are the same to the bit alone and among others, and a prompt that cannot be read fails alone",
        arguments: models, Precision.allCases)
    func sameScores(fixture: String, precision: Precision) throws {
        let model = try model(fixture, precision)
        let size = model.language.vocabularySize
        let image = model.configuration.tokens.image
        var prefix = model.sequence(media: media(9, model))
        _ = try model([image] + (0..<9).map { ($0 * 31 + 7) % (size - 10) }, sequence: &prefix)
        var questions = (0..<9).map { number in
            // More choices than are read in one pass, of one token and of many.
            let choices = (0..<(number == 4 ? 40 : 1 + number % 3)).map { choice in
                (0...(choice + number) % 5).map { ($0 * 17 + choice * 5 + number) % (size - 10) }
            }
            return GivenAnswers(
                choices, after: [image] + (0..<number % 4).map { $0 + 3 },
                behind: prefix.continued(with: media(number, model)))
        }
        let generator = Generator(model)
        let alone = try questions.map {
            try generator.scores(of: $0.choices, after: $0.prompt.ids, behind: $0.prompt.sequence)
        }
        for order in [Array(0..<9), (0..<9).reversed(), [3, 5, 4]] {
            let found = generator.scores(of: order.map { questions[$0] })
            for (number, scores) in zip(order, found) {
                #expect(
                    try scores.get().map { $0.logProbabilities.map(\.bitPattern) }
                        == alone[number].map { $0.logProbabilities.map(\.bitPattern) },
                    "\(number)")
            }
        }
        questions[2] = GivenAnswers([[1], []], after: [image], behind: prefix)
        questions[6] = GivenAnswers([[1]], after: [size], behind: prefix)
        let found = generator.scores(of: questions)
        let failed = found.indices.filter { (try? found[$0].get()) == nil }
        #expect(failed == [2, 6] && (try? found[8].get()) == alone[8])
    }

    @Test("who asks again is asked next, and a request that nobody can answer fails alone")
    func again() throws {
        let model = try model(Self.models[0])
        var requests = try requests(model)
        requests[2].options.maximumTokens = -1
        requests[3].beginning = .unread(
            UnreadPrompt([-1], behind: model.sequence(media: .none)))
        let more = DecodingOptions(maximumTokens: 4, endTokens: [])
        var log: [(number: Int, count: Int?)] = []
        var waiting = requests[...]
        BatchedGenerator(model, places: 2).run(
            next: { free in
                let taken = Array(waiting.prefix(free))
                waiting = waiting.dropFirst(taken.count)
                return taken
            },
            ended: { ended in
                log.append((ended.number, try? ended.result.get().ids.count))
                let times = log.filter { $0.number == ended.number }.count
                guard ended.number == 0, times < 3, let start = ended.start else { return nil }
                return AnswerRequest(0, .read(start), options: more)
            })
        #expect(log.filter { $0.number == 0 }.map(\.count) == [3, 4, 4])
        for number in [2, 3] { #expect(log.filter { $0.number == number }.map(\.count) == [nil]) }
        #expect(log.count == 13 && Set(log.map(\.number)) == Set(0..<11))
    }

    /// Two questions and a choice, with demonstrations in words, a guard that retries, and everything that confidence measures.
    private func pipeline(_ strategy: Decoding.Strategy) -> Pipeline {
        var pipeline = plainPipeline([
            AnnotationTask(id: "long", type: .caption, maxNewTokens: 14),
            AnnotationTask(id: "colour", type: .vqa, question: "What colour?", maxNewTokens: 4),
            AnnotationTask(id: "kind", type: .classify, choices: ["cat", "a dog", "dog"]),
        ])
        pipeline.demonstrations = (0..<3).map { number in
            Demonstration(
                id: "\(number)", clip: nil,
                answers: ["long": "a red cat \(number)", "colour": "red \(number)", "kind": "dog"])
        }
        pipeline.decoding.strategy = strategy
        pipeline.decoding.stop = ["e"]
        pipeline.decoding.guard?.attempts = 2
        pipeline.confidence.orders = 2
        pipeline.confidence.measuresVisualGain = true
        return pipeline
    }

    @Test(
        "records are the same bytes for any batch and any number of workers",
        arguments: [
            Decoding.Strategy.greedy, .sample(temperature: 1.2, topP: 0.9, seed: 3),
        ], PrecisionChoice.allCases)
    func sameRecords(strategy: Decoding.Strategy, precision: PrecisionChoice) throws {
        var pipeline = pipeline(strategy)
        pipeline.precision = precision
        let tiny = try TinyBundle()
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        for clip in 0..<5 { folder.write("\(clip)", to: "in/\(clip).mp4") }
        folder.write("bad", to: "in/2.mp4")
        var expected: [String]?
        for (workers, batch) in [(1, 1), (1, 8), (2, 3), (7, 2)] {
            let annotator = try annotator(tiny, pipeline, batch: batch)
            let output = folder("\(workers)-\(batch).jsonl")
            let plan = try RunPlan(
                pipeline: pipeline,
                model: ModelIdentity(name: "tiny", weightsSHA256: "00", numericsVersion: "1"),
                findings: try ClipFinder.find([folder("in")]),
                settings: RunSettings(workers: workers))
            let run = AnnotationRun<Tensor>(
                plan: plan, ledger: Ledger(), cut: FakeAnnotator.cut, stop: StopRequest())
            let summary = try run.run(
                writer: try JSONLinesWriter(path: output), isReadable: true,
                annotator: { annotator }, progress: { _ in })
            #expect(summary.answers == 12 && summary.failures == 3)
            let found = try payload(output)
            if let expected {
                #expect(found == expected, "\(workers) workers, batches of \(batch)")
            } else {
                expected = found
                #expect(Set(try records(output).map(\.output.raw)).count > 5)
            }
        }
    }

    /// The tiny model's annotator, whose clips are the numbers that stand in the files.
    private func annotator(_ tiny: TinyBundle, _ pipeline: Pipeline, batch: Int) throws
        -> Annotator<Tensor>
    {
        var annotator = try FlamingoAnnotator(
            bundle: tiny.bundle, pipeline: pipeline, decoders: DecoderPool(capacity: 1),
            batch: batch
        ).annotator
        let clips = (0..<5).map { tiny.visualTokens($0) }
        annotator.encode = { source, _ in
            let bytes = (try? SmallFile.read(source.path)) ?? []
            guard let clip = Int(String(decoding: bytes, as: UTF8.self)) else {
                return .failure(
                    ClipFailure(code: .notMedia, stage: .decode, message: "no container"))
            }
            var frames = AnnotationRecord.Frames()
            frames.digest = "sha256:\(clip)"
            return .success(
                EncodedClip(
                    tokens: clips[clip], video: AnnotationRecord.Video(),
                    span: ClipSpan(start: 0, end: 1, boundary: .whole), frames: frames, flags: []))
        }
        return annotator
    }
}
