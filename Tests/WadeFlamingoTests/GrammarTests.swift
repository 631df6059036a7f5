//! Facts about answers that are kept in a form: automata against a naive matcher, masks against trying every token.
import Testing

@testable import WadeFlamingo

/// The bytes that `pattern` takes from the start of `text`, all ways: the definition, by trying.
private func ends(_ pattern: BytePattern, _ text: [UInt8], from start: Int) -> Set<Int> {
    switch pattern {
    case .bytes(let bytes):
        return text[start...].starts(with: bytes) ? [start + bytes.count] : []
    case .oneOf(let ranges):
        guard start < text.count, ranges.contains(where: { $0.contains(text[start]) }) else {
            return []
        }
        return [start + 1]
    case .sequence(let parts):
        return parts.reduce([start]) { places, part in
            Set(places.flatMap { ends(part, text, from: $0) })
        }
    case .choice(let parts): return Set(parts.flatMap { ends($0, text, from: start) })
    case .repeated(let part, let least, let most):
        var (reached, found) = (Set([start]), Set<Int>())
        var count = 0
        while !reached.isEmpty, count <= most ?? least + text.count {
            if count >= least { found.formUnion(reached) }
            reached = Set(reached.flatMap { ends(part, text, from: $0) })
            count += 1
        }
        return found
    }
}

@Suite("answers in a form")
struct GrammarTests {
    private func pattern(_ random: inout SplitMix64, depth: Int) -> BytePattern {
        func number(_ most: UInt64) -> Int { Int(random.next() % (most + 1)) }
        func parts() -> [BytePattern] {
            (0..<number(2) + 1).map { _ in pattern(&random, depth: depth - 1) }
        }
        switch depth == 0 ? number(1) : number(5) {
        case 0: return .bytes((0..<number(2)).map { _ in UInt8(97 + number(2)) })
        case 1: return .oneOf([UInt8(97 + number(1))...UInt8(98 + number(1))])
        case 2: return .sequence(parts())
        case 3: return .choice(number(9) == 0 ? [] : parts())
        case 4: return .repeated(pattern(&random, depth: depth - 1), least: number(1), most: nil)
        default:
            let least = number(2)
            return .repeated(
                pattern(&random, depth: depth - 1), least: least, most: least + number(2))
        }
    }

    /// All texts of up to five letters out of three.
    private static let texts: [[UInt8]] = (0...5).flatMap { length in
        (0..<Int(pow(3, length))).map { number in
            var rest = number
            return (0..<length).map { _ in
                defer { rest /= 3 }
                return UInt8(97 + rest % 3)
            }
        }
    }

    private static func pow(_ base: Int, _ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { product, _ in product * Double(base) }
    }

    @Test(
        "an automaton takes the texts that its pattern takes, and is never in a state without a way out"
    )
    func automata() throws {
        var random = SplitMix64(seed: 1)
        var (taken, empty) = (0, 0)
        for _ in 0..<150 {
            let pattern = pattern(&random, depth: 3)
            let automaton = try ByteAutomaton(pattern)
            if automaton.isEmpty { empty += 1 }
            var wrong: [[UInt8]] = []
            for text in Self.texts.filter({ _ in random.next() % 4 == 0 }) {
                let state = automaton.next(ByteAutomaton.start, text)
                let isTaken = state >= 0 && automaton.isEnd[Int(state)] && !automaton.isEmpty
                let isRight = isTaken == ends(pattern, text, from: 0).contains(text.count)
                let hasWayOut = state <= 0 || automaton.distances[Int(state)] < .max
                if !isRight || !hasWayOut { wrong.append(text) }
                if isTaken { taken += 1 }
            }
            #expect(wrong.isEmpty, "\(pattern) over \(wrong.prefix(3))")
        }
        #expect(taken > 500 && empty > 0, "the patterns are neither all empty nor all full")
    }

    private static let words = [
        "a", "b", "c", "ab", "abc", "bca", "cc", "aab", "caca", "bb", "abcabc", "a",
    ].enumerated().map { ($0 + 3, Array($1.utf8)) }

    @Test(
        "the masks hold exactly the tokens after which an answer can still be closed, whatever the costs are made of"
    )
    func masks() throws {
        var random = SplitMix64(seed: 2)
        let trie = TokenTrie(Self.words)
        #expect(trie.fewestTokens(Array("abcabcbca".utf8)) == 2)
        #expect(trie.fewestTokens(Array("abx".utf8)) == nil && trie.fewestTokens([]) == 0)
        var bounded = 0
        for _ in 0..<120 {
            let pattern = pattern(&random, depth: 3)
            guard let exact = try? TokenGrammar(pattern, trie) else { continue }
            let bound = try TokenGrammar(pattern, trie, mostExactSteps: 0)
            #expect(exact.shortestAnswer <= bound.shortestAnswer)
            if exact.shortestAnswer < bound.shortestAnswer { bounded += 1 }
            #expect(exact.shortestAnswer == shortest(pattern))
            for grammar in [exact, bound] {
                for extra in [0, 1, 7] {
                    try write(grammar, budget: grammar.shortestAnswer + extra, pattern, &random)
                }
            }
        }
        #expect(bounded > 0, "the bound is sometimes one")
    }

    /// The fewest tokens of a text that `pattern` takes, by trying all texts of up to three tokens; the bound itself beyond that.
    private func shortest(_ pattern: BytePattern) -> Int {
        var texts: [[UInt8]] = [[]]
        for count in 0...3 {
            if texts.contains(where: { ends(pattern, $0, from: 0).contains($0.count) }) {
                return count
            }
            texts = texts.flatMap { text in Self.words.map { text + $0.1 } }
        }
        return (try? TokenGrammar(pattern, TokenTrie(Self.words)).shortestAnswer) ?? -1
    }

    /// Writes an answer by random scores and checks every step.
    private func write(
        _ grammar: TokenGrammar, budget: Int, _ pattern: BytePattern, _ random: inout SplitMix64
    ) throws {
        var place = TokenGrammar.start
        var text: [UInt8] = []
        var ended = false
        for remaining in stride(from: budget, to: 0, by: -1) {
            var scores = (0..<15).map { _ in Float(random.next() % 1000) }
            // Token 1 ends answers; tokens 0 and 2 are no words.
            grammar.restrict(
                &scores, at: place, remaining: remaining, endTokens: [1], banned: [0, 4])
            #expect(scores[0] == -.infinity && scores[2] == -.infinity)
            #expect((scores[1] > -.infinity) == grammar.isEnd(place))
            let chosen = argmax(scores)
            #expect(scores[chosen] > -.infinity, "something is always allowed")
            if chosen == 1 {
                ended = true
                break
            }
            place = try #require(grammar.advance(place, by: chosen))
            #expect(grammar.cost(place) < remaining)
            text += Self.words[chosen - 3].1
        }
        #expect(ended || grammar.isEnd(place))
        #expect(ends(pattern, text, from: 0).contains(text.count))
    }

    @Test("a ban falls when nothing else is left")
    func bans() throws {
        let grammar = try TokenGrammar(.text("b"), TokenTrie(Self.words))
        var scores = [Float](repeating: 0, count: 15)
        grammar.restrict(&scores, at: 0, remaining: 1, endTokens: [1], banned: [4])
        #expect(scores.indices.filter { scores[$0] > -.infinity } == [4])
    }

    @Test("tokens of the same bytes are both allowed, and those beyond the scores are left out")
    func twins() throws {
        let grammar = try TokenGrammar(.text("a"), TokenTrie(Self.words + [(99, [97])]))
        var scores = [Float](repeating: 0, count: 15)
        grammar.restrict(&scores, at: 0, remaining: 1, endTokens: [], banned: [])
        #expect(scores.indices.filter { scores[$0] > -.infinity } == [3, 14])
    }

    @Test(
        "a form that nothing fits, or that the tokens cannot spell, or that is too large, is refused"
    )
    func refused() {
        let trie = TokenTrie(Self.words)
        let large = BytePattern.repeated(.text("abc"), least: 2_000_000, most: nil)
        for (pattern, found) in [
            (BytePattern.choice([]), "a form that no answer can have"),
            (.sequence([.text("a"), .choice([])]), "a form that no answer can have"),
            (.text("ax"), "a form that the tokens of this model cannot spell"),
            (large, "an answer's form of more than"),
            (.repeated(.bytes([]), least: 1 << 60, most: nil), "an answer's form of more than"),
        ] {
            #expect {
                try TokenGrammar(pattern, trie)
            } throws: {
                "\($0)".contains("found " + found)
            }
        }
    }
}
