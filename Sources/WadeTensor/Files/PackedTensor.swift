//! Weights that a bundle keeps as some machine multiplies them, and that are used where they lie in the file.

/// A matrix of low precision in a file: packed bytes under its name, `NAME.scales` beside it for integers, and how it lies in the
/// file's metadata. Weights of four bits lie the same for every machine.
package struct PackedTensor: Sendable {
    /// What a file's metadata holds under `packed:NAME`: precision, sizes and layout.
    static let metadataPrefix = "packed:"
    /// What follows the name of a matrix in the name of its scales.
    static let scalesSuffix = ".scales"
    /// The layout of weights of four bits, in the metadata's words.
    static let fourBitLayout = "group\(FourBitWeights.group)"

    /// (N, K)
    package let shape: Shape
    package let precision: Precision
    private let layout: Layout
    private let packed: StoredTensor
    private let scales: StoredTensor?

    private enum Layout {
        case panels(PanelLayout)
        case fourBit(FourBitWeights.Layout)

        var byteCount: Int {
            switch self {
            case .panels(let layout): layout.byteCount
            case .fourBit(let layout): layout.byteCount
            }
        }

        /// Nil when `text` does not describe weights of that size.
        init?(_ text: String, outputs: Int, inputs: Int, precision: Precision) {
            guard precision != .int4 else {
                guard text == PackedTensor.fourBitLayout else { return nil }
                self = .fourBit(FourBitWeights.Layout(outputs: outputs, inputs: inputs))
                return
            }
            guard
                let layout = PanelLayout(
                    text, outputs: outputs, inputs: inputs, precision: precision)
            else { return nil }
            self = .panels(layout)
        }
    }

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
            let shape = Shape(checking: sizes), shape.elementCount <= 2 * packed.byteCount,
            let layout = Layout(
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
        let (type, count): (ElementType, Int)
        switch layout {
        case .panels:
            guard precision == .int8 else {
                scales = nil
                return
            }
            (type, count) = (.float32, sizes[0])
        case .fourBit(let layout): (type, count) = (.bfloat16, layout.scaleCount)
        }
        guard let scales = tensors[name + Self.scalesSuffix], scales.shape == [count],
            scales.elementType == type
        else {
            throw fault("no scales of that shape", "\(type.rawValue) [\(count)] beside it")
        }
        self.scales = scales
    }

    /// Whether a model in `precision` multiplies these very weights: a bundle of integers says itself which of its layers are bfloat16.
    func isKept(for precision: Precision) -> Bool {
        self.precision == precision
            || self.precision == .bfloat16 && [.int8, .int4].contains(precision)
    }

    /// The rounded weights as float32, (N, K).
    package func float32() throws -> Tensor {
        switch layout {
        case .fourBit(let layout): return try fourBit(layout).values
        case .panels(let layout):
            let scales = try scales?.float32().values ?? []
            return unsafe packed.withBytes { bytes in
                unsafe layout.weights(
                    bytes, scales: scales, outputs: shape[0], inputs: shape[1],
                    precision: precision)
            }
        }
    }

    /// The weights of four bits where they lie.
    private func fourBit(_ layout: FourBitWeights.Layout) throws -> FourBitWeights {
        guard let integers = packed.window, let scales = scales?.window,
            let weights = FourBitWeights(layout, integers: integers, scales: scales)
        else {
            throw TensorError.malformedTensor(
                file: packed.file, name: packed.name, found: "bytes with holes",
                expected: "weights and scales in one piece each")
        }
        return weights
    }

    /// The weights as this machine multiplies them: a window into the file where they lie so there, else packed anew. Nil where oneDNN
    /// has no fast product for them.
    func panels() throws -> PanelMatrix? {
        let panelLayout: PanelLayout
        switch layout {
        case .fourBit(let layout): return PanelMatrix(try fourBit(layout))
        case .panels(let layout): panelLayout = layout
        }
        let scales = try scales?.float32().values ?? []
        let (outputs, inputs) = (shape[0], shape[1])
        if let window = packed.window,
            let mapped = PanelMatrix(
                window.file, offset: window.offset, layout: panelLayout, scales: scales,
                outputs: outputs, inputs: inputs, precision: precision)
        {
            return mapped
        }
        let count = outputs * max(inputs, PanelMatrix.leastInputs) * (precision == .int8 ? 1 : 2)
        let rowMajor = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
        defer { unsafe rowMajor.deallocate() }
        unsafe rowMajor.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        unsafe packed.withBytes { bytes in
            unsafe panelLayout.rowMajor(
                bytes, outputs: outputs, inputs: inputs, precision: precision, into: rowMajor)
        }
        return unsafe PanelMatrix(
            rowMajor, scales, outputs: outputs, inputs: inputs, precision: precision)
    }
}

extension TensorArchive {
    private enum Layout {
        case panels(PanelLayout)
        case fourBit(FourBitWeights.Layout)

        var byteCount: Int {
            switch self {
            case .panels(let layout): layout.byteCount
            case .fourBit(let layout): layout.byteCount
            }
        }

        /// Nil when `text` does not describe weights of that size.
        init?(_ text: String, outputs: Int, inputs: Int, precision: Precision) {
            guard precision != .int4 else {
                guard text == PackedTensor.fourBitLayout else { return nil }
                self = .fourBit(FourBitWeights.Layout(outputs: outputs, inputs: inputs))
                return
            }
            guard
                let layout = PanelLayout(
                    text, outputs: outputs, inputs: inputs, precision: precision)
            else { return nil }
            self = .panels(layout)
        }
    }

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
