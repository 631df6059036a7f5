//! What goes from layer to layer: float32 values, or rows that are rounded once for all products that read them.

internal import CRowKernels

/// Rows as a linear layer reads them, made by that layer or by another of the same inputs and precision.
package enum LayerInput: Sendable {
    /// As they are: float32 arithmetic, and training.
    case values(Tensor)
    /// Rounded, of a shape whose innermost axis is the layer's inputs.
    case narrow(RoundedRows)
}

/// Rows that are rounded already; only this room looks inside.
package struct RoundedRows: Sendable {
    let rows: NarrowRows
    /// (…, K)
    let shape: Shape
}

extension Linear {
    /// x (…, K) as this layer reads it.
    package func input(_ x: Tensor) -> LayerInput {
        guard case .panels(let matrix) = weights else { return .values(x) }
        return .narrow(
            RoundedRows(rows: NarrowRows(x, matrix.rowLayout(rows: x.rows)), shape: x.shape))
    }

    /// norm(x) as this layer reads it, for x (…, K).
    package func input(_ x: Tensor, norm: LayerNorm) -> LayerInput {
        guard case .panels(let matrix) = weights, norm.weight.count == x.width else {
            return input(norm(x))
        }
        let rows = NarrowRows(x, norm: norm, matrix.rowLayout(rows: x.rows))
        return .narrow(RoundedRows(rows: rows, shape: x.shape))
    }

    /// residual + f(x·Wᵀ + b), (…, N); without activation f is nothing, without residual nothing is added.
    package func callAsFunction(
        _ x: LayerInput, activation: Activation? = nil, addedTo residual: Tensor? = nil,
        rows: Rows = .together
    ) -> Tensor {
        switch x {
        case .values(let x):
            let y = self(x, rows: rows)
            let z = activation.map { $0(y) } ?? y
            return residual.map { $0 + z } ?? z
        case .narrow(let x):
            let shape = x.shape.replacingLast(with: outputs)
            precondition(
                residual.map { $0.count == shape.elementCount } ?? true, "linear: residual")
            return unsafe Tensor(uninitialized: shape) { out in
                guard let target = out.baseAddress else { return }
                func finish(_ residual: UnsafePointer<Float>?) {
                    let stride = outputs
                    unsafe multiply(
                        x.rows, activation, apart: rows == .apart
                    ) { outcome, row, column in
                        let place = row * stride + column
                        unsafe outcome.wide = unsafe target + place
                        unsafe outcome.wide_stride = stride
                        unsafe outcome.residual = unsafe residual.map { unsafe $0 + place }
                    }
                }
                guard let residual else { return finish(nil) }
                unsafe residual.withValues { unsafe finish($0.baseAddress) }
            }
        }
    }

    /// f(x·Wᵀ + b) as `next` reads it, whose inputs are this layer's outputs.
    package func hidden(
        _ x: LayerInput, activation: Activation, for next: Linear, rows: Rows = .together
    ) -> LayerInput {
        guard case .narrow(let x) = x, case .panels(let matrix) = next.weights else {
            return next.input(self(x, activation: activation, rows: rows))
        }
        let shape = x.shape.replacingLast(with: outputs)
        let layout = matrix.rowLayout(rows: x.rows.layout.rows)
        let halves =
            layout.precision == .bfloat16
            ? NarrowRows(layout) : NarrowRows(.dense(rows: layout.rows, width: outputs))
        write(x.rows, activation, rows: rows, to: halves)
        let ready =
            layout.precision == .bfloat16 ? halves : NarrowRows(quantizing: halves, layout)
        return .narrow(RoundedRows(rows: ready, shape: shape))
    }

    /// x·Wᵀ + b as dense bfloat16 rows; nil where the layer multiplies float32 or the processor no bfloat16.
    func halves(_ x: LayerInput) -> NarrowRows? {
        guard case .narrow(let x) = x, MatrixEngine.multiplies(.bfloat16) else { return nil }
        let halves = NarrowRows(.dense(rows: x.rows.layout.rows, width: outputs))
        write(x.rows, nil, rows: .together, to: halves)
        return halves
    }

    /// Writes f(x·Wᵀ + b) as bfloat16, run by run.
    private func write(
        _ x: NarrowRows, _ activation: Activation?, rows: Rows, to halves: NarrowRows
    ) {
        let layout = halves.layout
        unsafe multiply(x, activation, apart: rows == .apart, within: layout.run) {
            outcome, row, column in
            let first = column / layout.run * layout.run
            let place = layout.place(row: row, first: first) + column - first
            unsafe outcome.halves = unsafe halves.halves + place
            unsafe outcome.halves_stride = min(layout.run, layout.filledWidth - first)
        }
    }

    /// Multiplies, and finishes the sums where `aim` says for the first row and column of a piece; pieces end where runs of `run`
    /// columns do.
    private func multiply(
        _ x: NarrowRows, _ activation: Activation?, apart: Bool, within run: Int? = nil,
        aim: (inout row_outcome, _ row: Int, _ column: Int) -> Void
    ) {
        guard case .panels(let matrix) = weights else {
            preconditionFailure("linear: rounded rows for float32 weights")
        }
        let integers = matrix.precision == .int8
        func multiply(_ bias: UnsafePointer<Float>?) {
            unsafe matrix.scales.withUnsafeBufferPointer { scales in
                unsafe matrix.multiply(x, apart: apart) { sums, rows, columns, stride in
                    guard !rows.isEmpty else { return }
                    var column = columns.lowerBound
                    while column < columns.upperBound {
                        let end = run.map { (column / $0 + 1) * $0 } ?? columns.upperBound
                        var outcome = unsafe row_outcome()
                        unsafe outcome.sums = unsafe sums + (column - columns.lowerBound) * 4
                        unsafe outcome.stride = stride
                        unsafe outcome.rows = rows.count
                        unsafe outcome.columns = min(end, columns.upperBound) - column
                        if integers {
                            unsafe outcome.row_scales = unsafe UnsafePointer(
                                x.scales + rows.lowerBound)
                            unsafe outcome.column_scales = unsafe scales.baseAddress.map {
                                unsafe $0 + column
                            }
                        }
                        unsafe outcome.bias = unsafe bias.map { unsafe $0 + column }
                        let kernel = activation?.kernel ?? (row_identity, 0)
                        unsafe outcome.activation = kernel.0
                        unsafe outcome.slope = kernel.1
                        unsafe aim(&outcome, rows.lowerBound, column)
                        unsafe row_finish(&outcome)
                        column = min(end, columns.upperBound)
                    }
                }
            }
        }
        guard let bias else { return multiply(nil) }
        unsafe bias.withValues { unsafe multiply($0.baseAddress) }
    }
}

extension Activation {
    /// What the row kernels call the activation, and its slope.
    fileprivate var kernel: (row_activation, Float) {
        switch self {
        case .gelu: (row_gelu, 0)
        case .geluTanh: (row_gelu_tanh, 0)
        case .quickGELU: (row_swish, 1.702)
        case .silu: (row_swish, 1)
        case .relu: (row_relu, 0)
        case .squaredReLU: (row_squared_relu, 0)
        }
    }
}

extension Tensor {
    /// The weights (N, K) rounded and packed; nil when oneDNN has no fast product for them on this machine.
    func packedInPanels(_ precision: Precision) -> PanelMatrix? {
        guard shape.rank == 2, count > 0 else { return nil }
        let (outputs, inputs) = (shape[0], shape[1])
        return unsafe withValues { values in
            guard let base = values.baseAddress else { return nil }
            if precision == .int4 {
                return PanelMatrix(unsafe FourBitWeights(base, outputs: outputs, inputs: inputs))
            }
            return unsafe PanelMatrix(
                base, outputs: outputs, inputs: inputs, precision: precision)
        }
    }
}
