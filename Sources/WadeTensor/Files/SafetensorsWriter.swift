//! Writes safetensors files: the same tensors and metadata always give the same bytes.

/// Collects tensors, then writes them one after the other; tensors of other files are copied piece by piece, never held whole.
package struct SafetensorsWriter {
    /// Where a tensor's elements come from.
    private enum Source {
        case tensor(Tensor)
        case stored([StoredTensor])
        case bytes([UInt8])
        case panels(PanelMatrix)
    }

    private struct Entry {
        let name: String
        let elementType: ElementType
        let shape: Shape
        let source: Source

        var byteCount: Int { shape.elementCount * elementType.byteCount }

        var isPacked: Bool {
            if case .panels = source { true } else { false }
        }
    }

    private var entries: [Entry] = []
    private var names = Set<String>()
    private let metadata: [String: String]
    /// The data start at a multiple of so many bytes.
    private let alignment: Int

    /// A writer without tensors; `metadata` is free text for the header. Packed weights come first in the file, so that they begin
    /// at multiples of `alignment`, a power of two of at least 8.
    package init(metadata: [String: String] = [:], alignment: Int = 8) {
        precondition(alignment >= 8 && alignment & (alignment - 1) == 0, "alignment \(alignment)")
        self.metadata = metadata
        self.alignment = alignment
    }

    /// Adds values, rounded to nearest even when `elementType` is narrower. Adding a name twice is our own mistake.
    package mutating func add(
        _ name: String, _ tensor: Tensor, as elementType: ElementType = .float32
    ) {
        precondition(elementType.isFloatingPoint, "\(name): \(elementType) is not a float format")
        append(name, elementType, tensor.shape, .tensor(tensor))
    }

    /// Adds a tensor of another file, as it is or, between float formats, converted.
    package mutating func add(
        _ name: String, _ tensor: StoredTensor, as elementType: ElementType? = nil
    ) {
        let target = elementType ?? tensor.elementType
        precondition(
            target == tensor.elementType
                || target.isFloatingPoint && tensor.elementType.isFloatingPoint,
            "\(name): no conversion from \(tensor.elementType) to \(target)")
        append(name, target, tensor.shape, .stored([tensor]))
    }

    /// Adds one tensor made of several of other files: their elements, in row-major order one after the other.
    package mutating func add(_ name: String, pieces: [StoredTensor], shape: Shape) {
        precondition(
            pieces.reduce(0) { $0 + $1.shape.elementCount } == shape.elementCount
                && pieces.allSatisfy { $0.elementType == pieces[0].elementType },
            "\(name): pieces \(pieces.map(\.shape)) do not make \(shape)")
        append(name, pieces[0].elementType, shape, .stored(pieces))
    }

    /// Adds elements in row-major order as they shall stand in the file, little-endian.
    package mutating func add(
        _ name: String, bytes: [UInt8], elementType: ElementType, shape: Shape
    ) {
        precondition(
            bytes.count == shape.elementCount * elementType.byteCount, "\(name): sizes differ")
        append(name, elementType, shape, .bytes(bytes))
    }

    /// Adds packed weights as they lie in memory.
    mutating func add(_ name: String, _ panels: PanelMatrix) {
        append(name, .uint8, [unsafe panels.bytes.count], .panels(panels))
    }

    private mutating func append(
        _ name: String, _ elementType: ElementType, _ shape: Shape, _ source: Source
    ) {
        let isNew = names.insert(name).inserted
        precondition(isNew && name != "__metadata__", "\(name) is taken")
        entries.append(Entry(name: name, elementType: elementType, shape: shape, source: source))
    }

    /// Writes the file; it appears under `path` whole or not at all. Throws `TensorError.unwritable`.
    package func write(to path: String) throws {
        // The reference writer's order: wide elements first, so that all are aligned; then by name.
        let types = ElementType.allCases
        let rank = Dictionary(uniqueKeysWithValues: zip(types, types.indices))
        let sorted = entries.sorted { first, second in
            guard first.isPacked == second.isPacked else { return first.isPacked }
            guard let left = rank[first.elementType], let right = rank[second.elementType],
                left != right
            else { return first.name.utf8.lexicographicallyPrecedes(second.name.utf8) }
            return left > right
        }
        let file = try PartialFile.create(for: path)
        let header = header(sorted)
        let length = UInt64(header.count).littleEndian
        try unsafe withUnsafeBytes(of: length) { unsafe try file.write($0) }
        try unsafe header.withUnsafeBytes { unsafe try file.write($0) }
        for entry in sorted { try write(entry, to: file) }
        try file.commit()
    }

    /// The header's JSON, padded with spaces so that the data starts where it should; its length stands before it in 8 bytes.
    private func header(_ sorted: [Entry]) -> [UInt8] {
        var fields: [String] = []
        if !metadata.isEmpty {
            let pairs = sortedByBytes(metadata.keys).map { key in
                "\(quoted(key)):\(quoted(metadata[key] ?? ""))"
            }
            fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var begin = 0
        for entry in sorted {
            let sizes = entry.shape.sizes.map(String.init).joined(separator: ",")
            let end = begin + entry.byteCount
            fields.append(
                "\(quoted(entry.name)):{\"dtype\":\"\(entry.elementType.rawValue)\","
                    + "\"shape\":[\(sizes)],\"data_offsets\":[\(begin),\(end)]}")
            begin = end
        }
        let json = Array("{\(fields.joined(separator: ","))}".utf8)
        let rest = (8 + json.count) % alignment
        return json + [UInt8](repeating: 0x20, count: (alignment - rest) % alignment)
    }

    private func write(_ entry: Entry, to file: borrowing PartialFile) throws {
        switch entry.source {
        case .bytes(let bytes):
            try unsafe bytes.withUnsafeBytes { unsafe try file.write($0) }
        case .tensor(let tensor):
            try unsafe tensor.withValues { values in
                for first in stride(from: 0, to: values.count, by: 1 << 20) {
                    let piece = unsafe values[first..<min(first + 1 << 20, values.count)]
                    try unsafe write(.init(rebasing: piece), as: entry.elementType, to: file)
                }
            }
        case .panels(let panels):
            let bytes = unsafe panels.bytes
            for first in stride(from: 0, to: bytes.count, by: 1 << 24) {
                let piece = unsafe bytes[first..<min(first + 1 << 24, bytes.count)]
                unsafe try file.write(UnsafeRawBufferPointer(rebasing: piece))
            }
        case .stored(let pieces):
            for piece in pieces {
                try write(piece, as: entry.elementType, to: file)
                // Otherwise all files that are read would be in memory at the end.
                piece.forget()
            }
        }
    }

    private func write(
        _ tensor: StoredTensor, as elementType: ElementType, to file: borrowing PartialFile
    ) throws {
        let type = tensor.elementType
        try unsafe tensor.forEachChunk { _, bytes in
            if type == elementType {
                unsafe try file.write(bytes)
                return
            }
            let count = bytes.count / type.byteCount
            try unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: count) {
                unsafe widen(bytes, from: type, into: $0)
                try unsafe write(.init($0), as: elementType, to: file)
            }
        }
    }

    private func write(
        _ values: UnsafeBufferPointer<Float>, as type: ElementType, to file: borrowing PartialFile
    ) throws {
        let byteCount = values.count * type.byteCount
        try unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 64) {
            unsafe narrow(values, to: type, into: $0)
            unsafe try file.write(UnsafeRawBufferPointer($0))
        }
    }
}

/// `text` as a JSON string, escaped as the reference writer does.
private func quoted(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": json += "\\\""
        case "\\": json += "\\\\"
        case "\n": json += "\\n"
        case "\r": json += "\\r"
        case "\t": json += "\\t"
        case "\u{8}": json += "\\b"
        case "\u{C}": json += "\\f"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: json.unicodeScalars.append(scalar)
        }
    }
    return json + "\""
}
