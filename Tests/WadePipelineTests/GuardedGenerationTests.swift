//! Facts about judging answers and trying again, with a model that says what it is told.
import Testing

@testable import WadeFlamingo
@testable import WadePipeline

@Suite("guarded generation")
struct GuardedGenerationTests {
    /// A word for every id; "Output" is where a caption ends.
    private static let words = ["a ", "dog ", "runs ", "cat ", "Output", "and "]

    private static func text(_ ids: [Int]) -> String {
        Prompt.answer(in: ids.map { words[$0] }.joined(), task: .caption)
    }

    /// Lets attempt number n say `script[n]`, the last one for all further ones, as the generator would: token by token under the
    /// guard of its options; beam search does not ask whether to go on.
    private func outcome(
        _ guardian: AnswerGuard, _ script: [(ids: [Int], logProbability: Float)],
        asksWhetherToGoOn: Bool = true
    ) throws -> GuardedGeneration.Outcome {
        var attempt = -1
        let generate = { (options: DecodingOptions, goOn: ([Int]) -> Bool) -> Generated in
            attempt += 1
            let (ids, logProbability) = script[min(attempt, script.count - 1)]
            var generated = Generated(ids: [], logProbabilities: [], finish: .length)
            for id in ids {
                generated.ids.append(id)
                generated.logProbabilities.append(logProbability)
                guard !asksWhetherToGoOn || goOn(generated.ids) else {
                    generated.finish = .stopped
                    break
                }
                if let loop = options.repetition?.loop(atEndOf: generated.ids) {
                    generated.finish = .repetition
                    generated.loop = loop
                    break
                }
            }
            return generated
        }
        var guarded = GuardedGeneration(
            guardian: guardian, keepsWhole: false, text: Self.text,
            options: DecodingOptions(maximumTokens: 500, endTokens: []), seed: 1)
        while true {
            let generated = generate(guarded.options) { guarded.goesOn($0) }
            if let outcome = try guarded.take(generated) { return outcome }
        }
    }

    private let loop = [0, 1, 2] + [Int](repeating: 3, count: 100)
    private let sentence = [0, 1, 2, 5, 0, 3, 2]

    @Test("an answer that passes is taken as it is, at the first attempt")
    func passes() throws {
        let outcome = try outcome(AnswerGuard(), [(sentence, -0.5)])
        #expect(outcome.generated.ids == sentence && outcome.generated.finish == .length)
        #expect(outcome.attempts == 1 && !outcome.isDegenerate)
    }

    @Test("the first attempt that passes is the answer")
    func firstGoodAttempt() throws {
        let outcome = try outcome(
            AnswerGuard(), [(loop, -0.1), (loop, -0.1), (sentence, -2), (sentence, -1)])
        #expect(outcome.generated.ids == sentence && outcome.attempts == 3)
        #expect(!outcome.isDegenerate)
    }

    @Test(
        "when none passes, the one that says most is kept up to its first copy, of equals the first"
    )
    func bestOfBad() throws {
        let short = [0] + [Int](repeating: 1, count: 100)
        let best = try outcome(
            AnswerGuard(), [(short, -0.1), (loop, -0.9), (loop, -0.2), (short, -0.1)])
        #expect(best.generated.ids == [0, 1, 2, 3] && best.attempts == 4)
        #expect(best.fault == .repetitive && best.generated.finish == .repetition)
        #expect(best.generated.logProbabilities == [Float](repeating: -0.9, count: 4))
        var once = AnswerGuard()
        once.attempts = 1
        let only = try outcome(once, [(short, -0.9), (sentence, -0.1)])
        #expect(only.generated.ids == [0, 1] && only.attempts == 1 && only.isDegenerate)
    }

    @Test("what is left of a loop is cut further when it still compresses too well")
    func cutTwice() throws {
        var once = AnswerGuard()
        once.attempts = 1
        // Five copies of 20 tokens, too long for an n-gram loop, before one.
        let long = [0, 1, 2, 3, 5, 1, 0, 2, 3, 3, 5, 5, 0, 0, 1, 1, 2, 2, 5, 3]
        let ids: [Int] = (0..<5).flatMap { _ in long } + [Int](repeating: 1, count: 50)
        let outcome = try outcome(once, [(ids, -0.1)], asksWhetherToGoOn: false)
        #expect(outcome.isDegenerate && outcome.generated.finish == .repetition)
        let kept = outcome.generated.ids.count
        #expect(CompressionRatio.ofEnd(of: Self.text(Array(ids.prefix(kept)))) <= 2.4)
        #expect(CompressionRatio.ofEnd(of: Self.text(Array(ids.prefix(kept + 1)))) > 2.4)
        #expect(kept > 20 && kept < 100)
    }

    @Test(
        "a loop behind the end of the answer takes nothing from it, so it is no reason to try again"
    )
    func harmlessLoop() throws {
        // "a dog Output a dog Output a dog Output ..."
        let ids = (0..<50).flatMap { _ in [0, 1, 4] }
        let outcome = try outcome(AnswerGuard(), [(ids, -0.1), (sentence, -0.1)])
        #expect(outcome.attempts == 1 && !outcome.isDegenerate)
        #expect(Self.text(outcome.generated.ids) == "a dog" && outcome.generated.ids == [0, 1, 4])
        #expect(outcome.generated.finish == .repetition)
    }

    @Test("a text that compresses too well ends within 16 tokens and is cut where it begins to")
    func compression() throws {
        var guardian = AnswerGuard()
        guardian.repetition = nil
        // "a dog runs cat", with now and then an "and": no n-gram loop.
        let ids = (0..<300).flatMap { $0.isMultiple(of: 3) ? [0, 1, 2, 3, 5] : [0, 1, 2, 3] }
        let outcome = try outcome(guardian, [(ids, -0.1)])
        #expect(outcome.isDegenerate && outcome.attempts == 4)
        let kept = outcome.generated.ids.count
        #expect(CompressionRatio.ofEnd(of: Self.text(Array(ids.prefix(kept)))) <= 2.4)
        #expect(CompressionRatio.ofEnd(of: Self.text(Array(ids.prefix(kept + 1)))) > 2.4)
        #expect(kept < 48)
        guardian.compressionRatio = nil
        let free = try self.outcome(guardian, [(ids, -0.1)])
        #expect(free.generated.ids == ids && !free.isDegenerate && free.attempts == 1)
    }

    @Test("an improbable answer is tried again only when asked for, and never cut")
    func improbable() throws {
        var guardian = AnswerGuard()
        let plain = try outcome(guardian, [(sentence, -5)])
        #expect(plain.attempts == 1 && !plain.isDegenerate)
        guardian.meanLogProbability = -1
        let retried = try outcome(guardian, [(sentence, -5), ([0, 1], -0.5)])
        #expect(retried.generated.ids == [0, 1] && retried.attempts == 2)
        let none = try outcome(guardian, [(loop, -0.1), (sentence, -5), (sentence, -4)])
        #expect(none.generated.ids == sentence && none.fault == .improbable)
        #expect(none.attempts == 4 && none.generated.finish == .length)
        #expect(none.generated.logProbabilities == [Float](repeating: -4, count: 7))
    }

    @Test(
        "the compression ratio is whisper's: len(utf8) / len(zlib.compress(utf8))",
        arguments: [
            ("", 0.0, 8.0), ("A dog runs on a beach.", 22, 30), ("no no no", 8, 13),
            (String(repeating: "a dog ", count: 12), 72, 17),
            ("Ein Mädchen läuft über die Straße – 犬が走る", 54, 65),
            (String(repeating: "ha", count: 600), 1200, 19),
        ])
    func ratio(text: String, bytes: Double, compressed: Double) {
        #expect(CompressionRatio.of(text.utf8) == bytes / compressed)
    }

    @Test(
        "short and ordinary answers keep far from the threshold",
        arguments: [
            "no", "yes yes yes", "ha ha ha ha ha ha ha", "left, right, left, right, left, right",
            "A red car, a blue car, a green car, a white car and a black car stand in a row.",
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
            "A man in a white shirt talks to a man in a black shirt while a man in a red shirt looks on.",
        ])
    func ordinary(text: String) {
        #expect(CompressionRatio.ofEnd(of: text) < 1.9, "\(CompressionRatio.of(text.utf8))")
    }
}
