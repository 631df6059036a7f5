//! The guard over a real, small model with random weights, which loops whenever one lets it.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeVideo
import WadeTestSupport

@testable import WadePipeline

@Suite("guarded answers")
struct GuardedAnswerTests {
    private let bundle: ModelBundle
    private let folder: TemporaryFolder

    init() throws {
        let fixture = Fixtures.bundled.appendingPathComponent("openflamingo-mpt/mpt1b-every2").path
        folder = try TemporaryFolder()
        let path = folder("model").text
        _ = try ModelImport(
            checkpoint: fixture + "/checkpoint", language: fixture + "/lm",
            vision: fixture + "/vision", name: "tiny"
        ).write(to: path)
        bundle = try ModelBundle(path: path)
    }

    private func pipeline(
        _ strategy: Decoding.Strategy, _ guardian: AnswerGuard?, tokens: Int = 90
    ) -> Pipeline {
        var pipeline = plainPipeline([
            AnnotationTask(id: "long", type: .caption, maxNewTokens: tokens),
            AnnotationTask(id: "kind", type: .classify, choices: ["cat", "dog"]),
        ])
        pipeline.decoding.strategy = strategy
        pipeline.decoding.guard = guardian
        return pipeline
    }

    /// A clip's visual tokens (64, D), different for every number.
    private func question(_ clip: Int, _ pipeline: Pipeline, task: Int = 0) -> ClipQuestion<Tensor>
    {
        let width = bundle.configuration.vision.width
        let values = (0..<64 * width).map { Float(sin(Double($0 * (clip + 1)) * 0.37)) }
        return ClipQuestion(
            tokens: Tensor(values, shape: [64, width]), framesDigest: "sha256:\(clip)",
            task: pipeline.tasks[task])
    }

    private func answers(_ pipeline: Pipeline, _ clips: [Int]) throws -> [ClipAnswer] {
        // No clip is decoded here.
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: pipeline, decoders: DecoderPool(capacity: 1)
        ).annotator
        return try annotator.answer(clips.map { question($0, pipeline) }).map {
            var answer = try $0.get()
            answer.generateMilliseconds = 0
            return answer
        }
    }

    private static let strategies: [Decoding.Strategy] = [
        .greedy, .beam(width: 3), .sample(temperature: 0.05, topP: 1, seed: 3),
    ]

    private func text(_ answer: ClipAnswer) -> String {
        Prompt.answer(in: answer.raw, task: .caption)
    }

    @Test("without retries a loop ends the answer and the record says so", arguments: strategies)
    func loopIsCut(strategy: Decoding.Strategy) throws {
        var once = AnswerGuard()
        once.attempts = 1
        let plain = try answers(pipeline(strategy, nil), [0, 1])
        let guarded = try answers(pipeline(strategy, once), [0, 1])
        for (plain, guarded) in zip(plain, guarded) {
            #expect(plain.finish == .length && plain.tokens == 90 && plain.flags == [])
            #expect(plain.attempts == 1 && guarded.attempts == 1)
            guard guarded.finish == .guard else {
                #expect(guarded == plain)
                continue
            }
            #expect(guarded.tokens < 90)
            if guarded.flags == [] {
                #expect(text(plain).hasPrefix(text(guarded)), "nothing of the answer is lost")
            }
        }
        let flagged = guarded.filter { $0.flags == [.repeatGuard] }
        #expect(flagged.allSatisfy { $0.finish == .guard && $0.score.compressionRatio <= 2.4 })
        #expect(!flagged.isEmpty)
    }

    @Test("a retry says something else and the record counts the attempts", arguments: strategies)
    func retried(strategy: Decoding.Strategy) throws {
        var once = AnswerGuard()
        once.attempts = 1
        let first = try answers(pipeline(strategy, once), [0, 1])
        let last = try answers(pipeline(strategy, AnswerGuard()), [0, 1])
        for (first, last) in zip(first, last) {
            #expect((last.attempts > 1) == (first.flags == [.repeatGuard]))
            if last.flags == [.repeatGuard] { #expect(last.attempts == 4 && last.finish == .guard) }
            if last.attempts == 1 { #expect(last == first) }
        }
        #expect(last.contains { $0.attempts > 1 })
    }

    @Test("answers do not depend on what is asked together or in which order")
    func orderDoesNotMatter() throws {
        // A guard so strict that clips walk far down the ladder.
        var strict = AnswerGuard()
        strict.repetition = RepetitionGuard(longestPeriod: 1, minimumTokens: 3)
        strict.compressionRatio = nil
        strict.attempts = 7
        let pipeline = pipeline(.greedy, strict, tokens: 40)
        let together = try answers(pipeline, [0, 1, 2])
        #expect(together.allSatisfy { $0.attempts > 2 })
        #expect(Set(together.map(\.raw)).count == 3)
        #expect(try answers(pipeline, [2, 0, 1]) == [together[2], together[0], together[1]])
        for clip in 0..<3 { #expect(try answers(pipeline, [clip]) == [together[clip]]) }
    }

    @Test("a guard that does not fire changes nothing", arguments: strategies)
    func silentGuard(strategy: Decoding.Strategy) throws {
        let plain = try answers(pipeline(strategy, nil, tokens: 8), [0, 1])
        #expect(try answers(pipeline(strategy, AnswerGuard(), tokens: 8), [0, 1]) == plain)
    }

    @Test(
        "an answer that is only improbable ended as it ended and is not said to go round in circles"
    )
    func improbable() throws {
        var strict = AnswerGuard()
        (strict.repetition, strict.compressionRatio) = (nil, nil)
        strict.meanLogProbability = 0
        for answer in try answers(pipeline(.greedy, strict, tokens: 8), [0, 1]) {
            #expect(answer.attempts == 4 && answer.flags == [])
            #expect(answer.finish == .length || answer.finish == .eos)
        }
    }

    @Test("choices are not guarded, and have a compression ratio, too")
    func choices() throws {
        var strict = AnswerGuard()
        strict.compressionRatio = 0.1
        strict.meanLogProbability = 0
        let pipeline = pipeline(.greedy, strict)
        // No clip is decoded here.
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: pipeline, decoders: DecoderPool(capacity: 1)
        ).annotator
        let answer = try annotator.answer([question(0, pipeline, task: 1)])[0].get()
        #expect(answer.finish == .none && answer.attempts == 1 && answer.flags == [])
        #expect(answer.score.compressionRatio == CompressionRatio.of(answer.raw.utf8))
    }
}
