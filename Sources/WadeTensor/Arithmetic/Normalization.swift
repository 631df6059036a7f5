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
        return unsafe normalized(x, width: width) { line, out, weight, bias in
            var sum: Float = 0
            for i in 0..<width { unsafe sum += line[i] }
            let mean = sum / Float(width)
            var squares: Float = 0
            for i in 0..<width {
                let difference = unsafe line[i] - mean
                squares += difference * difference
            }
            let scale = 1 / (squares / Float(width) + epsilon).squareRoot()
            if let bias = unsafe bias {
                for i in 0..<width {
                    unsafe out[i] = (line[i] - mean) * scale * weight[i] + bias[i]
                }
            } else {
                for i in 0..<width { unsafe out[i] = (line[i] - mean) * scale * weight[i] }
            }
        }
    }

    private func normalized(
        _ x: Tensor, width: Int,
        row: (
            UnsafePointer<Float>, UnsafeMutablePointer<Float>, UnsafePointer<Float>,
            UnsafePointer<Float>?
        ) -> Void
    ) -> Tensor {
        unsafe Tensor(uninitialized: x.shape) { out in
            unsafe x.withValues { values in
                unsafe weight.withValues { weight in
                    guard let source = values.baseAddress, let target = out.baseAddress,
                        let weight = weight.baseAddress
                    else { return }
                    let lines = x.count / width
                    if let bias {
                        unsafe bias.withValues { bias in
                            for line in 0..<lines {
                                unsafe row(
                                    source + line * width, target + line * width, weight,
                                    bias.baseAddress)
                            }
                        }
                    } else {
                        for line in 0..<lines {
                            unsafe row(source + line * width, target + line * width, weight, nil)
                        }
                    }
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
        return unsafe Tensor(uninitialized: x.shape) { out in
            unsafe x.withValues { values in
                unsafe weight.withValues { weight in
                    for line in 0..<x.count / width {
                        let start = line * width
                        var squares: Float = 0
                        for i in start..<start + width { unsafe squares += values[i] * values[i] }
                        let scale = 1 / (squares / Float(width) + epsilon).squareRoot()
                        for i in 0..<width {
                            unsafe out[start + i] = values[start + i] * scale * weight[i]
                        }
                    }
                }
            }
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
