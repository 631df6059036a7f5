//! Scaled dot-product attention over several heads, and which keys a query may see.

#if canImport(Glibc)
    internal import Glibc
#endif

/// The keys that one query sees.
package enum KeyWindow: Sendable, Hashable {
    /// These keys, counted over all pieces.
    case keys(Range<Int>)
    /// None: the result is exactly zero.
    case nothing
    /// All keys with equal weight, whatever their scores: what a softmax over a row of equal −FLT_MAX gives.
    case uniform
}

/// Which keys each query may see.
package enum AttentionMask: Sendable {
    /// Every query sees every key.
    case none
    /// Query i stands behind `past` earlier positions and sees keys 0…past+i.
    case causal(past: Int)
    /// One window per query.
    case windows([KeyWindow])
}

/// softmax(q·kᵀ·scale + bias)·v per head (Vaswani et al., arXiv 1706.03762).
package struct Attention: Sendable {
    /// H
    package let heads: Int
    /// Usually 1/√(head width).
    package let scale: Float
    /// One slope per head: score(i, j) += slope · (j − i), positions counted over all keys; for causal masks only
    /// (ALiBi, Press et al., arXiv 2108.12409).
    package let alibiSlopes: [Float]?
    let engine: MatrixEngine

    package init(
        heads: Int, scale: Float, alibiSlopes: [Float]? = nil, engine: MatrixEngine
    ) {
        precondition(heads > 0, "attention: no heads")
        precondition(alibiSlopes.map { $0.count == heads } ?? true, "attention: slopes")
        self.heads = heads
        self.scale = scale
        self.alibiSlopes = alibiSlopes
        self.engine = engine
    }

    /// Queries (Tq, H·d) over keys and values (Tk, H·d), which may come in several pieces that count as one sequence
    /// (a shared prompt prefix and a clip's own text); the result is (Tq, H·d).
    package func callAsFunction(
        _ queries: Tensor, keys: [Tensor], values: [Tensor], mask: AttentionMask
    ) -> Tensor {
        let keyCount = keys.reduce(0) { $0 + $1.rows }
        precondition(
            queries.width % heads == 0 && keys.count == values.count
                && zip(keys, values).allSatisfy { $0.rows == $1.rows && $0.width == queries.width },
            "attention: queries \(queries.shape), keys \(keys.map(\.shape))")
        let blocks = blocks(mask, queryCount: queries.rows, keyCount: keyCount)
        let tape = Tape.recording([queries] + keys + values)
        var out = Tensor.zeros(queries.shape)
        let weights = blocks.map { block in
            attend(
                block, queries: queries, keys: keys, values: values, into: &out,
                keepsWeights: tape != nil)
        }
        guard let tape else { return out }
        return tape.record(out, backward(blocks, weights, queries, keys, values))
    }

    /// Consecutive queries that see the same keys, or that are causal together.
    struct Block {
        let queries: Range<Int>
        /// The keys that at least one of the queries sees.
        let keys: Range<Int>
        /// Query i of the block sees `keys` up to, not including, `firstLimit + i`; nil when each sees all.
        let firstLimit: Int?
        /// Whether scores are replaced by zero, so that the softmax is uniform.
        let uniform: Bool
    }

    private func blocks(_ mask: AttentionMask, queryCount: Int, keyCount: Int) -> [Block] {
        switch mask {
        case .none:
            return [
                Block(
                    queries: 0..<queryCount, keys: 0..<keyCount, firstLimit: nil, uniform: false)
            ]
        case .causal(let past):
            precondition(past + queryCount == keyCount, "attention: causal mask does not fit")
            return [
                Block(
                    queries: 0..<queryCount, keys: 0..<keyCount, firstLimit: past + 1,
                    uniform: false)
            ]
        case .windows(let windows):
            precondition(windows.count == queryCount, "attention: one window per query")
            var blocks: [Block] = []
            var start = 0
            while start < queryCount {
                var end = start + 1
                while end < queryCount, windows[end] == windows[start] { end += 1 }
                switch windows[start] {
                case .nothing: break
                case .uniform:
                    blocks.append(
                        Block(
                            queries: start..<end, keys: 0..<keyCount, firstLimit: nil,
                            uniform: true))
                case .keys(let keys):
                    precondition(keys.upperBound <= keyCount, "attention: window beyond the keys")
                    blocks.append(
                        Block(queries: start..<end, keys: keys, firstLimit: nil, uniform: false))
                }
                start = end
            }
            return blocks
        }
    }

    /// One block, head by head: 1. scores, 2. softmax, 3. weighted sum of the values. Returns the softmax's weights, (H, queries,
    /// keys) where they are kept, else those of the last head.
    private func attend(
        _ block: Block, queries: Tensor, keys: [Tensor], values: [Tensor], into out: inout Tensor,
        keepsWeights: Bool
    ) -> Tensor {
        let (rows, columns) = (block.queries.count, block.keys.count)
        let (width, depth) = (queries.width, queries.width / heads)
        var scores = unsafe Tensor(
            uninitialized: [keepsWeights ? heads : 1, rows, columns]) { _ in }
        guard rows > 0, columns > 0 else { return scores }
        unsafe out.withMutableValues { out in
            unsafe scores.withMutableValues { all in
                guard let out = out.baseAddress, let all = all.baseAddress else { return }
                unsafe queries.withValues { queries in
                    guard let queries = queries.baseAddress else { return }
                    for head in 0..<heads {
                        let scores = unsafe all + (keepsWeights ? head * rows * columns : 0)
                        let first = block.queries.lowerBound * width + head * depth
                        unsafe forEachPiece(of: keys, within: block.keys) {
                            _, keys, range, column in
                            unsafe engine.multiply(
                                m: rows, n: range.count, k: depth, scale: scale,
                                MatrixOperand(queries + first, stride: width),
                                MatrixOperand(
                                    keys + range.lowerBound * width + head * depth, stride: width,
                                    transposed: true),
                                into: scores + column, stride: columns)
                        }
                        unsafe softmax(scores, block, head: head)
                        unsafe forEachPiece(of: values, within: block.keys) {
                            _, values, range, column in
                            unsafe engine.multiply(
                                m: rows, n: depth, k: range.count,
                                MatrixOperand(scores + column, stride: columns),
                                MatrixOperand(
                                    values + range.lowerBound * width + head * depth,
                                    stride: width),
                                keep: column == 0 ? 0 : 1, into: out + first, stride: width)
                        }
                    }
                }
            }
        }
        return scores
    }

    /// Calls `body` with each piece that `keys` touches: its index, values, rows, and the first column they stand for.
    func forEachPiece(
        of pieces: [Tensor], within keys: Range<Int>,
        _ body: (Int, UnsafePointer<Float>, Range<Int>, Int) -> Void
    ) {
        var start = 0
        for (index, piece) in pieces.enumerated() {
            let end = start + piece.rows
            let (lower, upper) = (max(start, keys.lowerBound), min(end, keys.upperBound))
            if lower < upper {
                unsafe piece.withValues { values in
                    guard let base = values.baseAddress else { return }
                    unsafe body(
                        index, base, lower - start..<upper - start, lower - keys.lowerBound)
                }
            }
            start = end
        }
    }

    /// Turns each row of scores into weights that sum to one; keys that a query may not see get zero.
    private func softmax(_ scores: UnsafeMutablePointer<Float>, _ block: Block, head: Int) {
        let columns = block.keys.count
        for row in 0..<block.queries.count {
            let line = unsafe scores + row * columns
            let seen = min(block.firstLimit.map { $0 + row } ?? columns, columns)
            if block.uniform {
                for j in 0..<columns { unsafe line[j] = 1 / Float(columns) }
                continue
            }
            if let slope = alibiSlopes?[head] {
                for j in 0..<seen { unsafe line[j] += slope * Float(j - (seen - 1)) }
            }
            // The maximum is taken off for numerical range only; the quotient does not change.
            let largest = unsafe UnsafePointer(line).largest(count: seen)
            let sum = unsafe line.exponentiate(minus: largest, count: seen)
            unsafe line.scale(by: 1 / sum, count: seen)
            for j in seen..<columns { unsafe line[j] = 0 }
        }
    }

    /// The definition in double precision; the oracle of the tests. `sees(query, key)` is the mask.
    package static func naive(
        _ queries: Tensor, keys: Tensor, values: Tensor, heads: Int, scale: Float,
        slopes: [Float]? = nil, sees: (Int, Int) -> Bool
    ) -> Tensor {
        let (width, depth) = (queries.width, queries.width / heads)
        let (q, k, v) = (queries.values, keys.values, values.values)
        var out = [Float](repeating: 0, count: q.count)
        for head in 0..<heads {
            for i in 0..<queries.rows {
                let visible = (0..<keys.rows).filter { sees(i, $0) }
                var scores = visible.map { j -> Double in
                    var sum = 0.0
                    for c in head * depth..<(head + 1) * depth {
                        sum += Double(q[i * width + c]) * Double(k[j * width + c])
                    }
                    return sum * Double(scale) + Double(slopes?[head] ?? 0) * Double(j - i)
                }
                let largest = scores.max() ?? 0
                scores = scores.map { exp($0 - largest) }
                let sum = scores.reduce(0, +)
                for c in head * depth..<(head + 1) * depth {
                    var value = 0.0
                    for (weight, j) in zip(scores, visible) {
                        value += weight / sum * Double(v[j * width + c])
                    }
                    out[i * width + c] = Float(value)
                }
            }
        }
        return Tensor(out, shape: queries.shape)
    }
}
