//! What counts as a loop and what does not, and what is tried after one.
import Testing

@testable import WadeFlamingo

@Suite("Repetition guard")
struct RepetitionGuardTests {
    private let guardian = RepetitionGuard()

    private func copies(_ ngram: [Int], _ count: Int) -> [Int] {
        (0..<count).flatMap { _ in ngram }
    }

    @Test(
        "what people do write is no loop",
        arguments: [
            [], [1], [1, 1, 1],  // no no no
            Array(repeating: 5, count: 11),  // one, and ten zeros
            [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2],  // left, right, left, right, left, right,
            [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4],  // a red car, a red car, a red car,
            [1, 2, 9, 1, 3, 9, 1, 4, 9, 1, 5, 9, 1, 6, 9, 1, 7, 9, 1, 8, 9],  // a list
            Array(0..<200),  // counting
            Array(0..<12) + Array(0..<12),  // a refrain
            Array(repeating: [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 9], count: 2).flatMap { $0 },
        ])
    func legitimate(ids: [Int]) {
        #expect(guardian.firstLoop(in: ids) == nil)
    }

    @Test("a loop of any period is seen within the stated number of tokens, whatever came before")
    func seenInTime() throws {
        #expect(guardian.longestLoop == 48)
        for period in 1...16 {
            let prefix = [901, 902, 903]
            let endless: [Int] = prefix + copies(Array(100..<100 + period), 100)
            let seen = try #require(
                (1...endless.count).first {
                    guardian.loop(atEndOf: Array(endless.prefix($0))) != nil
                })
            #expect(seen - prefix.count == guardian.length(ofPeriod: period))
            #expect(seen - prefix.count <= guardian.longestLoop)
            let loop = try #require(guardian.firstLoop(in: endless))
            #expect(loop == RepetitionGuard.Loop(start: 3, period: period))
            #expect(loop.keptCount == 3 + period)
        }
        #expect(guardian.firstLoop(in: copies(Array(0..<17), 20)) == nil)
    }

    @Test(
        "what is kept ends with the first copy, also when the loop begins in the middle of a phrase"
    )
    func firstCopy() {
        // "a dog and a cat and a cat and a cat and a cat ..."
        let (a, dog, cat, and) = (1, 2, 3, 4)
        let ids: [Int] = [a, dog] + copies([and, a, cat], 4)
        let loop = guardian.loop(atEndOf: ids)
        #expect(loop?.keptCount == 5)
        #expect(loop.map { Array(ids.prefix($0.keptCount)) } == [a, dog, and, a, cat])
    }

    @Test("a loop that is over does not count at the end, but is found in the whole")
    func brokenLoop() {
        let ids: [Int] = copies([1, 2], 6) + [3]
        #expect(guardian.loop(atEndOf: ids) == nil)
        #expect(guardian.firstLoop(in: ids)?.keptCount == 2)
    }

    @Test("bounds can be set, and those that make no sense are refused")
    func bounds() throws {
        let strict = RepetitionGuard(longestPeriod: 2, minimumTokens: 4)
        #expect(strict.loop(atEndOf: [7, 7, 7, 7])?.keptCount == 1)
        #expect(strict.loop(atEndOf: copies([1, 2, 3], 9)) == nil)
        for bad in [
            RepetitionGuard(longestPeriod: 0), RepetitionGuard(minimumTokens: 1),
            RepetitionGuard(longestPeriod: 4096),
        ] {
            let options = DecodingOptions(maximumTokens: 1, endTokens: [], repetition: bad)
            #expect(throws: FlamingoError.self) { try options.validate() }
        }
    }

    @Test("under the ladder's constraint no loop of any period can form")
    func constraintEndsLoops() {
        let constraints = TokenConstraints(
            options: RetryLadder(DecodingOptions(maximumTokens: 99, endTokens: []), seed: 0)
                .options(ofAttempt: 2))
        for period in 1...16 {
            var ids: [Int] = [500, 501, 500, 501, 500, 501]
            let start = ids.count
            // Whoever wants to loop is stopped before the guard would see it.
            for step in 0... {
                let next = 100 + step % period
                guard !constraints.banned(after: ids, answerStart: start).contains(next) else {
                    break
                }
                ids.append(next)
            }
            #expect(ids.count - start < guardian.length(ofPeriod: period), "period \(period)")
        }
    }

    @Test("the prompt's own repetitions are not held against the answer")
    func promptIsFree() {
        var options = DecodingOptions(maximumTokens: 9, endTokens: [])
        options.noRepeatNGramInAnswer = 2
        let constraints = TokenConstraints(options: options)
        #expect(constraints.banned(after: [1, 2, 1, 2, 1], answerStart: 4).isEmpty)
        #expect(constraints.banned(after: [8, 1, 2, 1], answerStart: 1) == [2])
    }

    @Test("the ladder's steps are whisper's temperatures with seeds of the clip's own")
    func ladder() throws {
        let first = DecodingOptions(
            strategy: .beam(count: 3, lengthPenalty: 0), maximumTokens: 9, endTokens: [1])
        let ladder = RetryLadder(first, seed: 17)
        #expect(ladder.options(ofAttempt: 1) == first)
        #expect(ladder.options(ofAttempt: 2).strategy == first.strategy)
        var seeds: Set<UInt64> = []
        for (position, expected) in zip(3...7, [0.2, 0.4, 0.6, 0.8, 1.0]) {
            let options = ladder.options(ofAttempt: position)
            #expect(options == RetryLadder(first, seed: 17).options(ofAttempt: position))
            #expect(options.noRepeatNGramInAnswer == 4 && options.maximumTokens == 9)
            guard case .sampling(let temperature, 0, 1, let seed) = options.strategy else {
                Issue.record("attempt \(position): \(options.strategy)")
                continue
            }
            #expect(abs(temperature - expected) < 1e-12)
            seeds.insert(seed)
        }
        #expect(seeds.count == 5)
        #expect(ladder.options(ofAttempt: 3) != RetryLadder(first, seed: 18).options(ofAttempt: 3))
        for position in 1...7 { try ladder.options(ofAttempt: position).validate() }
    }
}
