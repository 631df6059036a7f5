//! A vocabulary by its bytes, so that all tokens that may come next are found in one walk.

/// The tokens of a vocabulary in a tree of their bytes, laid out in the order of a depth-first walk.
package struct TokenTrie: Sendable {
    /// The last byte of a node, and how many come before it.
    private var bytes: [UInt8] = []
    private var depths: [Int] = []
    /// Where the nodes below a node end.
    private var ends: [Int] = []
    /// Where the ids of the tokens that end in a node begin; they end where those of the next node begin.
    private var firstIDs: [Int] = []
    private var ids: [Int32] = []
    /// The children of the root, by byte; -1 where there is none.
    private var roots = [Int](repeating: -1, count: 256)
    private var deepest = 0
    /// The bytes of every token, by id; none for ids that say nothing.
    private var texts: [[UInt8]] = []

    /// The number of nodes.
    package var count: Int { bytes.count }

    /// The tree of `tokens`; those without bytes are left out, and several may have the same bytes.
    package init(_ tokens: [(id: Int, bytes: [UInt8])]) {
        let tokens = tokens.filter { $0.id >= 0 && !$0.bytes.isEmpty }.sorted { one, other in
            one.bytes == other.bytes
                ? one.id < other.id : one.bytes.lexicographicallyPrecedes(other.bytes)
        }
        texts = [[UInt8]](repeating: [], count: (tokens.map(\.id).max() ?? -1) + 1)
        var path: [Int] = []
        var previous: [UInt8] = []
        for token in tokens {
            let shared = zip(previous, token.bytes).prefix { $0 == $1 }.count
            while path.count > shared { ends[path.removeLast()] = bytes.count }
            for depth in shared..<token.bytes.count {
                if depth == 0 { roots[Int(token.bytes[0])] = bytes.count }
                path.append(bytes.count)
                bytes.append(token.bytes[depth])
                depths.append(depth)
                ends.append(0)
                firstIDs.append(ids.count)
            }
            ids.append(Int32(token.id))
            texts[token.id] = token.bytes
            previous = token.bytes
            deepest = max(deepest, token.bytes.count)
        }
        while let open = path.popLast() { ends[open] = bytes.count }
        firstIDs.append(ids.count)
    }

    /// The bytes of token `id`; none when it says nothing.
    func bytes(of id: Int) -> [UInt8] { texts.indices.contains(id) ? texts[id] : [] }

    /// Visits every token that `automaton` can take in `state`, with the state after it.
    func walk(_ automaton: ByteAutomaton, from state: Int32, visit: (Int32, Int32) -> Void) {
        var states = [Int32](repeating: state, count: deepest + 1)
        var node = 0
        while node < bytes.count {
            let next = automaton.next(states[depths[node]], bytes[node])
            guard next != ByteAutomaton.nowhere else {
                node = ends[node]
                continue
            }
            states[depths[node] + 1] = next
            for place in firstIDs[node]..<firstIDs[node + 1] { visit(ids[place], next) }
            node += 1
        }
    }

    /// Visits the length of every token that the bytes of `next` begin with, shortest first, until `next` has no more.
    func walk(_ next: () -> UInt8?, visit: (Int) -> Void) {
        guard let first = next() else { return }
        var node = roots[Int(first)]
        while node >= 0 {
            if firstIDs[node] < firstIDs[node + 1] { visit(depths[node] + 1) }
            guard let byte = next() else { return }
            let end = ends[node]
            node += 1
            while node < end, bytes[node] != byte { node = ends[node] }
            if node >= end { return }
        }
    }

    /// The fewest tokens that spell `bytes`; nil when none do.
    package func fewestTokens(_ bytes: [UInt8]) -> Int? {
        var counts = [Int?](repeating: nil, count: bytes.count + 1)
        counts[bytes.count] = 0
        for start in bytes.indices.reversed() {
            var place = start
            walk(
                {
                    guard place < bytes.count else { return nil }
                    place += 1
                    return bytes[place - 1]
                },
                visit: { length in
                    guard let rest = counts[start + length] else { return }
                    counts[start] = min(counts[start] ?? .max, rest + 1)
                })
        }
        return counts[0]
    }
}
