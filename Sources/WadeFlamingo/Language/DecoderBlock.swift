//! One frozen block of a language model, and what it keeps of the positions it has seen.

internal import WadeTensor

/// A decoder block: text (T, D) that follows what `past` holds to text (T, D).
protocol DecoderBlock: Sendable {
    func callAsFunction(_ x: Tensor, past: inout LayerPast) -> Tensor
}

/// Keys and values of one layer: those of a shared prefix, never copied, and the sequence's own.
package struct LayerCache: Sendable {
    private let prefixKeys: Tensor?
    private let prefixValues: Tensor?
    private var keys: GrowingRows
    private var values: GrowingRows

    /// Nothing seen yet; keys and values are (T, D).
    init(width: Int) {
        prefixKeys = nil
        prefixValues = nil
        keys = GrowingRows(width: width)
        values = GrowingRows(width: width)
    }

    /// A sequence that goes on where `prefix` ends.
    init(after prefix: LayerCache) {
        precondition(prefix.prefixKeys == nil, "a prefix of a prefix")
        prefixKeys = prefix.keys.tensor
        prefixValues = prefix.values.tensor
        keys = GrowingRows(width: prefix.keys.width)
        values = GrowingRows(width: prefix.values.width)
    }

    /// The number of positions seen so far.
    var length: Int { (prefixKeys?.rows ?? 0) + keys.count }

    /// Forgets the positions from `length` on; those of a prefix stay.
    mutating func truncate(to length: Int) {
        let own = max(0, length - (prefixKeys?.rows ?? 0))
        keys.truncate(to: own)
        values.truncate(to: own)
    }

    /// Appends the keys and values of new positions and attends to all: q, k, v (T, D) to (T, D).
    fileprivate mutating func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ attention: Attention)
        -> Tensor
    {
        let past = length
        keys.append(k)
        values.append(v)
        return attention(
            q, keys: (prefixKeys.map { [$0] } ?? []) + [keys.tensor],
            values: (prefixValues.map { [$0] } ?? []) + [values.tensor],
            mask: .causal(past: past))
    }

    /// Appends the keys and values of the next position, which then sees all.
    fileprivate mutating func append(_ k: Tensor, _ v: Tensor) {
        keys.append(k)
        values.append(v)
    }

    /// What the last position sees; to be let go of before the next `append`.
    fileprivate var seen: SeenKeys {
        var shared: (keys: Tensor, values: Tensor)?
        if let prefixKeys, let prefixValues { shared = (prefixKeys, prefixValues) }
        return SeenKeys(shared: shared, keys: keys.tensor, values: values.tensor)
    }
}

/// One layer's past of the sequences that the rows of a text belong to: the next positions of one sequence, or of several one after
/// the other.
struct LayerPast {
    /// By sequence.
    var caches: [LayerCache]
    /// How many rows are each sequence's.
    let counts: [Int]
    /// Whether a row may depend on how many others there are.
    let rows: Rows

    /// Where each row stands in its sequence.
    var positions: [Int] {
        zip(caches, counts).flatMap { cache, count in cache.length..<cache.length + count }
    }

    /// Appends the keys and values of the rows to their sequences' and attends to what each sees: q, k, v (T, D) to (T, D).
    mutating func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ attention: Attention) -> Tensor {
        var starts = counts.indices.map { counts[..<$0].reduce(0, +) }
        var parts = [Tensor?](repeating: nil, count: counts.count)
        // Single positions are looked at together, where their sequences have a past in common.
        let steps = rows == .apart ? counts.indices.filter { counts[$0] == 1 } : []
        if !steps.isEmpty {
            for index in steps {
                let row = starts[index]..<starts[index] + 1
                caches[index].append(k[row], v[row])
            }
            let queries = Tensor.concatenated(steps.map { q[starts[$0]..<starts[$0] + 1] })
            let seen = attention.step(queries, over: steps.map { caches[$0].seen })
            guard steps.count < counts.count else { return seen }
            for (place, index) in steps.enumerated() { parts[index] = seen[place..<place + 1] }
        }
        starts.append(q.rows)
        for index in counts.indices where parts[index] == nil {
            let rows = starts[index]..<starts[index + 1]
            parts[index] = caches[index].attend(q[rows], k[rows], v[rows], attention)
        }
        return Tensor.concatenated(parts.compactMap { $0 })
    }
}
