//! One tensor as a file stores it: nothing of it is read until somebody asks.

/// A named window into a mapped file, possibly strided. Every element lies inside the file: checked when it is made.
package struct StoredTensor: Sendable {
    /// The name in the file.
    package let name: String
    /// The number format in the file.
    package let elementType: ElementType
    /// The axis sizes, outermost first.
    package let shape: Shape
    /// The file's path, for messages.
    package let file: String
    let mapping: MappedFile
    /// The byte in the file where element 0 starts.
    let offset: Int
    /// Elements between neighbours along each axis; nil when the elements lie in row-major order without holes.
    let strides: [Int]?

    /// A tensor in bytes `region` of a file, starting at element `first` of that region; nil strides mean row-major order.
    ///
    /// Throws `TensorError.malformedTensor` when an element lies outside the region or there are more elements than the
    /// region has (as in an expanded view), because reading those would take more memory than the file's size.
    init(
        name: String, elementType: ElementType, shape: Shape, in mapping: MappedFile,
        region: Range<Int>, first: Int = 0, strides: [Int]? = nil
    ) throws {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.file = mapping.path
        self.mapping = mapping
        precondition(region.lowerBound >= 0 && region.upperBound <= mapping.count)
        let available = region.count / elementType.byteCount
        let strides = strides.flatMap { StoredTensor.isRowMajor($0, shape) ? nil : $0 }
        let extent = StoredTensor.extent(of: shape, strides: strides)
        guard first >= 0, first <= available, let extent, extent <= available - first,
            shape.elementCount <= available
        else {
            let layout = strides.map { " with strides \($0)" } ?? ""
            throw TensorError.malformedTensor(
                file: mapping.path, name: name,
                found: "shape \(shape)\(layout) from element \(first)",
                expected: "all elements within the \(available) that are stored")
        }
        self.strides = strides
        offset = region.lowerBound + first * elementType.byteCount
    }

    /// The same elements in another order: `strides` count elements from element `first` of this tensor, which must lie in
    /// row-major order itself. Throws when an element would lie outside.
    package func view(shape: Shape, strides: [Int], first: Int = 0) throws -> StoredTensor {
        guard self.strides == nil else {
            throw TensorError.malformedTensor(
                file: file, name: name, found: "a strided tensor",
                expected: "elements in row-major order")
        }
        return try StoredTensor(
            name: name, elementType: elementType, shape: shape, in: mapping,
            region: offset..<offset + byteCount, first: first, strides: strides)
    }

    /// The number of bytes of the elements.
    package var byteCount: Int { shape.elementCount * elementType.byteCount }

    /// Gives back the memory of elements that have been copied; they can be read again.
    func forget() {
        guard strides == nil else { return }
        mapping.forget(offset..<offset + byteCount)
    }

    /// The values as float32: a window into the mapped file when they lie there as float32, else converted
    /// (float16 and bfloat16 exactly, float64 rounded). Throws when the elements are not floating-point numbers.
    package func float32() throws -> Tensor {
        guard elementType.isFloatingPoint else { throw wrongType(expected: "floating point") }
        if elementType == .float32, strides == nil,
            let storage = Storage(file: mapping, offset: offset, count: shape.elementCount)
        {
            return Tensor(storage: storage, shape: shape)
        }
        return unsafe Tensor(uninitialized: shape) { out in
            unsafe forEachChunk { first, bytes in
                let count = bytes.count / elementType.byteCount
                unsafe widen(
                    bytes, from: elementType, into: .init(rebasing: out[first..<first + count]))
            }
        }
    }

    /// The values as integers; booleans as 0 and 1. Throws for floats and for values beyond `Int.max`.
    package func int64() throws -> [Int] {
        switch elementType {
        case .bool: return try uint8().map { $0 == 0 ? 0 : 1 }
        case .uint8: return try integers(UInt8.self)
        case .int8: return try integers(Int8.self)
        case .int16: return try integers(Int16.self)
        case .uint16: return try integers(UInt16.self)
        case .int32: return try integers(Int32.self)
        case .uint32: return try integers(UInt32.self)
        case .int64: return try integers(Int64.self)
        case .uint64: return try integers(UInt64.self)
        default: throw wrongType(expected: "integers")
        }
    }

    /// The bytes of a U8 or BOOL tensor.
    package func uint8() throws -> [UInt8] {
        guard elementType == .uint8 || elementType == .bool else {
            throw wrongType(expected: "U8 or BOOL")
        }
        var result: [UInt8] = []
        result.reserveCapacity(shape.elementCount)
        unsafe forEachChunk { _, bytes in unsafe result.append(contentsOf: bytes) }
        return result
    }

    /// Calls `body` with the elements' bytes in row-major order, in pieces of at most 1 Mi elements, and the index of each piece's first element.
    func forEachChunk(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) rethrows {
        defer { withExtendedLifetime(mapping) {} }
        let width = elementType.byteCount
        let limit = 1 << 20
        var first = 0
        while first < shape.elementCount {
            let count = min(limit, shape.elementCount - first)
            if let strides {
                try unsafe withUnsafeTemporaryAllocation(byteCount: count * width, alignment: 64) {
                    unsafe gather(from: first, strides: strides, into: $0)
                    try unsafe body(first, UnsafeRawBufferPointer($0))
                }
            } else {
                let begin = offset + first * width
                let window = unsafe mapping.bytes[begin..<begin + count * width]
                try unsafe body(first, UnsafeRawBufferPointer(rebasing: window))
            }
            first += count
        }
    }

    /// Copies the elements from row-major index `first` on, one by one, until `out` is full.
    private func gather(from first: Int, strides: [Int], into out: UnsafeMutableRawBufferPointer) {
        let width = elementType.byteCount
        var index = [Int](repeating: 0, count: shape.rank)
        var rest = first
        var element = 0
        for axis in stride(from: shape.rank - 1, through: 0, by: -1) {
            (rest, index[axis]) = rest.quotientAndRemainder(dividingBy: shape[axis])
            element += index[axis] * strides[axis]
        }
        for position in stride(from: 0, to: out.count, by: width) {
            let source = offset + element * width
            let from = unsafe UnsafeRawBufferPointer(
                rebasing: mapping.bytes[source..<source + width])
            unsafe UnsafeMutableRawBufferPointer(rebasing: out[position..<position + width])
                .copyMemory(from: from)
            var axis = shape.rank - 1
            while axis >= 0 {
                index[axis] += 1
                element += strides[axis]
                guard index[axis] == shape[axis] else { break }
                element -= index[axis] * strides[axis]
                index[axis] = 0
                axis -= 1
            }
        }
    }

    private func integers<Integer: FixedWidthInteger>(_ type: Integer.Type) throws -> [Int] {
        var result: [Int] = []
        result.reserveCapacity(shape.elementCount)
        try unsafe forEachChunk { _, bytes in
            for position in stride(from: 0, to: bytes.count, by: Integer.bitWidth / 8) {
                let stored = unsafe bytes.loadUnaligned(fromByteOffset: position, as: Integer.self)
                guard let value = Int(exactly: Integer(littleEndian: stored)) else {
                    throw TensorError.malformedTensor(
                        file: file, name: name, found: "the value \(stored)",
                        expected: "at most \(Int.max)")
                }
                result.append(value)
            }
        }
        return result
    }

    private func wrongType(expected: String) -> TensorError {
        .malformedTensor(
            file: file, name: name, found: "element type \(elementType.rawValue)",
            expected: expected)
    }

    /// Whether the strides are those of row-major order; the stride of an axis of size 1 does not matter.
    private static func isRowMajor(_ strides: [Int], _ shape: Shape) -> Bool {
        guard strides.count == shape.rank else { return false }
        if shape.elementCount == 0 { return true }
        var expected = 1
        for axis in stride(from: shape.rank - 1, through: 0, by: -1) {
            guard shape[axis] == 1 || strides[axis] == expected else { return false }
            expected *= shape[axis]
        }
        return true
    }

    /// One more than the largest element index that the shape reaches; nil for strides that make no sense.
    private static func extent(of shape: Shape, strides: [Int]?) -> Int? {
        guard let strides, shape.elementCount > 0 else { return shape.elementCount }
        guard strides.count == shape.rank else { return nil }
        var last = 0
        for (size, step) in zip(shape.sizes, strides) {
            let (reach, overflow) = (size - 1).multipliedReportingOverflow(by: step)
            guard step >= 0, !overflow else { return nil }
            let (sum, tooFar) = last.addingReportingOverflow(reach)
            guard !tooFar, sum < Int.max else { return nil }
            last = sum
        }
        return last + 1
    }
}
