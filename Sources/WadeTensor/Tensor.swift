//! A row-major float32 tensor: a shape and a window into shared storage.

/// Float32 values in row-major order. A value type: writing copies storage that somebody else still sees.
package struct Tensor: Sendable {
    /// The axis sizes, outermost first.
    package let shape: Shape
    private(set) var storage: Storage
    private let offset: Int
    /// Where the tensor stands on a tape; nil for constants, which cost nothing.
    private(set) var node: Node?

    /// A tensor over `storage`, starting at value `offset`.
    init(storage: Storage, offset: Int = 0, shape: Shape, node: Node? = nil) {
        precondition(
            offset >= 0 && offset + shape.elementCount <= storage.count,
            "tensor \(shape) does not fit its storage")
        self.shape = shape
        self.storage = storage
        self.offset = offset
        self.node = node
    }

    /// A tensor of the given values, whose count must match the shape.
    package init(_ values: [Float], shape: Shape) {
        precondition(
            values.count == shape.elementCount, "tensor: \(values.count) values for \(shape)")
        unsafe self.init(uninitialized: shape) { out in
            unsafe _ = out.update(fromContentsOf: values)
        }
    }

    /// A tensor whose every value is `value`.
    package init(repeating value: Float, shape: Shape) {
        unsafe self.init(uninitialized: shape) { out in unsafe out.update(repeating: value) }
    }

    /// A tensor of the values of `pattern`, over and over; fast, for weights whose values do not matter.
    package init(cycling pattern: [Float], shape: Shape) {
        precondition(!pattern.isEmpty, "tensor: an empty pattern")
        unsafe self.init(uninitialized: shape) { out in
            unsafe pattern.withUnsafeBufferPointer { pattern in
                var start = 0
                while start < out.count {
                    let end = min(start + pattern.count, out.count)
                    unsafe _ = UnsafeMutableBufferPointer(rebasing: out[start..<end])
                        .update(fromContentsOf: pattern[..<(end - start)])
                    start = end
                }
            }
        }
    }

    /// A tensor whose memory `fill` must write completely.
    init(
        uninitialized shape: Shape, fill: (UnsafeMutableBufferPointer<Float>) throws -> Void
    ) rethrows {
        let storage = Storage(count: shape.elementCount)
        unsafe try fill(storage.values)
        self.init(storage: storage, shape: shape)
    }

    /// Zeros of the given shape.
    package static func zeros(_ shape: Shape) -> Tensor { Tensor(repeating: 0, shape: shape) }

    /// The number of values.
    package var count: Int { shape.elementCount }

    /// The size of the innermost axis; 1 for a scalar.
    package var width: Int { shape.rank == 0 ? 1 : shape[-1] }

    /// The number of rows when all but the innermost axis are flattened.
    package var rows: Int { width == 0 ? 0 : count / width }

    /// A copy of the values in row-major order.
    package var values: [Float] { unsafe withValues { unsafe Array($0) } }

    /// Whether both are the same window into the same memory: the same values, without looking at them.
    package func isSameWindow(as other: Tensor) -> Bool {
        storage === other.storage && offset == other.offset && shape == other.shape
    }

    /// The same values under another shape with the same element count.
    package func reshaped(_ shape: Shape) -> Tensor {
        precondition(shape.elementCount == count, "cannot reshape \(self.shape) to \(shape)")
        // Gradients are gathered in row-major order, so the place on the tape stays the same.
        return Tensor(storage: storage, offset: offset, shape: shape, node: node)
    }

    /// The same values at another place on a tape.
    func attached(to node: Node?) -> Tensor {
        Tensor(storage: storage, offset: offset, shape: shape, node: node)
    }

    /// Entry `index` of the outermost axis, without copying.
    package subscript(index: Int) -> Tensor {
        let inner = Shape(Array(shape.sizes.dropFirst()))
        precondition(index >= 0 && index < shape[0], "index \(index) outside \(shape)")
        return window(offset: index * inner.elementCount, shape: inner)
    }

    /// Entries `range` of the outermost axis, without copying.
    package subscript(range: Range<Int>) -> Tensor {
        let inner = shape.sizes.dropFirst().reduce(1, *)
        precondition(
            range.lowerBound >= 0 && range.upperBound <= shape[0], "\(range) outside \(shape)")
        if range.count == shape[0] { return self }
        return window(
            offset: range.lowerBound * inner, shape: Shape([range.count] + shape.sizes.dropFirst()))
    }

    /// The values from `first` on, without copying.
    private func window(offset first: Int, shape: Shape) -> Tensor {
        let part = Tensor(storage: storage, offset: offset + first, shape: shape)
        guard let tape = Tape.recording(self) else { return part }
        let place = self.place
        return tape.record(part) { dy, tape in
            unsafe tape.accumulatePart(into: place) { sum in
                unsafe dy.withValues { dy in
                    for i in 0..<dy.count { unsafe sum[first + i] += dy[i] }
                }
            }
        }
    }

    /// Reads the values in place; the buffer is valid during the call only.
    func withValues<Result>(
        _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        let window = unsafe UnsafeBufferPointer(rebasing: storage.values[offset..<offset + count])
        defer { withExtendedLifetime(storage) {} }
        return unsafe try body(window)
    }

    /// Writes the values in place; copies first when the storage is shared or mapped. The tensor leaves its tape: what is written
    /// is no longer what was recorded there.
    mutating func withMutableValues<Result>(
        _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        node = nil
        if storage.isMapped || !isKnownUniquelyReferenced(&storage) {
            self = copy()
        }
        let window = unsafe UnsafeMutableBufferPointer(
            rebasing: storage.values[offset..<offset + count])
        return unsafe try body(window)
    }

    /// The same values in storage of their own.
    package func copy() -> Tensor {
        unsafe Tensor(uninitialized: shape) { out in
            unsafe withValues { values in unsafe _ = out.update(fromContentsOf: values) }
        }.attached(to: node)
    }
}
