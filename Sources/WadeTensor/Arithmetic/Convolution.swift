//! Convolution over pictures whose channels lie innermost, as matrix products over gathered windows.

/// A two-dimensional convolution with TensorFlow's SAME padding and optional groups.
///
/// Feature maps are (F, Y, X, C), so that a 1 × 1 kernel is a `Linear` and a window is a few contiguous runs.
package struct Convolution: Sendable {
    /// C
    package let inputs: Int
    /// O
    package let outputs: Int
    /// K, the side of the square kernel.
    package let kernel: Int
    /// S, the step in both directions.
    package let stride: Int
    /// One layer per group: (K·K·C/groups) to O/groups.
    private let groups: [Linear]

    /// How many windows are gathered at a time; bounds memory at a few megabytes.
    private static let windowLimit = 2048

    /// Packs `weight` (O, C/groups, K, K) as PyTorch has it, and `bias` (O).
    package init(
        weight: Tensor, bias: Tensor? = nil, stride: Int = 1, groups: Int = 1,
        arithmetic: Arithmetic
    ) {
        precondition(
            weight.shape.rank == 4 && weight.shape[2] == weight.shape[3] && stride > 0
                && groups > 0 && weight.shape[0] % groups == 0
                && (bias.map { $0.count == weight.shape[0] } ?? true),
            "convolution: weight \(weight.shape), \(groups) groups")
        weight.requireUnwatched("convolution")
        bias?.requireUnwatched("convolution")
        let (depth, area) = (weight.shape[1], weight.shape[2] * weight.shape[2])
        self.init(
            shape: weight.shape, bias: bias, stride: stride, groups: groups, arithmetic: arithmetic
        ) { rows in
            // (own, depth, area) to (own, area, depth), the order in which windows are gathered.
            let reordered = rows.map { weight[$0].reshaped([depth, area]).transposed() }
            return Tensor.concatenated(reordered).reshaped([rows.count, area * depth])
        }
    }

    /// A convolution of the right shape that must not be run, whose weights (O, C/groups, K, K) nobody reads.
    package init(
        unread shape: Shape, bias: Tensor, stride: Int, groups: Int, arithmetic: Arithmetic
    ) {
        self.init(
            shape: shape, bias: bias, stride: stride, groups: groups,
            arithmetic: Arithmetic(engine: .openBLAS)
        ) { rows in
            // Memory that nobody touches is never given.
            unsafe Tensor(
                uninitialized: [rows.count, shape.sizes.dropFirst().reduce(1, *)]) { _ in }
        }
    }

    /// `matrix` makes the layer of a group from its rows of the weight.
    private init(
        shape: Shape, bias: Tensor?, stride: Int, groups: Int, arithmetic: Arithmetic,
        matrix: (Range<Int>) -> Tensor
    ) {
        let outputs = shape[0]
        self.inputs = shape[1] * groups
        self.outputs = outputs
        self.kernel = shape[2]
        self.stride = stride
        let own = outputs / groups
        self.groups = (0..<groups).map { group in
            let rows = group * own..<(group + 1) * own
            let weight = matrix(rows)
            return Linear(
                weight: weight, bias: bias?.reshaped([outputs])[rows],
                arithmetic: arithmetic.ofLayer(weights: weight.count))
        }
    }

    /// x (F, Y, X, C) to (F, ⌈Y/S⌉, ⌈X/S⌉, O).
    package func callAsFunction(_ x: Tensor) -> Tensor {
        precondition(
            x.shape.rank == 4 && x.shape[3] == inputs, "convolution: \(inputs) from \(x.shape)")
        x.requireUnwatched("convolution")
        if kernel == 1 && stride == 1 && groups.count == 1 { return groups[0](x) }
        let (down, across) = (steps(over: x.shape[1]), steps(over: x.shape[2]))
        var out = Tensor.zeros([x.shape[0], down, across, outputs])
        let strip = max(1, Self.windowLimit / max(across, 1))
        for frame in 0..<x.shape[0] {
            for first in Swift.stride(from: 0, to: down, by: strip) {
                let rows = first..<min(first + strip, down)
                for (group, linear) in groups.enumerated() {
                    let y = linear(windows(of: x[frame], rows: rows, across: across, group: group))
                    out.write(
                        y, at: (frame * down + first) * across, column: group * linear.outputs)
                }
            }
        }
        return out
    }

    /// The windows of the output rows `rows` of one picture (Y, X, C): (rows · across, K·K·C/groups), zero outside the picture.
    private func windows(of x: Tensor, rows: Range<Int>, across: Int, group: Int) -> Tensor {
        let (height, width) = (x.shape[0], x.shape[1])
        let depth = inputs / groups.count
        let (above, left) = (padding(before: height), padding(before: width))
        return unsafe Tensor(
            uninitialized: [rows.count * across, kernel * kernel * depth]
        ) { out in
            unsafe out.update(repeating: 0)
            unsafe x.withValues { x in
                guard let source = x.baseAddress, var target = out.baseAddress else { return }
                for row in rows {
                    for column in 0..<across {
                        for ky in 0..<kernel {
                            let y = row * stride + ky - above
                            for kx in 0..<kernel {
                                let at = column * stride + kx - left
                                if y >= 0 && y < height && at >= 0 && at < width {
                                    unsafe target.update(
                                        from: source + (y * width + at) * inputs + group * depth,
                                        count: depth)
                                }
                                unsafe target += depth
                            }
                        }
                    }
                }
            }
        }
    }

    /// ⌈size/S⌉
    private func steps(over size: Int) -> Int { (size + stride - 1) / stride }

    /// SAME padding: just enough for the last window, the smaller half before the picture.
    private func padding(before size: Int) -> Int {
        max((steps(over: size) - 1) * stride + kernel - size, 0) / 2
    }

    /// The definition, one product at a time in double precision; the oracle of the tests.
    package static func naive(
        _ x: Tensor, weight: Tensor, bias: Tensor, stride: Int, groups: Int
    ) -> Tensor {
        let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
        let (outputs, depth, kernel) = (weight.shape[0], weight.shape[1], weight.shape[2])
        let (down, across) = ((height + stride - 1) / stride, (width + stride - 1) / stride)
        let above = max((down - 1) * stride + kernel - height, 0) / 2
        let left = max((across - 1) * stride + kernel - width, 0) / 2
        let (xs, ws, bs) = (x.values, weight.values, bias.values)
        var out: [Float] = []
        for index in 0..<x.shape[0] * down * across * outputs {
            let (o, column) = (index % outputs, index / outputs % across)
            let (row, frame) = (index / outputs / across % down, index / outputs / across / down)
            var sum = Double(bs[o])
            for tap in 0..<depth * kernel * kernel {
                let (c, ky, kx) = (tap / kernel / kernel, tap / kernel % kernel, tap % kernel)
                let (y, at) = (row * stride + ky - above, column * stride + kx - left)
                guard y >= 0, y < height, at >= 0, at < width else { continue }
                let channel = o / (outputs / groups) * depth + c
                sum +=
                    Double(xs[((frame * height + y) * width + at) * channels + channel])
                    * Double(ws[o * depth * kernel * kernel + tap])
            }
            out.append(Float(sum))
        }
        return Tensor(out, shape: [x.shape[0], down, across, outputs])
    }
}

extension Tensor {
    /// Writes rows (n, W) over columns `column`…`column + W` of rows `row`… of this tensor.
    fileprivate mutating func write(_ rows: Tensor, at row: Int, column: Int) {
        let width = self.width
        unsafe withMutableValues { out in
            unsafe rows.withValues { values in
                guard let out = out.baseAddress, let values = values.baseAddress else { return }
                for i in 0..<rows.rows {
                    unsafe (out + (row + i) * width + column).update(
                        from: values + i * rows.width, count: rows.width)
                }
            }
        }
    }
}
