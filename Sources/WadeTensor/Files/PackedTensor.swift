//! Weights that a bundle keeps as some machine multiplies them, and that are used where they lie in the file.

/// A matrix of low precision in a file: packed bytes under its name, `NAME.scales` beside it for integers, and how it lies in the
/// file's metadata.
package struct PackedTensor: Sendable {
    /// What a file's metadata holds under `packed:NAME`: precision, sizes and layout.
    static let metadataPrefix = "packed:"
    /// What follows the name of a matrix in the name of its scales.
    static let scalesSuffix = ".scales"

    /// (N, K)
    package let shape: Shape
    package let precision: Precision
    private let layout: PanelLayout
    private let packed: StoredTensor
    private let scales: StoredTensor?

    /// The matrix that is packed under `name`; nil when that is an ordinary tensor. Throws when bytes, scales and metadata do not
    /// fit each other.
    init?(_ name: String, in tensors: [String: StoredTensor], metadata: [String: String]) throws {
        guard let text = metadata[Self.metadataPrefix + name], let packed = tensors[name] else {
            return nil
        }
        func fault(_ found: String, _ expected: String) -> TensorError {
            .malformedTensor(file: packed.file, name: name, found: found, expected: expected)
        }
        let words = text.split(separator: " ", maxSplits: 2)
        guard words.count == 3, let precision = Precision(rawValue: String(words[0])),
            precision != .float32
        else {
            throw fault(
                "the description \"\(printable(text))\"", "a precision, sizes and a layout")
        }
        let sizes = words[1].split(separator: "x").compactMap { Int($0) }
        guard sizes.count == 2, sizes.allSatisfy({ $0 > 0 && $0 <= 1 << 24 }),
            let shape = Shape(checking: sizes), shape.elementCount <= packed.byteCount,
            let layout = PanelLayout(
                String(words[2]), outputs: sizes[0], inputs: sizes[1], precision: precision)
        else {
            throw fault(
                "the description \"\(printable(text))\" of \(packed.byteCount) bytes",
                "sizes and a layout of that many bytes")
        }
        guard packed.elementType == .uint8, packed.shape == [layout.byteCount] else {
            throw fault(
                "\(packed.elementType.rawValue) \(packed.shape)",
                "U8 [\(layout.byteCount)], as its layout says")
        }
        self.shape = shape
        self.precision = precision
        self.layout = layout
        self.packed = packed
        guard precision == .int8 else {
            scales = nil
            return
        }
        guard let scales = tensors[name + Self.scalesSuffix], scales.shape == [sizes[0]],
            scales.elementType == .float32
        else {
            throw fault("no scales of that shape", "F32 [\(sizes[0])] beside it")
        }
        self.scales = scales
    }

    /// The rounded weights as float32, (N, K).
    package func float32() throws -> Tensor {
        let scales = try scales?.float32().values ?? []
        return unsafe packed.withBytes { bytes in
            unsafe layout.weights(
                bytes, scales: scales, outputs: shape[0], inputs: shape[1], precision: precision)
        }
    }

    /// The weights as this machine multiplies them: a window into the file where they lie so there, else packed anew. Nil where oneDNN
    /// has no fast product for them.
    func panels() throws -> PanelMatrix? {
        let scales = try scales?.float32().values ?? []
        let (outputs, inputs) = (shape[0], shape[1])
        if let window = packed.window,
            let mapped = PanelMatrix(
                window.file, offset: window.offset, layout: layout, scales: scales,
                outputs: outputs, inputs: inputs, precision: precision)
        {
            return mapped
        }
        let count = outputs * max(inputs, PanelMatrix.leastInputs) * (precision == .int8 ? 1 : 2)
        let rowMajor = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
        defer { unsafe rowMajor.deallocate() }
        unsafe rowMajor.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        unsafe packed.withBytes { bytes in
            unsafe layout.rowMajor(
                bytes, outputs: outputs, inputs: inputs, precision: precision, into: rowMajor)
        }
        return unsafe PanelMatrix(
            rowMajor, scales, outputs: outputs, inputs: inputs, precision: precision)
    }
}

extension TensorArchive {
    /// The matrix that is packed under `name`; nil when that is an ordinary tensor.
    package func packed(_ name: String) throws -> PackedTensor? {
        try PackedTensor(name, in: tensors, metadata: metadata)
    }

    /// The names and shapes of the parameters, those of packed ones as they were before; sorted by the names' bytes.
    package func parameters() throws -> [(name: String, shape: Shape)] {
        try names.compactMap { name in
            if let packed = try packed(name) { return (name, packed.shape) }
            let suffix = PackedTensor.scalesSuffix
            if name.hasSuffix(suffix),
                metadata[PackedTensor.metadataPrefix + name.dropLast(suffix.count)] != nil
            {
                return nil
            }
            return tensors[name].map { (name, $0.shape) }
        }
    }
}

extension StoredTensor {
    /// The file and the byte in it where the elements begin, when they lie there in row-major order without holes.
    var window: (file: MappedFile, offset: Int)? { strides == nil ? (mapping, offset) : nil }

    /// Reads the elements' bytes in place, which lie in row-major order without holes.
    fileprivate func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows
        -> Value
    {
        precondition(strides == nil, "\(name): strided bytes")
        defer { withExtendedLifetime(mapping) {} }
        let window = unsafe UnsafeRawBufferPointer(
            rebasing: mapping.bytes[offset..<offset + byteCount])
        return unsafe try body(window)
    }
}
