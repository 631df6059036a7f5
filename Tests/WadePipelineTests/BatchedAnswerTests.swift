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
        let generator = Generator(model)
        var prefix = model.sequence(media: media(9, model))
        let shown = [image] + (0..<17).map { ($0 * 31 + 7) % (size - 10) }
        _ = try model(shown, sequence: &prefix)
        return try (0..<11).map { number in
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
            let start = try generator.read(
                prompt, behind: sequence, earlier: isBehind ? shown : [],
                generatedTokens: number == 8 ? .areBlindAfterTheFirst : .seeMedia)
            return AnswerRequest(number, from: start, options: options) { ids in
                number != 9 || ids.count < 2
            }
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
            ended: { number, result in
                do { found.append((number, try result.get())) } catch { failure = error }
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
            try generator.answer(request.start, options: request.options, goOn: request.goOn)
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

    @Test("who asks again is asked next, and a request that nobody can answer fails alone")
    func again() throws {
        let model = try model(Self.models[0])
        var requests = try requests(model)
        requests[2].options.maximumTokens = -1
        let whole = requests
        let more = DecodingOptions(maximumTokens: 4, endTokens: [])
        var log: [(number: Int, count: Int?)] = []
        var waiting = requests[...]
        BatchedGenerator(model, places: 2).run(
            next: { free in
                let taken = Array(waiting.prefix(free))
                waiting = waiting.dropFirst(taken.count)
                return taken
            },
            ended: { number, result in
                log.append((number, try? result.get().ids.count))
                let times = log.filter { $0.number == number }.count
                guard number == 0, times < 3 else { return nil }
                return AnswerRequest(0, from: whole[0].start, options: more)
            })
        #expect(log.filter { $0.number == 0 }.map(\.count) == [3, 4, 4])
        #expect(log.filter { $0.number == 2 }.map(\.count) == [nil])
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
