//! Rows that are appended one step at a time: what a key-value cache is made of.

/// A matrix (rows, D) that grows at its end; appending copies only when a second owner still looks at it.
package struct GrowingRows: Sendable {
    /// D
    package let width: Int
    /// The rows appended so far.
    package private(set) var count = 0
    private var buffer: Tensor

    /// No rows yet of the given width.
    package init(width: Int) {
        self.width = width
        buffer = Tensor.zeros([0, width])
    }

    /// The rows so far, (count, D), without copying; let go of it before the next `append`.
    package var tensor: Tensor { buffer[0..<count] }

    /// Appends rows (n, D).
    package mutating func append(_ rows: Tensor) {
        precondition(rows.width == width, "rows of \(rows.width) appended to \(width)")
        let needed = count + rows.rows
        if rows.isWatched || buffer.isWatched {
            // Training: what was appended stays on its tape, and the rows after it join it there.
            buffer = count == 0 ? rows : Tensor.concatenated([tensor, rows])
            buffer = buffer.reshaped([needed, width])
            count = needed
            return
        }
        if needed > buffer.shape[0] {
            let old = tensor
            let capacity = max(needed, 2 * buffer.shape[0], 16)
            buffer = Tensor.zeros([capacity, width])
            write(old, at: 0)
        }
        write(rows, at: count)
        count = needed
    }

    /// Drops the rows from `count` on, so that they can be written anew.
    package mutating func truncate(to count: Int) {
        precondition(count <= self.count, "cannot truncate \(self.count) rows to \(count)")
        self.count = count
    }

    private mutating func write(_ rows: Tensor, at row: Int) {
        let start = row * width
        unsafe buffer.withMutableValues { values in
            unsafe rows.withValues { rows in
                guard let source = rows.baseAddress, let target = values.baseAddress else { return }
                unsafe (target + start).update(from: source, count: rows.count)
            }
        }
    }
}
