//! One frozen block of a language model, and what it keeps of the positions it has seen.

internal import WadeTensor

/// A decoder block: text (T, D) that follows what the cache holds to text (T, D).
protocol DecoderBlock: Sendable {
    func callAsFunction(_ x: Tensor, cache: inout LayerCache) -> Tensor
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
    mutating func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ attention: Attention) -> Tensor {
        let past = length
        keys.append(k)
        values.append(v)
        return attention(
            q, keys: (prefixKeys.map { [$0] } ?? []) + [keys.tensor],
            values: (prefixValues.map { [$0] } ?? []) + [values.tensor],
            mask: .causal(past: past))
    }
}
