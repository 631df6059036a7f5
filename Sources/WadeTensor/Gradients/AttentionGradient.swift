//! The way back through attention.

extension Attention {
    /// Per head, with P = softmax(S): dV = Pᵀ·dO, dP = dO·Vᵀ, dS = P∘(dP − Σ dP∘P), dQ = scale·dS·K, dK = scale·dSᵀ·Q.
    /// Where a window is uniform P does not depend on S.
    func backward(
        _ blocks: [Block], _ weights: [Tensor], _ queries: Tensor, _ keys: [Tensor],
        _ values: [Tensor]
    ) -> Tape.Backward {
        let (queryPlace, keyPlaces, valuePlaces) = (
            queries.place, keys.map(\.place), values.map(\.place)
        )
        let (queries, keys, values) = (
            queries.detached, keys.map(\.detached), values.map(\.detached)
        )
        return { dy, tape in
            var gradients = AttentionGradients(
                queries: Tensor.zeros(queries.shape),
                keys: zip(keys, keyPlaces).map { $1 == nil ? nil : Tensor.zeros($0.shape) },
                values: zip(values, valuePlaces).map { $1 == nil ? nil : Tensor.zeros($0.shape) })
            for (block, weights) in zip(blocks, weights) {
                goBack(
                    block, weights, dy: dy, queries: queries, keys: keys, values: values,
                    into: &gradients)
            }
            tape.add(gradients.queries, to: queryPlace)
            for (gradient, place) in zip(gradients.keys, keyPlaces) {
                if let gradient { tape.add(gradient, to: place) }
            }
            for (gradient, place) in zip(gradients.values, valuePlaces) {
                if let gradient { tape.add(gradient, to: place) }
            }
        }
    }

    private func goBack(
        _ block: Block, _ weights: Tensor, dy: Tensor, queries: Tensor, keys: [Tensor],
        values: [Tensor], into gradients: inout AttentionGradients
    ) {
        let (rows, columns) = (block.queries.count, block.keys.count)
        guard rows > 0, columns > 0 else { return }
        let (width, depth) = (queries.width, queries.width / heads)
        var slopes = unsafe Tensor(uninitialized: [rows, columns]) { _ in }
        unsafe weights.withValues { weights in
            unsafe slopes.withMutableValues { slopes in
                unsafe dy.withValues { dy in
                    unsafe queries.withValues { queries in
                        guard let weights = weights.baseAddress, let slopes = slopes.baseAddress,
                            let dy = dy.baseAddress, let queries = queries.baseAddress
                        else { return }
                        for head in 0..<heads {
                            let first = block.queries.lowerBound * width + head * depth
                            let p = unsafe weights + head * rows * columns
                            let q = unsafe MatrixOperand(queries + first, stride: width)
                            unsafe goBackToValues(
                                block, p, dy + first, head: head, values, slopes, &gradients)
                            guard !block.uniform else { continue }
                            unsafe goBackThroughSoftmax(p, slopes, rows: rows, columns: columns)
                            unsafe goBackToScores(
                                block, slopes, q, first: first, head: head, keys, depth: depth,
                                &gradients)
                        }
                    }
                }
            }
        }
    }

    /// dV and dP of one head; `dy` starts at the block's first query and the head's first column.
    private func goBackToValues(
        _ block: Block, _ p: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, head: Int,
        _ values: [Tensor], _ dp: UnsafeMutablePointer<Float>,
        _ gradients: inout AttentionGradients
    ) {
        let (rows, columns, width) = (block.queries.count, block.keys.count, values[0].width)
        let depth = width / heads
        unsafe forEachPiece(of: values, within: block.keys) { piece, values, range, column in
            let start = range.lowerBound * width + head * depth
            unsafe engine.multiply(
                m: rows, n: range.count, k: depth, MatrixOperand(dy, stride: width),
                MatrixOperand(values + start, stride: width, transposed: true),
                into: dp + column, stride: columns)
            unsafe gradients.values[piece]?.withMutableValues { dv in
                guard let dv = dv.baseAddress else { return }
                unsafe engine.multiply(
                    m: range.count, n: depth, k: rows,
                    MatrixOperand(p + column, stride: columns, transposed: true),
                    MatrixOperand(dy, stride: width), keep: 1, into: dv + start, stride: width)
            }
        }
    }

    /// dP ← dS = P∘(dP − Σ dP∘P), row by row.
    private func goBackThroughSoftmax(
        _ p: UnsafePointer<Float>, _ dp: UnsafeMutablePointer<Float>, rows: Int, columns: Int
    ) {
        for row in 0..<rows {
            let (p, line) = unsafe (p + row * columns, dp + row * columns)
            let mean = unsafe p.dot(line, count: columns)
            for j in 0..<columns { unsafe line[j] = p[j] * (line[j] - mean) }
        }
    }

    /// dQ and dK of one head from dS.
    private func goBackToScores(
        _ block: Block, _ ds: UnsafePointer<Float>, _ q: MatrixOperand, first: Int, head: Int,
        _ keys: [Tensor], depth: Int, _ gradients: inout AttentionGradients
    ) {
        let (rows, columns, width) = (block.queries.count, block.keys.count, q.stride)
        unsafe forEachPiece(of: keys, within: block.keys) { piece, keys, range, column in
            let start = range.lowerBound * width + head * depth
            unsafe gradients.queries.withMutableValues { dq in
                guard let dq = dq.baseAddress else { return }
                unsafe engine.multiply(
                    m: rows, n: depth, k: range.count, scale: scale,
                    MatrixOperand(ds + column, stride: columns),
                    MatrixOperand(keys + start, stride: width), keep: 1, into: dq + first,
                    stride: width)
            }
            unsafe gradients.keys[piece]?.withMutableValues { dk in
                guard let dk = dk.baseAddress else { return }
                unsafe engine.multiply(
                    m: range.count, n: depth, k: rows, scale: scale,
                    MatrixOperand(ds + column, stride: columns, transposed: true), q, keep: 1,
                    into: dk + start, stride: width)
            }
        }
    }
}

/// The gradients of attention's inputs while blocks and heads add to them; nil for pieces that are constants.
private struct AttentionGradients {
    var queries: Tensor
    var keys: [Tensor?]
    var values: [Tensor?]
}
