//! y = x·Wᵀ + b, with the weights packed once for the library that multiplies.

/// A linear layer as PyTorch defines it: weight (N, K), optional bias (N).
package struct Linear: Sendable {
    /// K, the width of what comes in.
    package let inputs: Int
    /// N, the width of what goes out.
    package let outputs: Int
    private let weights: PackedWeights
    private let bias: Tensor?

    /// The weights in the layout of whoever multiplies; further precisions are further cases.
    private enum PackedWeights: Sendable {
        case rowMajor(Tensor, MatrixEngine)
        case blocked(PackedMatrix)
    }

    /// Packs `weight` (N, K) and `bias` (N) for the given arithmetic.
    package init(weight: Tensor, bias: Tensor? = nil, arithmetic: Arithmetic) {
        precondition(weight.shape.rank == 2, "linear: weight has shape \(weight.shape)")
        precondition(
            bias.map { $0.count == weight.shape[0] } ?? true, "linear: bias does not fit")
        outputs = weight.shape[0]
        inputs = weight.shape[1]
        self.bias = bias
        switch (arithmetic.engine, arithmetic.precision) {
        case (.oneDNN, .float32):
            let packed = unsafe weight.withValues { values -> PackedMatrix? in
                guard let base = values.baseAddress else { return nil }
                return unsafe PackedMatrix(
                    base, outputs: weight.shape[0], inputs: weight.shape[1], hasBias: bias != nil)
            }
            weights = packed.map { .blocked($0) } ?? .rowMajor(weight, .openBLAS)
        case (.openBLAS, .float32):
            weights = .rowMajor(weight, .openBLAS)
        }
    }

    /// x (…, K) to (…, N).
    package func callAsFunction(_ x: Tensor) -> Tensor {
        precondition(x.width == inputs, "linear: x is \(x.shape), weight (\(outputs), \(inputs))")
        let rows = x.rows
        return unsafe Tensor(uninitialized: x.shape.replacingLast(with: outputs)) { out in
            guard rows > 0, let target = out.baseAddress else { return }
            unsafe x.withValues { source in
                guard let source = source.baseAddress else { return }
                switch weights {
                case .blocked(let matrix):
                    if let bias {
                        unsafe bias.withValues {
                            unsafe matrix.multiply(
                                source, rows: rows, bias: $0.baseAddress, into: target)
                        }
                    } else {
                        unsafe matrix.multiply(source, rows: rows, bias: nil, into: target)
                    }
                case .rowMajor(let weight, let engine):
                    unsafe weight.withValues { matrix in
                        guard let matrix = matrix.baseAddress else { return }
                        unsafe engine.multiply(
                            m: rows, n: outputs, k: inputs,
                            MatrixOperand(source, stride: inputs),
                            MatrixOperand(matrix, stride: inputs, transposed: true),
                            into: target, stride: outputs)
                    }
                    unsafe addBias(to: target, rows: rows)
                }
            }
        }
    }

    private func addBias(to out: UnsafeMutablePointer<Float>, rows: Int) {
        guard let bias else { return }
        unsafe bias.withValues { bias in
            for row in 0..<rows {
                let line = unsafe out + row * outputs
                for column in 0..<outputs { unsafe line[column] += bias[column] }
            }
        }
    }

    /// The definition, one product at a time in double precision; the oracle of the tests.
    package static func naive(_ x: Tensor, weight: Tensor, bias: Tensor?) -> Tensor {
        let (n, k) = (weight.shape[0], weight.shape[1])
        let (xs, ws, bs) = (x.values, weight.values, bias?.values)
        var out = [Float](repeating: 0, count: x.rows * n)
        for row in 0..<x.rows {
            for column in 0..<n {
                var sum = Double(bs?[column] ?? 0)
                for i in 0..<k { sum += Double(xs[row * k + i]) * Double(ws[column * k + i]) }
                out[row * n + column] = Float(sum)
            }
        }
        return Tensor(out, shape: x.shape.replacingLast(with: n))
    }
}
