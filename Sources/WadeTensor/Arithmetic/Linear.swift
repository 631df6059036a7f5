//! y = x·Wᵀ + b, with the weights packed once for the library that multiplies.

/// A linear layer as PyTorch defines it: weight (N, K), optional bias (N).
package struct Linear: Sendable {
    /// K, the width of what comes in.
    package let inputs: Int
    /// N, the width of what goes out.
    package let outputs: Int
    let weights: PackedWeights
    let bias: Tensor?
    /// What is multiplied is rounded to this first, where the weights themselves are kept as float32.
    let rounding: Precision

    /// The weights in the layout of whoever multiplies.
    enum PackedWeights: Sendable {
        case rowMajor(Tensor, Arithmetic)
        case blocked(PackedMatrix)
        case panels(PanelMatrix)
    }

    /// Packs `weight` (N, K) and `bias` (N) for the given arithmetic.
    package init(weight: Tensor, bias: Tensor? = nil, arithmetic: Arithmetic) {
        precondition(weight.shape.rank == 2, "linear: weight has shape \(weight.shape)")
        precondition(
            bias.map { $0.count == weight.shape[0] } ?? true, "linear: bias does not fit")
        outputs = weight.shape[0]
        inputs = weight.shape[1]
        self.bias = bias
        // Weights that change at every step are not worth packing.
        if weight.isWatched || bias?.isWatched ?? false || arithmetic.allowsGradients {
            weights = .rowMajor(weight, arithmetic)
            rounding = .float32
            return
        }
        if arithmetic.isNarrow, let panels = weight.packedInPanels(arithmetic.precision) {
            weights = .panels(panels)
            rounding = .float32
            return
        }
        // Without instructions for them, rounded numbers are multiplied as float32.
        rounding = arithmetic.precision.ofRows
        let weight = weight.rounded(to: arithmetic.precision)
        if arithmetic.engine == .oneDNN {
            let hasBias = bias != nil
            let packed = unsafe weight.withValues { values -> PackedMatrix? in
                guard let base = values.baseAddress else { return nil }
                return unsafe PackedMatrix(
                    base, outputs: weight.shape[0], inputs: weight.shape[1], hasBias: hasBias)
            }
            if let packed {
                weights = .blocked(packed)
                return
            }
        }
        weights = .rowMajor(weight, Arithmetic(engine: arithmetic.engine))
    }

    /// The layer whose weight is `name` (N, K) of `weights`. Weights that were packed before are used where they lie.
    package init(
        _ weights: Weights, _ name: String, from inputs: Int, to outputs: Int, bias: Tensor? = nil,
        arithmetic: Arithmetic
    ) throws {
        let shape: Shape = [outputs, inputs]
        let packed = try weights.packed(name, shape: shape)
        if arithmetic.isNarrow, let packed, packed.isKept(for: arithmetic.precision),
            MatrixEngine.multiplies(packed.precision), let panels = try packed.panels()
        {
            self.init(panels, bias: bias)
        } else {
            // Weights of four bits are bfloat16 numbers; rounded to four bits once more they would be others.
            let isRounded = arithmetic.precision == .int4 && packed?.precision == .int4
            self.init(
                weight: try weights.tensor(name, shape: shape), bias: bias,
                arithmetic: isRounded
                    ? Arithmetic(engine: arithmetic.engine, precision: .bfloat16)
                    : arithmetic.ofLayer(weights: shape.elementCount))
            weights.forget(name, copiedBy: self)
        }
        weights.note(name, self)
    }

    /// A product with the rows of an embedding, which have no weights of their own; packed, they are those of `weights`.
    package init(tied embedding: Tensor, _ weights: Weights, arithmetic: Arithmetic) {
        self.init(
            weight: embedding, arithmetic: arithmetic.ofLayer(weights: embedding.count))
        weights.note("weight", self)
    }

    /// Takes weights that are packed already, and `bias` (N).
    init(_ panels: PanelMatrix, bias: Tensor?) {
        precondition(bias.map { $0.count == panels.outputs } ?? true, "linear: bias does not fit")
        outputs = panels.outputs
        inputs = panels.inputs
        self.bias = bias
        weights = .panels(panels)
        rounding = .float32
    }

    /// A product with a matrix that was computed itself and is used once: nothing is packed.
    init(weight: Tensor, engine: MatrixEngine) {
        precondition(weight.shape.rank == 2, "linear: weight has shape \(weight.shape)")
        outputs = weight.shape[0]
        inputs = weight.shape[1]
        bias = nil
        weights = .rowMajor(weight, Arithmetic(engine: engine))
        rounding = .float32
    }

    /// Whether a row's result has the same bits for any number of rows, so that `rowwise` need not fill up tiles.
    var rowsAreAlike: Bool {
        switch weights {
        case .rowMajor: false
        case .blocked: MatrixEngine.packedRowsAreAlike
        // Sums of integers are exact or rounded one by one; those of bfloat16 are cut into tiles elsewhere.
        case .panels(let matrix): matrix.precision == .int8
        }
    }

    /// Whether rows are rounded before they are multiplied with weights of low precision.
    var isNarrow: Bool {
        if case .panels = weights { true } else { false }
    }

    /// x (…, K) to (…, N).
    package func callAsFunction(_ x: Tensor) -> Tensor {
        precondition(x.width == inputs, "linear: x is \(x.shape), weight (\(outputs), \(inputs))")
        guard !isNarrow else { return self(input(x)) }
        let y = product(x.rounded(to: rounding))
        switch weights {
        case .blocked, .panels:
            precondition(!x.isWatched, "no gradient of packed weights; allowsGradients keeps them")
            return y
        case .rowMajor(let weight, let arithmetic):
            guard let tape = Tape.recording(x, weight, bias) else { return y }
            return tape.record(y, backward(x, weight, arithmetic))
        }
    }

    private func product(_ x: Tensor) -> Tensor {
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
                case .panels: preconditionFailure("linear: rows that were not rounded")
                case .rowMajor(let weight, let arithmetic):
                    unsafe weight.withValues { matrix in
                        guard let matrix = matrix.baseAddress else { return }
                        unsafe arithmetic.engine.multiply(
                            m: rows, n: outputs, k: inputs,
                            MatrixOperand(source, stride: inputs),
                            MatrixOperand(matrix, stride: inputs, transposed: true),
                            into: target, stride: outputs, precision: arithmetic.precision)
                    }
                    unsafe addBias(to: target, rows: rows)
                }
            }
        }
    }

    /// dx = dy·W, dW = dyᵀ·x, db = the sum of dy's rows; each only where it is watched.
    private func backward(_ x: Tensor, _ weight: Tensor, _ arithmetic: Arithmetic)
        -> Tape.Backward
    {
        let (n, k, rows) = (outputs, inputs, x.rows)
        let (engine, precision) = (arithmetic.engine, arithmetic.precision)
        let (xPlace, weightPlace, biasPlace) = (x.place, weight.place, bias?.place)
        // What a gradient does not need is not kept.
        let x = weightPlace == nil ? nil : x.detached
        let weight = xPlace == nil ? nil : weight.detached
        return { dy, tape in
            unsafe dy.withValues { dy in
                guard let dy = dy.baseAddress else { return }
                unsafe weight?.withValues { weight in
                    guard let weight = weight.baseAddress else { return }
                    unsafe tape.accumulate(into: xPlace) { dx, keep in
                        unsafe engine.multiply(
                            m: rows, n: k, k: n, MatrixOperand(dy, stride: n),
                            MatrixOperand(weight, stride: k), keep: keep, into: dx, stride: k,
                            precision: precision)
                    }
                }
                unsafe x?.withValues { x in
                    guard let x = x.baseAddress else { return }
                    unsafe tape.accumulate(into: weightPlace) { dw, keep in
                        unsafe engine.multiply(
                            m: n, n: k, k: rows, MatrixOperand(dy, stride: n, transposed: true),
                            MatrixOperand(x, stride: k), keep: keep, into: dw, stride: k,
                            precision: precision)
                    }
                }
                unsafe tape.accumulatePart(into: biasPlace) { db in
                    unsafe db.addRows(of: dy, count: rows, width: n)
                }
            }
        }
    }

    private func addBias(to out: UnsafeMutablePointer<Float>, rows: Int) {
        guard let bias else { return }
        unsafe bias.withValues { bias in
            guard let bias = bias.baseAddress else { return }
            for row in 0..<rows {
                unsafe (out + row * outputs).addRows(of: bias, count: 1, width: outputs)
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
