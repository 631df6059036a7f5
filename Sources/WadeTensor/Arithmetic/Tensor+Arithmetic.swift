//! Sums and products of tensors, value by value, and the few ways of putting rows together.

extension Tensor {
    /// a + b; `b` may also be one row that is added to every row of `a`.
    package static func + (a: Tensor, b: Tensor) -> Tensor {
        var sum = a
        sum += b
        return sum
    }

    /// Adds `b`, or one row `b` to every row.
    package static func += (a: inout Tensor, b: Tensor) {
        a.add(b, scaledBy: 1)
    }

    /// Adds scale · b, or one row of it to every row.
    package mutating func add(_ b: Tensor, scaledBy scale: Float) {
        precondition(
            b.count > 0 && count % b.count == 0 && (b.count == count || b.count == width),
            "cannot add \(b.shape) to \(shape)")
        unsafe withMutableValues { values in
            unsafe b.withValues { b in
                let period = b.count
                for start in stride(from: 0, to: values.count, by: period) {
                    for i in 0..<period { unsafe values[start + i] += scale * b[i] }
                }
            }
        }
    }

    /// a · b, value by value; `b` may also be one row that every row of `a` is multiplied by.
    package static func * (a: Tensor, b: Tensor) -> Tensor {
        precondition(
            a.shape == b.shape || b.count == a.width,
            "cannot multiply \(a.shape) by \(b.shape)")
        var product = a
        unsafe product.withMutableValues { values in
            unsafe b.withValues { b in
                for start in stride(from: 0, to: values.count, by: max(b.count, 1)) {
                    for i in 0..<b.count { unsafe values[start + i] *= b[i] }
                }
            }
        }
        return product
    }

    /// a · scale.
    package static func * (a: Tensor, scale: Float) -> Tensor {
        var product = a
        unsafe product.withMutableValues { values in
            for i in 0..<values.count { unsafe values[i] *= scale }
        }
        return product
    }

    /// The tensors one after the other along their outermost axis; the other axes must agree.
    package static func concatenated(_ parts: [Tensor]) -> Tensor {
        precondition(!parts.isEmpty, "nothing to concatenate")
        if parts.count == 1 { return parts[0] }
        let inner = Array(parts[0].shape.sizes.dropFirst())
        precondition(
            parts.allSatisfy { Array($0.shape.sizes.dropFirst()) == inner },
            "cannot concatenate \(parts.map(\.shape))")
        let outer = parts.reduce(0) { $0 + $1.shape[0] }
        return unsafe Tensor(uninitialized: Shape([outer] + inner)) { out in
            var start = 0
            for part in parts {
                unsafe part.withValues { values in
                    for i in 0..<values.count { unsafe out[start + i] = values[i] }
                }
                start += part.count
            }
        }
    }

    /// Rows `indices` of a (N, D) table, as (indices, D); an index outside the table is our own mistake.
    package func gathered(_ indices: [Int]) -> Tensor {
        let width = self.width
        return unsafe Tensor(uninitialized: [indices.count, width]) { out in
            unsafe withValues { table in
                for (row, index) in indices.enumerated() {
                    precondition(index >= 0 && index < rows, "row \(index) outside \(shape)")
                    for i in 0..<width {
                        unsafe out[row * width + i] = table[index * width + i]
                    }
                }
            }
        }
    }

    /// Columns `range` of the innermost axis, copied.
    package func columns(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= width, "columns \(range)")
        let width = self.width
        return unsafe Tensor(uninitialized: shape.replacingLast(with: range.count)) { out in
            unsafe withValues { values in
                var next = 0
                for row in 0..<rows {
                    for i in range {
                        unsafe out[next] = values[row * width + i]
                        next += 1
                    }
                }
            }
        }
    }

    /// (rows, columns) to (columns, rows), copied.
    package func transposed() -> Tensor {
        precondition(shape.rank == 2, "only a matrix can be transposed, not \(shape)")
        let (rows, columns) = (shape[0], shape[1])
        return unsafe Tensor(uninitialized: [columns, rows]) { out in
            unsafe withValues { values in
                for row in 0..<rows {
                    for column in 0..<columns {
                        unsafe out[column * rows + row] = values[row * columns + column]
                    }
                }
            }
        }
    }
}
