//! Products whose rows know nothing of each other: what a batch of sequences that advance together is computed with.

internal import COneDNN

/// How the rows of a layer's input belong together.
package enum Rows: Sendable {
    /// They are one thing's, such as a frame's patches or a prompt's tokens: their number is part of what is computed.
    case together
    /// They come from different sequences, and which others are there must not show: a row's result has the same bits whatever
    /// stands before and behind it.
    case apart
}

extension Linear {
    /// Rows that are multiplied at once where a row's last bits depend on how many there are; fewer are filled up with zeros.
    /// oneDNN's AVX2 kernels take 6 rows at a time, others 4, 8 or 16.
    static let rowTile = 24

    /// x (…, K) to (…, N); how the rows belong together decides whether their number may show in the last bits.
    package func callAsFunction(_ x: Tensor, rows: Rows) -> Tensor {
        switch rows {
        case .together: self(x)
        case .apart: rowwise(x)
        }
    }

    /// x (…, K) to (…, N), where a row's result has the same bits however many rows there are and whatever stands in them.
    package func rowwise(_ x: Tensor) -> Tensor {
        // Gradients are taken of texts as a whole.
        guard !isNarrow else { return self(input(x), rows: .apart) }
        guard !rowsAreAlike, !x.isWatched, x.rows > 0 else { return self(x) }
        let (rows, tile) = (x.rows, Self.rowTile)
        let flat = x.reshaped([rows, x.width])
        let tiles = stride(from: 0, to: rows, by: tile).map { start in
            let count = min(tile, rows - start)
            let part = flat[start..<start + count]
            guard count < tile else { return self(part) }
            let filler = Tensor.zeros([tile - count, x.width])
            return self(Tensor.concatenated([part, filler]))[0..<count]
        }
        return Tensor.concatenated(tiles).reshaped(x.shape.replacingLast(with: outputs))
    }
}

extension MatrixEngine {
    /// Whether products of packed float32 weights give a row the same bits for any number of rows: measured for oneDNN 2.6 from
    /// AVX-512 on.
    static var packedRowsAreAlike: Bool { hasInstructions(dnnl_cpu_isa_avx512_core) }
}
