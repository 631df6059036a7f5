//! Which tokens may come next, so that an answer fits its form whenever it ends.

internal import Synchronization

/// A pattern in the words of one vocabulary.
///
/// Note [Closing in time]: every state of the pattern's automaton has a cost: tokens to an end, or more than that, such that some
/// token leads to a state of lower cost. A token is allowed when the cost of the state after it does not exceed the tokens that are
/// left. So there is always one that is allowed, and when none is left the answer is at an end. Where the automaton and the
/// vocabulary are small enough to look at every token in every state, costs are exact. Else they belong to the shortest text from the
/// state to an end, cut into as few tokens as can be; that is an upper bound, so an answer may be closed a little early.
package final class TokenGrammar: Sendable {
    private let automaton: ByteAutomaton
    private let trie: TokenTrie
    /// Tokens from a state to an end, by state.
    private let costs: [Int32]
    private let masks = Mutex(Masks())

    /// Where an answer stands.
    typealias Place = Int32

    /// Where answers begin.
    static let start = ByteAutomaton.start

    /// What may come next in a state: the tokens, ascending, and the cost of the state after each.
    private struct Mask {
        var ids: [Int32] = []
        var costs: [Int32] = []
        var highestCost: Int32 = 0
    }

    private struct Masks {
        var byPlace: [Int32: Mask] = [:]
        /// Tokens in all of them.
        var count = 0
    }

    /// Looking at every token in every state must stay a matter of a second.
    private static let mostExactSteps = 40_000_000
    /// Tokens that masks may have together, 64 MB; when there are more, masks are made anew.
    private static let mostMaskedTokens = 8_000_000
    private static let never = Int32.max

    /// The grammar of `pattern` for the tokens of `trie`; throws `request` when the pattern is too large, fits no text, or fits none
    /// that the tokens can spell.
    package convenience init(_ pattern: BytePattern, _ trie: TokenTrie) throws {
        try self.init(pattern, trie, mostExactSteps: Self.mostExactSteps)
    }

    /// The same, where every token is looked at in every state if that takes at most `mostExactSteps`.
    init(_ pattern: BytePattern, _ trie: TokenTrie, mostExactSteps: Int) throws {
        automaton = try ByteAutomaton(pattern)
        self.trie = trie
        guard !automaton.isEmpty else {
            throw FlamingoError.request(
                found: "a form that no answer can have", expected: "one that some answer has")
        }
        let isExact = automaton.count * trie.count <= mostExactSteps
        costs =
            isExact ? Self.exactCosts(automaton, trie) : Self.costsOfShortestTexts(automaton, trie)
        guard costs[Int(Self.start)] != Self.never else {
            throw FlamingoError.request(
                found: "a form that the tokens of this model cannot spell"
                    + (isExact ? "" : " or that is too large to find out"),
                expected: "one that they can")
        }
    }

    /// Tokens of the shortest answer, without the token that ends it; an upper bound for large forms.
    package var shortestAnswer: Int { Int(costs[Int(Self.start)]) }

    /// Tokens from `place` to an end.
    func cost(_ place: Place) -> Int { Int(costs[Int(place)]) }

    /// Whether an answer may end at `place`.
    func isEnd(_ place: Place) -> Bool { automaton.isEnd[Int(place)] }

    /// Where an answer stands after token `id` at `place`; nil when it may not come there.
    func advance(_ place: Place, by id: Int) -> Place? {
        let bytes = trie.bytes(of: id)
        guard !bytes.isEmpty else { return nil }
        let next = automaton.next(place, bytes)
        return next == ByteAutomaton.nowhere ? nil : next
    }

    /// Puts -∞ in the place of every score whose token may not come at `place` when `remaining` tokens are left (at least 1).
    /// `endTokens` may come where an answer may end. Of what is left, `banned` tokens fall away, too, unless nothing else is left.
    func restrict(
        _ scores: inout [Float], at place: Place, remaining: Int, endTokens: Set<Int>,
        banned: Set<Int>
    ) {
        var kept = [Float](repeating: -.infinity, count: scores.count)
        var count = 0
        func keep(_ id: Int) {
            guard id < scores.count else { return }
            kept[id] = scores[id]
            count += 1
        }
        let mask = mask(place)
        if Int(mask.highestCost) < remaining {
            for id in mask.ids { keep(Int(id)) }
        } else {
            for (id, cost) in zip(mask.ids, mask.costs) where Int(cost) < remaining {
                keep(Int(id))
            }
        }
        if isEnd(place) {
            for id in endTokens { keep(id) }
        }
        let falling = banned.filter { $0 < kept.count && kept[$0] > -.infinity }
        if falling.count < count {
            for id in falling { kept[id] = -.infinity }
        }
        scores = kept
    }

    private func mask(_ place: Place) -> Mask {
        masks.withLock { masks in
            if let known = masks.byPlace[place] { return known }
            var mask = Mask()
            trie.walk(automaton, from: place) { id, next in
                let cost = costs[Int(next)]
                guard cost != Self.never else { return }
                mask.ids.append(id)
                mask.costs.append(cost)
                mask.highestCost = max(mask.highestCost, cost)
            }
            if masks.count + mask.ids.count > Self.mostMaskedTokens { masks = Masks() }
            masks.byPlace[place] = mask
            masks.count += mask.ids.count
            return mask
        }
    }

    // MARK: - Costs

    /// By breadth-first search from the ends over what every token does in every state.
    private static func exactCosts(_ automaton: ByteAutomaton, _ trie: TokenTrie) -> [Int32] {
        var sources = [[Int32]](repeating: [], count: automaton.count)
        for state in 0..<Int32(automaton.count) where automaton.distances[Int(state)] != .max {
            trie.walk(automaton, from: state) { _, next in
                if sources[Int(next)].last != state { sources[Int(next)].append(state) }
            }
        }
        var costs = [Int32](repeating: never, count: automaton.count)
        var queue = (0..<Int32(automaton.count)).filter { automaton.isEnd[Int($0)] }
        for state in queue { costs[Int(state)] = 0 }
        var place = 0
        while place < queue.count {
            let next = Int(queue[place])
            for source in sources[next] where costs[Int(source)] == never {
                costs[Int(source)] = costs[next] + 1
                queue.append(source)
            }
            place += 1
        }
        return costs
    }

    /// The fewest tokens that spell the shortest text from each state to an end; of equally short texts the first by bytes.
    private static func costsOfShortestTexts(_ automaton: ByteAutomaton, _ trie: TokenTrie)
        -> [Int32]
    {
        var costs = [Int32](repeating: never, count: automaton.count)
        let order = (0..<automaton.count).filter { automaton.distances[$0] != .max }
            .sorted { automaton.distances[$0] < automaton.distances[$1] }
        for state in order {
            guard !automaton.isEnd[state] else {
                costs[state] = 0
                continue
            }
            // The states along the shortest text: it is the rest of the shortest text of the state before, so costs carry over.
            var here = Int32(state)
            var passed: [Int32] = []
            trie.walk(
                {
                    guard !automaton.isEnd[Int(here)] else { return nil }
                    let byte = automaton.nearing[Int(here)]
                    here = automaton.next(here, byte)
                    passed.append(here)
                    return byte
                },
                visit: { length in
                    let rest = costs[Int(passed[length - 1])]
                    if rest != never { costs[state] = min(costs[state], rest + 1) }
                })
        }
        return costs
    }
}
