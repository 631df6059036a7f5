//! What losses are made of: sums, means, softmax, lengths and products of two computed matrices.

extension Tensor {
    /// The sum of all values, one number.
    package func sum() -> Tensor {
        let total = unsafe withValues { values -> Float in
            guard let base = values.baseAddress else { return 0 }
            return unsafe base.sum(count: values.count)
        }
        let result = Tensor([total], shape: [])
        guard let tape = Tape.recording(self) else { return result }
        let (place, shape) = (self.place, self.shape)
        return tape.record(result) { dy, tape in
            tape.add(Tensor(repeating: dy.values[0], shape: shape), to: place)
        }
    }

    /// Σ aᵢ·bᵢ over all values, one number.
    package func dot(_ other: Tensor) -> Tensor {
        let result = Tensor([Tensor.dotProduct(self, other)], shape: [])
        guard let tape = Tape.recording(self, other) else { return result }
        let (aPlace, bPlace) = (self.place, other.place)
        let (a, b) = (self.detached, other.detached)
        return tape.record(result) { dy, tape in
            let slope = dy.values[0]
            if aPlace != nil { tape.add((b * slope).reshaped(a.shape), to: aPlace) }
            if bPlace != nil { tape.add((a * slope).reshaped(b.shape), to: bPlace) }
        }
    }

    /// The values times a constant.
    package func scaled(by scale: Float) -> Tensor { self * scale }

    /// The mean of the rows, (N, D) to (1, D).
    package func meanOfRows() -> Tensor {
        let (rows, width) = (self.rows, self.width)
        precondition(rows > 0, "mean of no rows")
        let share = 1 / Float(rows)
        let mean = unsafe Tensor(uninitialized: [1, width]) { out in
            unsafe out.update(repeating: 0)
            unsafe withValues { values in
                guard let values = values.baseAddress, let out = out.baseAddress else { return }
                unsafe out.addRows(of: values, count: rows, width: width)
                unsafe out.scale(by: share, count: width)
            }
        }
        guard let tape = Tape.recording(self) else { return mean }
        let place = self.place
        return tape.record(mean) { dy, tape in
            unsafe tape.accumulatePart(into: place) { sum in
                unsafe dy.withValues { dy in
                    guard let dy = dy.baseAddress else { return }
                    for row in 0..<rows {
                        unsafe (sum + row * width).addRows(
                            of: dy, count: 1, width: width, scaledBy: share)
                    }
                }
            }
        }
    }

    /// softmax over the innermost axis.
    package func softmaxed() -> Tensor {
        let (rows, width) = (self.rows, self.width)
        var p = self
        unsafe p.withMutableValues { values in
            guard let base = values.baseAddress else { return }
            for row in 0..<rows {
                let line = unsafe base + row * width
                let largest = unsafe UnsafePointer(line).largest(count: width)
                let sum = unsafe line.exponentiate(minus: largest, count: width)
                unsafe line.scale(by: 1 / sum, count: width)
            }
        }
        guard let tape = Tape.recording(self) else { return p }
        let (place, weights) = (self.place, p)
        return tape.record(p) { dy, tape in
            var dx = dy
            unsafe dx.withMutableValues { dx in
                unsafe weights.withValues { p in
                    guard let dx = dx.baseAddress, let p = p.baseAddress else { return }
                    for start in stride(from: 0, to: rows * width, by: max(width, 1)) {
                        let (p, line) = unsafe (p + start, dx + start)
                        let mean = unsafe p.dot(line, count: width)
                        for j in 0..<width { unsafe line[j] = p[j] * (line[j] - mean) }
                    }
                }
            }
            tape.add(dx, to: place)
        }
    }

    /// Every row divided by its length √(Σ x² + ε): unit vectors whose products are cosines.
    package func normalizedRows(epsilon: Float = 1e-12) -> Tensor {
        let (rows, width) = (self.rows, self.width)
        var factors: [Float] = []
        var y = self
        unsafe y.withMutableValues { values in
            guard let base = values.baseAddress else { return }
            for row in 0..<rows {
                let line = unsafe base + row * width
                let square = unsafe UnsafePointer(line).dot(line, count: width)
                factors.append(1 / (square + epsilon).squareRoot())
                unsafe line.scale(by: factors[row], count: width)
            }
        }
        guard let tape = Tape.recording(self) else { return y }
        let (place, unit, scales) = (self.place, y, factors)
        // dx = (dy − y·(y·dy)) / length
        return tape.record(y) { dy, tape in
            var dx = dy
            unsafe dx.withMutableValues { dx in
                unsafe unit.withValues { unit in
                    guard let dx = dx.baseAddress, let unit = unit.baseAddress else { return }
                    for row in 0..<rows {
                        let (y, line) = unsafe (unit + row * width, dx + row * width)
                        let along = unsafe y.dot(line, count: width)
                        for j in 0..<width {
                            unsafe line[j] = (line[j] - y[j] * along) * scales[row]
                        }
                    }
                }
            }
            tape.add(dx, to: place)
        }
    }

    /// a (N, D) · bᵀ with b (M, D) to (N, M); both may be watched.
    package func matmul(transposed b: Tensor, engine: MatrixEngine = .oneDNN) -> Tensor {
        precondition(width == b.width, "product of \(shape) and \(b.shape) transposed")
        let product = Linear(weight: b.reshaped([b.rows, b.width]), engine: engine)
        return product(self)
    }

    /// a (N, K) · b (K, M) to (N, M); both may be watched.
    package func matmul(_ b: Tensor, engine: MatrixEngine = .oneDNN) -> Tensor {
        matmul(transposed: b.transposed(), engine: engine)
    }
}
