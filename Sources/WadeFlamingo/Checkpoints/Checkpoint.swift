//! Published tensors under Wade's names: what `wade model import` writes into a bundle.

package import WadeTensor

/// One parameter of a model: published tensors laid out one after the other.
package struct CheckpointParameter: Sendable {
    /// Wade's name.
    package let name: String
    package let shape: Shape
    /// Views of published tensors whose elements, in row-major order one view after the other, are the parameter's.
    package let pieces: [StoredTensor]

    /// The number format of the published values, which the bundle keeps.
    package var elementType: ElementType { pieces[0].elementType }
}

/// Parameters gathered from one or more published files.
package struct Checkpoint: Sendable {
    private struct Part: Sendable {
        let part: Int
        let tensor: StoredTensor
        let change: RenameRule.Change
    }

    private var parts: [String: [Part]] = [:]

    package init() {}

    /// Adds a file's tensors. A parameter that an earlier file already had is replaced (a Flamingo checkpoint holds the resized
    /// token embedding). Names that the table does not know are an error.
    package mutating func add(_ archive: TensorArchive, _ table: RenameTable) throws {
        var added: [String: [Part]] = [:]
        var unknown: [String] = []
        for name in archive.names {
            switch table.outcome(for: name) {
            case .leftOut: continue
            case .unknown: unknown.append(name)
            case .parameter(let canonical, let part, let change):
                guard let tensor = archive.tensors[name] else { continue }
                // With a zero among them the other sizes would not be bounded by the file's.
                guard tensor.shape.elementCount > 0 else {
                    throw TensorError.malformedTensor(
                        file: archive.file, name: name, found: "shape \(tensor.shape)",
                        expected: "at least one element")
                }
                added[canonical, default: []].append(
                    Part(part: part, tensor: tensor, change: change))
            }
        }
        guard unknown.isEmpty else {
            throw TensorError.unread(names: unknown, file: archive.file)
        }
        parts.merge(added) { _, new in new }
    }

    /// Whether a parameter is there.
    package func contains(_ name: String) -> Bool { parts[name] != nil }

    /// The shape of a parameter made of one published tensor, as it was published.
    package func publishedShape(_ name: String) -> Shape? {
        parts[name]?.count == 1 ? parts[name]?[0].tensor.shape : nil
    }

    /// The rows of a parameter, those of all its published parts together; nil when it is not there or has no axes.
    package func rows(of name: String) -> Int? {
        let counts = parts[name]?.compactMap { $0.tensor.shape.sizes.first }
        guard let counts, counts.count == parts[name]?.count else { return nil }
        return counts.reduce(0, +)
    }

    /// The part between dots that follows `prefix` in the names, such as the numbers of layers.
    package func indices(after prefix: String) -> Set<Int> {
        Set(
            parts.keys.filter { $0.hasPrefix(prefix) }.compactMap {
                $0.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int($0) }
            })
    }

    /// Leaves a parameter out.
    package mutating func remove(_ name: String) { parts[name] = nil }

    /// All parameters, sorted by name. `heads` is that of the language model, for the order of GPT-NeoX's rows.
    package func parameters(heads: Int) throws -> [CheckpointParameter] {
        try parts.keys.sorted().map { name in
            let sorted = (parts[name] ?? []).sorted { $0.part < $1.part }
            guard let first = sorted.first, sorted.map(\.part) == Array(0..<sorted.count) else {
                throw TensorError.missing(
                    name: "a part of \(name)", file: sorted.first?.tensor.file ?? "")
            }
            let pieces = try sorted.map { try changed($0.tensor, $0.change, heads: heads) }
            let shape = try self.shape(of: name, sorted.map(\.tensor), first.change)
            guard pieces.allSatisfy({ $0.elementType == pieces[0].elementType }) else {
                throw TensorError.malformedTensor(
                    file: first.tensor.file, name: first.tensor.name,
                    found: "parts of different element types", expected: "one type")
            }
            return CheckpointParameter(name: name, shape: shape, pieces: pieces)
        }
    }

    /// A convolution's weight (D, 3, P, P) counts as a matrix (D, 3·P·P).
    private func shape(
        of name: String, _ tensors: [StoredTensor], _ change: RenameRule.Change
    ) throws -> Shape {
        let first = tensors[0].shape
        guard tensors.allSatisfy({ $0.shape.sizes.dropFirst() == first.sizes.dropFirst() }) else {
            throw TensorError.malformedTensor(
                file: tensors[0].file, name: tensors[0].name,
                found: "parts of shapes \(tensors.map(\.shape))", expected: "parts that fit")
        }
        if change == .transposed, first.rank == 2 { return [first[1], first[0]] }
        guard first.rank > 0 else { return first }
        let rows = tensors.reduce(0) { $0 + $1.shape[0] }
        if name == "vision.patch_embedding.weight", first.rank == 4 {
            return [rows, first.sizes.dropFirst().reduce(1, *)]
        }
        return Shape([rows] + first.sizes.dropFirst())
    }

    private func changed(
        _ tensor: StoredTensor, _ change: RenameRule.Change, heads: Int
    ) throws -> StoredTensor {
        let shape = tensor.shape
        switch change {
        case .none: return tensor
        case .transposed:
            guard shape.rank == 2 else { return tensor }
            return try tensor.view(shape: [shape[1], shape[0]], strides: [1, shape[1]])
        case .headwiseQueryKeyValue:
            guard shape.rank > 0, shape[0] % (3 * heads) == 0 else {
                throw TensorError.malformedTensor(
                    file: tensor.file, name: tensor.name, found: "\(shape)",
                    expected: "rows for q, k and v of \(heads) heads")
            }
            let (depth, inputs) = (
                shape[0] / (3 * heads), shape.sizes.dropFirst().reduce(1, *)
            )
            return try tensor.view(
                shape: [3, heads, depth, inputs],
                strides: [depth * inputs, 3 * depth * inputs, inputs, 1])
        }
    }
}
