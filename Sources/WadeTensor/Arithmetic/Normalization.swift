//! Layer norm and RMS norm over the innermost axis.

/// y = (x − mean) / √(variance + ε) · weight + bias, over the innermost axis (Ba et al., arXiv 1607.06450).
package struct LayerNorm: Sendable {
    /// (D)
    package let weight: Tensor
    /// (D), or nil where a model has none (MPT).
    package let bias: Tensor?
    /// Added to the variance.
    package let epsilon: Float

    package init(weight: Tensor, bias: Tensor?, epsilon: Float) {
        precondition(bias.map { $0.count == weight.count } ?? true, "layer norm: bias")
        self.weight = weight
        self.bias = bias
        self.epsilon = epsilon
    }

    /// x (…, D) to the same shape; D may also be a part of the innermost axis (one norm per head).
    package func callAsFunction(_ x: Tensor) -> Tensor {
        let width = weight.count
        precondition(x.width % width == 0, "layer norm: x is \(x.shape), weight (\(width))")
        let y = unsafe Tensor(uninitialized: x.shape) { out in
            unsafe x.withValues { values in
                unsafe weight.withValues { weight in
                    guard let values = values.baseAddress, let out = out.baseAddress,
                        let weight = weight.baseAddress
                    else { return }
                    for start in stride(from: 0, to: x.count, by: width) {
                        let (line, y) = unsafe (values + start, out + start)
                        let (mean, scale) = unsafe Self.moments(line, width, epsilon)
                        for i in 0..<width { unsafe y[i] = (line[i] - mean) * scale * weight[i] }
                    }
                }
            }
            guard let bias else { return }
            unsafe bias.withValues { bias in
                guard let out = out.baseAddress, let bias = bias.baseAddress else { return }
                for start in stride(from: 0, to: x.count, by: width) {
                    unsafe (out + start).addRows(of: bias, count: 1, width: width)
                }
            }
        }
        guard let tape = Tape.recording(x, weight, bias) else { return y }
        return tape.record(y, backward(x))
    }

    /// A row's mean and 1 / √(variance + ε).
    private static func moments(
        _ line: UnsafePointer<Float>, _ width: Int, _ epsilon: Float
    ) -> (mean: Float, scale: Float) {
        let mean = unsafe line.sum(count: width) / Float(width)
        let variance = unsafe line.squaredDistance(from: mean, count: width) / Float(width)
        return (mean, 1 / (variance + epsilon).squareRoot())
    }

    /// With n = (x − mean)·scale and g = dy·weight: dx = scale·(g − mean(g) − n·mean(g·n)), dweight = Σ dy·n, dbias = Σ dy.
    private func backward(_ x: Tensor) -> Tape.Backward {
        let (width, epsilon) = (weight.count, epsilon)
        let (xPlace, weightPlace, biasPlace) = (x.place, weight.place, bias?.place)
        let (x, weight) = (x.detached, weight.detached)
        return { dy, tape in
            var sums = Tensor.zeros([width])
            let dx = unsafe Tensor(uninitialized: x.shape) { dx in
                unsafe Tensor.withRows(x, dy, weight, &sums) { x, dy, weight, sums in
                    let count = dx.count
                    guard let dx = dx.baseAddress else { return }
                    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) {
                        guard let n = $0.baseAddress else { return }
                        let g = unsafe n + width
                        for start in stride(from: 0, to: count, by: width) {
                            let (x, dy) = unsafe (x + start, dy + start)
                            let (mean, scale) = unsafe Self.moments(x, width, epsilon)
                            for i in 0..<width {
                                unsafe n[i] = (x[i] - mean) * scale
                                unsafe g[i] = dy[i] * weight[i]
                                unsafe sums[i] += dy[i] * n[i]
                            }
                            let shift = unsafe UnsafePointer(g).sum(count: width) / Float(width)
                            let turn = unsafe UnsafePointer(g).dot(n, count: width) / Float(width)
                            let out = unsafe dx + start
                            for i in 0..<width {
                                unsafe out[i] = scale * (g[i] - shift - n[i] * turn)
                            }
                        }
                    }
                }
            }
            tape.add(dx, to: xPlace)
            tape.add(sums, to: weightPlace)
            unsafe tape.accumulatePart(into: biasPlace) { sum in
                unsafe dy.withValues { dy in
                    guard let dy = dy.baseAddress else { return }
                    unsafe sum.addRows(of: dy, count: x.count / width, width: width)
                }
            }
        }
    }

    /// The definition in double precision; the oracle of the tests.
    package static func naive(
        _ x: Tensor, weight: Tensor, bias: Tensor?, epsilon: Float
    ) -> Tensor {
        let width = weight.count
        let (xs, ws, bs) = (x.values.map(Double.init), weight.values, bias?.values)
        var out: [Float] = []
        for line in 0..<x.count / width {
            let row = xs[line * width..<(line + 1) * width]
            let mean = row.reduce(0, +) / Double(width)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            for (i, value) in row.enumerated() {
                let scaled = (value - mean) / (variance + Double(epsilon)).squareRoot()
                out.append(Float(scaled * Double(ws[i]) + Double(bs?[i] ?? 0)))
            }
        }
        return Tensor(out, shape: x.shape)
    }
}

/// y = x / √(mean of squares + ε) · weight, over the innermost axis (Zhang & Sennrich, arXiv 1910.07467).
package struct RMSNorm: Sendable {
    /// (D)
    package let weight: Tensor
    /// Added to the mean of squares.
    package let epsilon: Float

    package init(weight: Tensor, epsilon: Float) {
        self.weight = weight
        self.epsilon = epsilon
    }

    /// x (…, D) to the same shape; D may also be a part of the innermost axis (one norm per head).
    package func callAsFunction(_ x: Tensor) -> Tensor {
        let width = weight.count
        precondition(x.width % width == 0, "RMS norm: x is \(x.shape), weight (\(width))")
        let y = unsafe Tensor(uninitialized: x.shape) { out in
            unsafe x.withValues { values in
                unsafe weight.withValues { weight in
                    guard let values = values.baseAddress, let out = out.baseAddress,
                        let weight = weight.baseAddress
                    else { return }
                    for start in stride(from: 0, to: x.count, by: width) {
                        let (line, y) = unsafe (values + start, out + start)
                        let scale = unsafe Self.scale(line, width, epsilon)
                        for i in 0..<width { unsafe y[i] = line[i] * scale * weight[i] }
                    }
                }
            }
        }
        guard let tape = Tape.recording(x, weight) else { return y }
        return tape.record(y, backward(x))
    }

    /// 1 / √(mean of squares + ε) of a row.
    private static func scale(
        _ line: UnsafePointer<Float>, _ width: Int, _ epsilon: Float
    ) -> Float {
        unsafe 1 / (line.dot(line, count: width) / Float(width) + epsilon).squareRoot()
    }

    /// With n = x·scale and g = dy·weight: dx = scale·(g − n·mean(g·n)), dweight = Σ dy·n.
    private func backward(_ x: Tensor) -> Tape.Backward {
        let (width, epsilon) = (weight.count, epsilon)
        let (xPlace, weightPlace) = (x.place, weight.place)
        let (x, weight) = (x.detached, weight.detached)
        return { dy, tape in
            var sums = Tensor.zeros([width])
            let dx = unsafe Tensor(uninitialized: x.shape) { dx in
                unsafe Tensor.withRows(x, dy, weight, &sums) { x, dy, weight, sums in
                    let count = dx.count
                    guard let dx = dx.baseAddress else { return }
                    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) {
                        guard let n = $0.baseAddress else { return }
                        let g = unsafe n + width
                        for start in stride(from: 0, to: count, by: width) {
                            let (x, dy) = unsafe (x + start, dy + start)
                            let scale = unsafe Self.scale(x, width, epsilon)
                            for i in 0..<width {
                                unsafe n[i] = x[i] * scale
                                unsafe g[i] = dy[i] * weight[i]
                                unsafe sums[i] += dy[i] * n[i]
                            }
                            let turn = unsafe UnsafePointer(g).dot(n, count: width) / Float(width)
                            let out = unsafe dx + start
                            for i in 0..<width { unsafe out[i] = scale * (g[i] - n[i] * turn) }
                        }
                    }
                }
            }
            tape.add(dx, to: xPlace)
            tape.add(sums, to: weightPlace)
        }
    }

    /// The definition in double precision; the oracle of the tests.
    package static func naive(_ x: Tensor, weight: Tensor, epsilon: Float) -> Tensor {
        let width = weight.count
        let (xs, ws) = (x.values.map(Double.init), weight.values)
        var out: [Float] = []
        for line in 0..<x.count / width {
            let row = xs[line * width..<(line + 1) * width]
            let square = row.reduce(0) { $0 + $1 * $1 } / Double(width)
            for (i, value) in row.enumerated() {
                out.append(Float(value / (square + Double(epsilon)).squareRoot() * Double(ws[i])))
            }
        }
        return Tensor(out, shape: x.shape)
    }
}

extension Tensor {
    /// The memory of a norm's input, its result's gradient, its weight and the weight's gradient; nothing happens for empty ones.
    fileprivate static func withRows(
        _ x: Tensor, _ dy: Tensor, _ weight: Tensor, _ sums: inout Tensor,
        _ body: (
            UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>,
            UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        unsafe sums.withMutableValues { sums in
            unsafe x.withValues { x in
                unsafe dy.withValues { dy in
                    unsafe weight.withValues { weight in
                        guard let x = x.baseAddress, let dy = dy.baseAddress,
                            let weight = weight.baseAddress, let sums = sums.baseAddress
                        else { return }
                        unsafe body(x, dy, weight, sums)
                    }
                }
            }
        }
    }
}
