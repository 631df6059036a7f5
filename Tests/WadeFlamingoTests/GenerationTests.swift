//! Choosing tokens, and the temporal embeddings of clips of other lengths.
import Foundation
import Testing
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

@Suite("Generation")
struct GenerationTests {
    private func constraints(forbidden: [[Int]] = [], noRepeat: Int = 0) -> TokenConstraints {
        TokenConstraints(
            options: DecodingOptions(
                maximumTokens: 5, endTokens: [], forbidden: forbidden, noRepeatNGram: noRepeat))
    }

    @Test("no n-gram comes twice, the prompt included")
    func noRepeatNGrams() {
        #expect(constraints(noRepeat: 3).banned(after: [1, 2]).isEmpty)
        #expect(constraints(noRepeat: 3).banned(after: [1, 2, 3, 1, 2]) == [3])
        #expect(constraints(noRepeat: 2).banned(after: [1, 2, 1, 3, 1]) == [2, 3])
        #expect(constraints(noRepeat: 1).banned(after: [4, 5]) == [4, 5])
        #expect(constraints().banned(after: [4, 4, 4]).isEmpty)
    }

    @Test("a forbidden sequence is stopped at its last token, a single one always")
    func forbiddenSequences() {
        let rules = constraints(forbidden: [[7], [1, 2, 3]])
        #expect(rules.banned(after: []) == [7])
        #expect(rules.banned(after: [2]) == [7])
        #expect(rules.banned(after: [9, 1, 2]) == [7, 3])
    }

    @Test("requests that no answer can satisfy are refused")
    func badRequests() {
        var options = DecodingOptions(maximumTokens: -1, endTokens: [])
        #expect(throws: FlamingoError.self) { try options.validate() }
        options = DecodingOptions(maximumTokens: 1, endTokens: [], forbidden: [[-1]])
        #expect(throws: FlamingoError.self) { try options.validate() }
        for strategy: DecodingStrategy in [
            .beam(count: 0, lengthPenalty: 0), .beam(count: 2, lengthPenalty: .nan),
            .sampling(temperature: 0, topK: 0, topP: 1, seed: 1),
            .sampling(temperature: 1, topK: 0, topP: 0, seed: 1),
        ] {
            options = DecodingOptions(strategy: strategy, maximumTokens: 1, endTokens: [])
            #expect(throws: FlamingoError.self) { try options.validate() }
        }
    }

    @Test("the largest values come first, of equals the first place")
    func largestValues() {
        let found = largest(3, of: [1, 5, 5, -.infinity, 7, 5]).map(\.place)
        #expect(found == [4, 1, 2])
        #expect(argmax([2, 9, 9]) == 1)
    }

    @Test("log-probabilities sum to one and keep the logits' distances")
    func logProbabilities() {
        let found = logSoftmax([1, 3, -2])
        #expect(abs(found.reduce(0) { $0 + exp2f($1 * 1.442695) } - 1) < 1e-6)
        #expect(abs((found[1] - found[0]) - 2) < 1e-6)
    }

    @Test("a clip of another length gets temporal embeddings between the trained rows")
    func interpolatedFrames() throws {
        let rows = Tensor((0..<4).flatMap { [Float($0), Float(10 * $0)] }, shape: [4, 2])
        // Eight frames over four trained rows stand at −¼, ¼, ¾, … and are held at the ends.
        let eight = try interpolated(rows, frames: 8)
        #expect(eight.map { $0[0] } == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
        #expect(eight.map { $0[1] } == [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30])
        #expect(try interpolated(rows, frames: 2).map { $0[0] } == [0.5, 2.5])
        #expect(try interpolated(rows, frames: 1).map { $0[0] } == [1.5])
        #expect(try interpolated(rows, frames: 4).map { $0[0] } == [0, 1, 2, 3])
    }

    private func interpolated(_ rows: Tensor, frames: Int) throws -> [[Float]] {
        let found = try TemporalEmbedding(rows: rows, rule: .interpolated).rows(frames: frames)
        return (0..<frames).map { found[$0].values }
    }

    @Test("an indexed embedding has no row for a frame beyond the trained ones")
    func indexedFrames() throws {
        let rows = Tensor([0, 1, 2], shape: [3, 1])
        let embedding = TemporalEmbedding(rows: rows, rule: .indexed)
        #expect(try embedding.rows(frames: 2).values == [0, 1])
        #expect(throws: FlamingoError.tooManyFrames(found: 4, expected: 3)) {
            try embedding.rows(frames: 4)
        }
    }
}
