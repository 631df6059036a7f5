//! Sums and products of tensors, value by value, and the few ways of putting rows together.

#if canImport(Glibc)
    internal import Glibc
#endif

extension Tensor {
    /// a + b; `b` may also be one row that is added to every row of `a`.
    package static func + (a: Tensor, b: Tensor) -> Tensor {
        var sum = a
        sum += b
        return sum
    }

    /// a − b; `b` may also be one row that is taken from every row of `a`.
    package static func - (a: Tensor, b: Tensor) -> Tensor {
        var difference = a
        difference.add(b, scaledBy: -1)
        return difference
    }

    /// Adds `b`, or one row `b` to every row.
    package static func += (a: inout Tensor, b: Tensor) {
        a.add(b, scaledBy: 1)
    }

    /// Adds scale · b, or one row of it to every row.
    package mutating func add(_ b: Tensor, scaledBy scale: Float) {
        let tape = Tape.recording(self, b)
        let (place, other) = (self.place, b.place)
        addValues(of: b, scaledBy: scale)
        guard let tape else { return }
        let shape = b.shape
        self = tape.record(self) { dy, tape in
            tape.add(dy, to: place)
            guard other != nil else { return }
            let dyCount = dy.count
            if scale == 1 && shape.elementCount == dy.count { return tape.add(dy, to: other) }
            unsafe tape.accumulatePart(into: other) { sum in
                unsafe dy.withValues { dy in
                    guard let dy = dy.baseAddress, shape.elementCount > 0 else { return }
                    unsafe sum.addRows(
                        of: dy, count: dyCount / shape.elementCount, width: shape.elementCount,
                        scaledBy: scale)
                }
            }
        }
    }

    /// Adds tanh(gate) · b, where the gate is one number: how Flamingo opens its new layers.
    package mutating func add(_ b: Tensor, gatedBy gate: Tensor) {
        precondition(gate.count == 1 && b.count == count, "gate \(gate.shape), \(b.shape)")
        let opening = tanhf(gate.values[0])
        let tape = Tape.recording(self, b, gate)
        let (place, other, gatePlace) = (self.place, b.place, gate.place)
        addValues(of: b, scaledBy: opening)
        guard let tape else { return }
        let b = b.detached
        self = tape.record(self) { dy, tape in
            tape.add(dy, to: place)
            if other != nil {
                var db = dy
                unsafe db.withMutableValues { values in
                    for i in 0..<values.count { unsafe values[i] *= opening }
                }
                tape.add(db, to: other)
            }
            unsafe tape.accumulatePart(into: gatePlace) { sum in
                unsafe sum[0] += (1 - opening * opening) * Tensor.dotProduct(dy, b)
            }
        }
    }

    /// The addition itself, off the tape.
    private mutating func addValues(of b: Tensor, scaledBy scale: Float) {
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

    /// Σ aᵢ·bᵢ as a number.
    static func dotProduct(_ a: Tensor, _ b: Tensor) -> Float {
        precondition(a.count == b.count, "dot product of \(a.shape) and \(b.shape)")
        return unsafe a.withValues { x in
            unsafe b.withValues { y in
                guard let x = x.baseAddress, let y = y.baseAddress else { return 0 }
                return unsafe x.dot(y, count: a.count)
            }
        }
    }

    /// a · b, value by value; `b` may also be one row that every row of `a` is multiplied by.
    package static func * (a: Tensor, b: Tensor) -> Tensor {
        precondition(
            a.shape == b.shape || b.count == a.width,
            "cannot multiply \(a.shape) by \(b.shape)")
        let product = multiplied(a, b)
        guard let tape = Tape.recording(a, b) else { return product }
        let (aPlace, bPlace) = (a.place, b.place)
        let (a, b) = (a.detached, b.detached)
        return tape.record(product) { dy, tape in
            if aPlace != nil { tape.add(multiplied(dy, b), to: aPlace) }
            guard bPlace != nil else { return }
            let db = multiplied(dy, a)
            if db.count == b.count { return tape.add(db.reshaped(b.shape), to: bPlace) }
            unsafe tape.accumulatePart(into: bPlace) { sum in
                unsafe db.withValues { db in
                    guard let db = db.baseAddress else { return }
                    unsafe sum.addRows(of: db, count: dy.count / b.count, width: b.count)
                }
            }
        }
    }

    /// The product itself, off the tape.
    private static func multiplied(_ a: Tensor, _ b: Tensor) -> Tensor {
        unsafe Tensor(uninitialized: a.shape) { out in
            unsafe a.withValues { a in
                unsafe b.withValues { b in
                    for start in stride(from: 0, to: a.count, by: max(b.count, 1)) {
                        for i in 0..<b.count { unsafe out[start + i] = a[start + i] * b[i] }
                    }
                }
            }
        }
    }

    /// a · scale.
    package static func * (a: Tensor, scale: Float) -> Tensor {
        let product = unsafe Tensor(uninitialized: a.shape) { out in
            unsafe a.withValues { a in
                for i in 0..<a.count { unsafe out[i] = a[i] * scale }
            }
        }
        guard let tape = Tape.recording(a) else { return product }
        let place = a.place
        return tape.record(product) { dy, tape in tape.add(dy * scale, to: place) }
    }

    /// tanh of every value; for the few numbers of a gate.
    package func tanh() -> Tensor {
        let y = Tensor(values.map { tanhf($0) }, shape: shape)
        guard let tape = Tape.recording(self) else { return y }
        let (place, slopes) = (self.place, y.values.map { 1 - $0 * $0 })
        return tape.record(y) { dy, tape in
            tape.add(dy * Tensor(slopes, shape: dy.shape), to: place)
        }
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
        let joined = unsafe Tensor(uninitialized: Shape([outer] + inner)) { out in
            guard var next = out.baseAddress else { return }
            for part in parts {
                unsafe part.withValues { values in
                    guard let source = values.baseAddress else { return }
                    unsafe next.update(from: source, count: values.count)
                    unsafe next += values.count
                }
            }
        }
        guard let tape = Tape.recording(parts) else { return joined }
        let pieces = parts.map { (place: $0.place, rows: $0.shape[0]) }
        return tape.record(joined) { dy, tape in
            var start = 0
            for piece in pieces {
                let rows = start..<start + piece.rows
                start += piece.rows
                if piece.place != nil { tape.add(dy[rows], to: piece.place) }
            }
        }
    }

    /// Rows `indices` of a (N, D) table, as (indices, D); an index outside the table is our own mistake.
    package func gathered(_ indices: [Int]) -> Tensor {
        let (width, rows) = (self.width, self.rows)
        let chosen = unsafe Tensor(uninitialized: [indices.count, width]) { out in
            unsafe withValues { table in
                guard let table = table.baseAddress, let out = out.baseAddress else { return }
                for (row, index) in indices.enumerated() {
                    precondition(index >= 0 && index < rows, "row \(index) outside \(shape)")
                    unsafe (out + row * width).update(from: table + index * width, count: width)
                }
            }
        }
        guard let tape = Tape.recording(self) else { return chosen }
        let place = self.place
        return tape.record(chosen) { dy, tape in
            unsafe tape.accumulatePart(into: place) { sum in
                unsafe dy.withValues { dy in
                    guard let dy = dy.baseAddress else { return }
                    for (row, index) in indices.enumerated() {
                        unsafe (sum + index * width).addRows(
                            of: dy + row * width, count: 1, width: width)
                    }
                }
            }
        }
    }

    /// Columns `range` of the innermost axis, copied.
    package func columns(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= width, "columns \(range)")
        let (width, rows, first) = (self.width, self.rows, range.lowerBound)
        let part = unsafe Tensor(uninitialized: shape.replacingLast(with: range.count)) { out in
            unsafe withValues { values in
                guard let source = values.baseAddress, let out = out.baseAddress else { return }
                for row in 0..<rows {
                    unsafe (out + row * range.count).update(
                        from: source + row * width + first, count: range.count)
                }
            }
        }
        guard let tape = Tape.recording(self) else { return part }
        let place = self.place
        return tape.record(part) { dy, tape in
            unsafe tape.accumulatePart(into: place) { sum in
                unsafe dy.withValues { dy in
                    guard let dy = dy.baseAddress else { return }
                    for row in 0..<rows {
                        unsafe (sum + row * width + first).addRows(
                            of: dy + row * range.count, count: 1, width: range.count)
                    }
                }
            }
        }
    }

    /// (rows, columns) to (columns, rows), copied.
    package func transposed() -> Tensor {
        precondition(shape.rank == 2, "only a matrix can be transposed, not \(shape)")
        let (rows, columns) = (shape[0], shape[1])
        let flipped = unsafe Tensor(uninitialized: [columns, rows]) { out in
            unsafe withValues { values in
                for row in 0..<rows {
                    for column in 0..<columns {
                        unsafe out[column * rows + row] = values[row * columns + column]
                    }
                }
            }
        }
        guard let tape = Tape.recording(self) else { return flipped }
        let place = self.place
        return tape.record(flipped) { dy, tape in tape.add(dy.transposed(), to: place) }
    }
}
