//! Rows as products of low precision read them: bfloat16, or 8-bit integers with a scale for each row.

internal import CRowKernels

/// Rounded rows. They lie in runs of columns, the rows of a run one after the other, and their number is filled up to whole tiles.
///
/// `@unchecked Sendable`: written by whoever makes them, read-only afterwards.
@safe final class NarrowRows: @unchecked Sendable {
    /// How rows of a width are laid out for weights in `PanelMatrix`.
    struct Layout: Equatable {
        let rows: Int
        let width: Int
        let precision: Precision
        /// Columns of a run.
        let run: Int
        /// Columns with those that a product needs at least.
        let filledWidth: Int

        /// Rows with those that fill up the last tile.
        var filledRows: Int { (rows + NarrowRows.tile - 1) / NarrowRows.tile * NarrowRows.tile }
        var bytesPerValue: Int { precision == .int8 ? 1 : 2 }
        var byteCount: Int { filledRows * filledWidth * bytesPerValue }

        /// bfloat16 rows one after the other.
        static func dense(rows: Int, width: Int) -> Layout {
            Layout(
                rows: rows, width: width, precision: .bfloat16, run: max(width, 1),
                filledWidth: width)
        }

        /// Where row `row` of the run that begins with column `first` starts, in values.
        func place(row: Int, first: Int) -> Int {
            first * filledRows + row * min(run, filledWidth - first)
        }

        fileprivate var kernelLayout: row_layout {
            row_layout(
                rows: rows, rows_with_filler: filledRows, width: width, padded: filledWidth,
                chunk: run)
        }
    }

    /// Rows that AMX multiplies at once; below, oneDNN has slow code only for some layouts.
    static let tile = 16

    let layout: Layout
    let base: UnsafeMutableRawPointer
    /// One for each row, for integers only.
    let scales: UnsafeMutablePointer<Float>

    init(_ layout: Layout) {
        self.layout = layout
        let byteCount = max(layout.byteCount, 64)
        unsafe base = .allocate(byteCount: byteCount, alignment: 64)
        if layout.filledRows != layout.rows || layout.filledWidth != layout.width {
            unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        }
        unsafe scales = .allocate(capacity: max(layout.filledRows, 1))
        unsafe scales.initialize(repeating: 0, count: max(layout.filledRows, 1))
    }

    deinit {
        unsafe base.deallocate()
        unsafe scales.deallocate()
    }

    /// The bfloat16 numbers.
    var halves: UnsafeMutablePointer<UInt16> {
        unsafe base.assumingMemoryBound(to: UInt16.self)
    }

    /// The integers.
    var integers: UnsafeMutablePointer<Int8> {
        unsafe base.assumingMemoryBound(to: Int8.self)
    }

    /// x (…, width) rounded.
    convenience init(_ x: Tensor, _ layout: Layout) {
        precondition(x.rows == layout.rows && x.width == layout.width, "rows \(x.shape)")
        self.init(layout)
        unsafe x.withValues { x in
            guard let x = x.baseAddress else { return }
            if layout.precision == .int8 {
                unsafe row_quantize(x, nil, layout.kernelLayout, integers, scales)
            } else {
                unsafe row_round(x, layout.kernelLayout, halves)
            }
        }
    }

    /// norm(x) rounded, for x (…, width).
    convenience init(_ x: Tensor, norm: LayerNorm, _ layout: Layout) {
        precondition(
            x.rows == layout.rows && x.width == layout.width && norm.weight.count == layout.width,
            "rows \(x.shape), norm \(norm.weight.shape)")
        self.init(layout)
        let kept = layout.precision == .int8
        unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: layout.width) { line in
            unsafe x.withValues { x in
                unsafe norm.weight.withValues { weight in
                    guard let line = line.baseAddress, let x = x.baseAddress,
                        let weight = weight.baseAddress
                    else { return }
                    func run(_ bias: UnsafePointer<Float>?) {
                        unsafe row_layer_norm(
                            x, layout.kernelLayout, weight, bias, norm.epsilon, line,
                            kept ? nil : halves, kept ? integers : nil, scales)
                    }
                    guard let bias = norm.bias else { return run(nil) }
                    unsafe bias.withValues { unsafe run($0.baseAddress) }
                }
            }
        }
    }

    /// Dense bfloat16 rows as integers.
    convenience init(quantizing rows: NarrowRows, _ layout: Layout) {
        precondition(
            layout.precision == .int8 && rows.layout.precision == .bfloat16
                && rows.layout == .dense(rows: layout.rows, width: layout.width),
            "quantize: rows are not dense")
        self.init(layout)
        unsafe row_quantize(nil, rows.halves, layout.kernelLayout, integers, scales)
    }

    /// The rounded values, (rows, width): what a product multiplies, for tests.
    var values: Tensor {
        var out = [Float](repeating: 0, count: layout.rows * layout.width)
        for row in 0..<layout.rows {
            for first in stride(from: 0, to: layout.width, by: layout.run) {
                let place = layout.place(row: row, first: first)
                for column in first..<min(first + layout.run, layout.width) {
                    let at = place + column - first
                    out[row * layout.width + column] =
                        layout.precision == .int8
                        ? unsafe Float(integers[at]) * scales[row]
                        : unsafe float32(bfloat16Bits: halves[at])
                }
            }
        }
        return Tensor(out, shape: [layout.rows, layout.width])
    }
}

extension Tensor {
    /// Every value to the nearest that `precision` has, rows being quantised one by one: the definition of what is multiplied, and
    /// what is multiplied in float32 where a processor has no instructions for it.
    package func rounded(to precision: Precision) -> Tensor {
        var values = self.values
        switch precision {
        case .float32: return self
        case .bfloat16:
            for i in values.indices { values[i] = float32(bfloat16Bits: bfloat16Bits(values[i])) }
        case .int4:
            for start in stride(from: 0, to: count, by: max(width, 1)) {
                for first in stride(from: start, to: start + width, by: FourBitWeights.group) {
                    let group = first..<min(first + FourBitWeights.group, start + width)
                    let rounded = unsafe values[group].withUnsafeBufferPointer {
                        unsafe RoundedGroup($0).values
                    }
                    values.replaceSubrange(group, with: rounded)
                }
            }
        case .int8:
            for start in stride(from: 0, to: count, by: max(width, 1)) {
                let row = start..<start + width
                let largest = values[row].reduce(0) { max($0, abs($1)) }
                let (inverse, scale) = (largest > 0 ? 127 / largest : 0, largest / 127)
                for i in row {
                    values[i] = (values[i] * inverse).rounded(.toNearestOrEven) * scale
                }
            }
        }
        return Tensor(values, shape: shape)
    }
}
