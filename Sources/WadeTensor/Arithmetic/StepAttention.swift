//! Attention of one query each of several sequences: one step of a batch.

/// The keys and values that one query sees all of: those of a past that several sequences have in common, and its own.
package struct SeenKeys: Sendable {
    /// (P, H·d) each; nil where nothing is shared.
    package let shared: (keys: Tensor, values: Tensor)?
    /// (T, H·d) each, behind the shared ones.
    package let keys: Tensor
    package let values: Tensor

    package init(shared: (keys: Tensor, values: Tensor)?, keys: Tensor, values: Tensor) {
        self.shared = (shared?.keys.rows ?? 0) > 0 ? shared : nil
        self.keys = keys
        self.values = values
    }

    fileprivate var sharedCount: Int { shared?.keys.rows ?? 0 }

    fileprivate func shares(with other: SeenKeys) -> Bool {
        guard let shared, let others = other.shared else { return false }
        return shared.keys.isSameWindow(as: others.keys)
            && shared.values.isSameWindow(as: others.values)
    }
}

extension Attention {
    /// Queries that are multiplied with shared keys at once; fewer are filled up with zeros. A row's bits then depend neither on its
    /// place among the four nor on the others: so measured for oneDNN 2.6 under SSE 4.1, AVX, AVX2, AVX-512 and AMX.
    static let queryTile = 4

    /// Queries (B, H·d), the last position each of a sequence of its own, over what each of them sees; the result is (B, H·d), and
    /// a row of it is the same for any batch. Queries that share keys are multiplied with them together.
    package func step(_ queries: Tensor, over seen: [SeenKeys]) -> Tensor {
        let width = queries.width
        precondition(
            queries.rows == seen.count && width % heads == 0, "attention: one past per query")
        var out = Tensor.zeros([seen.count, width])
        for group in groups(of: seen) {
            let outcome = step(queries, group, seen)
            Self.copyRows(outcome, Array(group.indices), to: group, of: &out)
        }
        return out
    }

    /// Rows `sources` of `from` to rows `targets` of `to`.
    private static func copyRows(
        _ from: Tensor, _ sources: [Int], to targets: [Int], of to: inout Tensor
    ) {
        let width = from.width
        unsafe to.withMutableValues { to in
            unsafe from.withValues { from in
                guard let to = to.baseAddress, let from = from.baseAddress else { return }
                for (source, target) in zip(sources, targets) {
                    unsafe (to + target * width).update(from: from + source * width, count: width)
                }
            }
        }
    }

    /// The rows that share their keys, in the order of their first one.
    private func groups(of seen: [SeenKeys]) -> [[Int]] {
        var groups: [[Int]] = []
        for row in seen.indices {
            let place = groups.firstIndex { seen[$0[0]].shares(with: seen[row]) }
            if let place { groups[place].append(row) } else { groups.append([row]) }
        }
        return groups
    }

    /// The rows `group` of the queries, which share their keys: (group, H·d) and rows that fill up the last tile.
    private func step(_ queries: Tensor, _ group: [Int], _ seen: [SeenKeys]) -> Tensor {
        let (width, depth) = (queries.width, queries.width / heads)
        let shared = seen[group[0]].shared
        let sharedCount = seen[group[0]].sharedCount
        let tiles =
            shared == nil ? 0 : (group.count + Self.queryTile - 1) / Self.queryTile
        let padded = max(tiles * Self.queryTile, group.count)
        let own = group.map { seen[$0].keys.rows }
        var lined = Tensor.zeros([padded, width])
        var out = Tensor.zeros([padded, width])
        var sharedScores = Tensor.zeros([padded, sharedCount])
        var ownScores = Tensor.zeros([1, own.max() ?? 0])
        Self.copyRows(queries, group, to: Array(group.indices), of: &lined)
        unsafe lined.withValues { lined in
            unsafe out.withMutableValues { out in
                unsafe sharedScores.withMutableValues { sharedScores in
                    unsafe ownScores.withMutableValues { ownScores in
                        guard let lined = lined.baseAddress, let out = out.baseAddress,
                            let sharedScores = sharedScores.baseAddress,
                            let ownScores = ownScores.baseAddress
                        else { return }
                        for head in 0..<heads {
                            let q = unsafe lined + head * depth
                            let y = unsafe out + head * depth
                            unsafe scoreShared(
                                shared?.keys, q, tiles, head: head, into: sharedScores)
                            // The shared scores of every row stay until its own are known, then both become weights.
                            for (place, row) in group.enumerated() {
                                let seen = seen[row]
                                unsafe scoreOwn(
                                    seen.keys, q + place * width, head: head, into: ownScores)
                                unsafe softmax(
                                    sharedScores + place * sharedCount, sharedCount, ownScores,
                                    own[place], head: head)
                                unsafe weighOwn(
                                    seen.values, ownScores, head: head, into: y + place * width)
                            }
                            unsafe weighShared(
                                shared?.values, sharedScores, tiles, head: head, addingTo: y)
                        }
                    }
                }
            }
        }
        return out
    }

    /// scores (4·tiles, P) = queries · keysᵀ · scale, four rows at a time.
    private func scoreShared(
        _ keys: Tensor?, _ queries: UnsafePointer<Float>, _ tiles: Int, head: Int,
        into scores: UnsafeMutablePointer<Float>
    ) {
        guard let keys else { return }
        let (count, width) = (keys.rows, keys.width)
        let (depth, tile) = (width / heads, Self.queryTile)
        unsafe keys.withValues { keys in
            guard let keys = keys.baseAddress else { return }
            for first in stride(from: 0, to: tiles * tile, by: tile) {
                unsafe engine.multiply(
                    m: tile, n: count, k: depth, scale: scale,
                    MatrixOperand(queries + first * width, stride: width),
                    MatrixOperand(keys + head * depth, stride: width, transposed: true),
                    into: scores + first * count, stride: count)
            }
        }
    }

    /// scores (T) = query · keysᵀ · scale
    private func scoreOwn(
        _ keys: Tensor, _ query: UnsafePointer<Float>, head: Int,
        into scores: UnsafeMutablePointer<Float>
    ) {
        let (count, width) = (keys.rows, keys.width)
        let depth = width / heads
        unsafe keys.withValues { keys in
            guard let keys = keys.baseAddress else { return }
            unsafe engine.multiply(
                m: 1, n: count, k: depth, scale: scale, MatrixOperand(query, stride: width),
                MatrixOperand(keys + head * depth, stride: width, transposed: true),
                into: scores, stride: count)
        }
    }

    /// Turns the scores of one query, in two runs that count as one, into weights that sum to one.
    private func softmax(
        _ shared: UnsafeMutablePointer<Float>, _ sharedCount: Int,
        _ own: UnsafeMutablePointer<Float>, _ ownCount: Int, head: Int
    ) {
        if let slope = alibiSlopes?[head] {
            let last = sharedCount + ownCount - 1
            for j in 0..<sharedCount { unsafe shared[j] += slope * Float(j - last) }
            for j in 0..<ownCount { unsafe own[j] += slope * Float(sharedCount + j - last) }
        }
        let largest = unsafe max(
            UnsafePointer(shared).largest(count: sharedCount),
            UnsafePointer(own).largest(count: ownCount))
        let sum =
            unsafe shared.exponentiate(minus: largest, count: sharedCount)
            + own.exponentiate(minus: largest, count: ownCount)
        unsafe shared.scale(by: 1 / sum, count: sharedCount)
        unsafe own.scale(by: 1 / sum, count: ownCount)
    }

    /// out (d) = weights · values
    private func weighOwn(
        _ values: Tensor, _ weights: UnsafePointer<Float>, head: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        let (count, width) = (values.rows, values.width)
        let depth = width / heads
        unsafe values.withValues { values in
            guard let values = values.baseAddress else { return }
            unsafe engine.multiply(
                m: 1, n: depth, k: count, MatrixOperand(weights, stride: count),
                MatrixOperand(values + head * depth, stride: width), into: out, stride: width)
        }
    }

    /// out (4·tiles, d) += weights · values, four rows at a time.
    private func weighShared(
        _ values: Tensor?, _ weights: UnsafePointer<Float>, _ tiles: Int, head: Int,
        addingTo out: UnsafeMutablePointer<Float>
    ) {
        guard let values else { return }
        let (count, width) = (values.rows, values.width)
        let (depth, tile) = (width / heads, Self.queryTile)
        unsafe values.withValues { values in
            guard let values = values.baseAddress else { return }
            for first in stride(from: 0, to: tiles * tile, by: tile) {
                unsafe engine.multiply(
                    m: tile, n: depth, k: count,
                    MatrixOperand(weights + first * count, stride: count),
                    MatrixOperand(values + head * depth, stride: width), keep: 1,
                    into: out + first * width, stride: width)
            }
        }
    }
}
