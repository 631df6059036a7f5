//! The weights a model is built from: scoped names, every tensor wanted exactly once known, none silently left over.
internal import Synchronization

/// Named tensors seen from a scope such as `perceiver.layers.0`. Reading a tensor marks it as read, for all scopes of the same weights.
package struct Weights: Sendable {
    /// The path the tensors came from, for messages.
    package let file: String
    private let tensors: [String: StoredTensor]
    /// What the file says beside the tensors: how packed ones lie.
    private let metadata: [String: String]
    /// Hears of everything that is packed.
    private let listener: PackedParts?
    /// Tensors in memory; empty for weights of a file.
    private let parameters: [String: Tensor]
    /// Makes what is asked for.
    private let make: (@Sendable (String, Shape) -> Tensor)?
    /// What stands before a name in this scope: empty, or a path that ends with a dot.
    private let prefix: String
    private let seen: SeenNames
    /// Whether tensors come without their values: for a check of names and shapes that reads nothing.
    private let shapesOnly: Bool

    /// All tensors, none of them read.
    package init(_ tensors: [String: StoredTensor], file: String) {
        self.init(tensors, file: file, prefix: "", seen: SeenNames(), shapesOnly: false)
    }

    /// All tensors of an archive, none of them read. With `shapesOnly` a model can be built to see whether every tensor is there
    /// with its shape, without reading one; it must not be run.
    /// `listener` is told of the layers that are packed.
    package init(
        _ archive: TensorArchive, shapesOnly: Bool = false, listener: PackedParts? = nil
    ) {
        self.init(
            archive.tensors, metadata: archive.metadata, listener: listener, file: archive.file,
            prefix: "", seen: SeenNames(), shapesOnly: shapesOnly)
    }

    /// Tensors in memory, none of them read: a model built from them holds these very tensors, watched ones on their tape.
    /// `file` stands for them in messages.
    package init(parameters: [String: Tensor], file: String) {
        self.init(
            [:], parameters: parameters, file: file, prefix: "", seen: SeenNames(),
            shapesOnly: false)
    }

    /// Tensors that are made when they are asked for, by name and shape: how a model's parameters begin. There are no optional ones.
    package init(makingTensorsWith make: @escaping @Sendable (String, Shape) -> Tensor) {
        self.init(
            [:], make: make, file: "parameters", prefix: "", seen: SeenNames(), shapesOnly: false)
    }

    private init(
        _ tensors: [String: StoredTensor], metadata: [String: String] = [:],
        listener: PackedParts? = nil, parameters: [String: Tensor] = [:],
        make: (@Sendable (String, Shape) -> Tensor)? = nil, file: String, prefix: String,
        seen: SeenNames, shapesOnly: Bool
    ) {
        self.metadata = metadata
        self.listener = listener
        self.make = make
        self.tensors = tensors
        self.parameters = parameters
        self.file = file
        self.prefix = prefix
        self.seen = seen
        self.shapesOnly = shapesOnly
    }

    /// Whether tensors come with their values; not so where only names and shapes are checked.
    package var holdValues: Bool { !shapesOnly }

    /// The weights below `scope`, as in `weights["perceiver"]["norm"]` or `weights["perceiver.norm"]`.
    package subscript(scope: String) -> Weights {
        Weights(
            tensors, metadata: metadata, listener: listener, parameters: parameters, make: make,
            file: file, prefix: prefix + scope + ".", seen: seen, shapesOnly: shapesOnly)
    }

    /// The weights of entry `index` of a list of modules, as in `weights["layers"][0]`.
    package subscript(index: Int) -> Weights { self[String(index)] }

    /// The tensor `name` as float32, also where it is kept in low precision; throws when it is missing, has another shape or is not
    /// floating point.
    package func tensor(_ name: String, shape: Shape) throws -> Tensor {
        if let make { return make(prefix + name, shape) }
        if let parameter = parameters[prefix + name] {
            guard parameter.shape == shape else {
                throw TensorError.shapeMismatch(
                    name: prefix + name, found: parameter.shape, expected: shape, file: file)
            }
            seen.insert([prefix + name])
            return parameter
        }
        if let packed = try packed(name, shape: shape) {
            guard shapesOnly else { return try packed.float32() }
            return unsafe Tensor(uninitialized: shape) { _ in }
        }
        let found = try stored(name, shape: shape)
        guard shapesOnly, found.elementType.isFloatingPoint else { return try found.float32() }
        // Memory that nobody touches is never given.
        return unsafe Tensor(uninitialized: shape) { _ in }
    }

    /// The tensor `name` as float32, or nil when there is none; throws when it has another shape or is not floating point.
    package func optionalTensor(_ name: String, shape: Shape) throws -> Tensor? {
        contains(name) ? try tensor(name, shape: shape) : nil
    }

    /// The matrix that is packed under `name`; nil when that is an ordinary tensor. Throws when it has another shape.
    func packed(_ name: String, shape: Shape) throws -> PackedTensor? {
        guard make == nil,
            let packed = try PackedTensor(prefix + name, in: tensors, metadata: metadata)
        else { return nil }
        guard packed.shape == shape else {
            throw TensorError.shapeMismatch(
                name: prefix + name, found: packed.shape, expected: shape, file: file)
        }
        seen.insert([prefix + name, prefix + name + PackedTensor.scalesSuffix])
        return packed
    }

    /// The same weights, of which `listener` is told what is packed.
    func telling(_ listener: PackedParts) -> Weights {
        Weights(
            tensors, metadata: metadata, listener: listener, parameters: parameters, make: make,
            file: file, prefix: prefix, seen: seen, shapesOnly: shapesOnly)
    }

    /// Gives back the memory of the file's tensor `name`, of which `layer` has a copy of its own.
    func forget(_ name: String, copiedBy layer: Linear) {
        if case .rowMajor = layer.weights { return }
        tensors[prefix + name]?.forget()
    }

    /// Tells the listener that `layer` packed the tensor `name`.
    func note(_ name: String, _ layer: Linear) {
        if let listener, case .panels(let panels) = layer.weights {
            listener.add(prefix + name, panels)
        }
    }

    /// The tensor `name` as the file holds it; throws when it is missing or has another shape.
    package func stored(_ name: String, shape: Shape) throws -> StoredTensor {
        guard let found = tensors[prefix + name] else {
            throw TensorError.missing(name: prefix + name, file: file)
        }
        guard found.shape == shape else {
            throw TensorError.shapeMismatch(
                name: prefix + name, found: found.shape, expected: shape, file: file)
        }
        seen.insert([prefix + name])
        return found
    }

    /// Whether there is a tensor `name`; does not mark it as read.
    package func contains(_ name: String) -> Bool { shape(of: name) != nil }

    /// The shape of the tensor `name`, or nil when there is none; does not mark it as read.
    package func shape(of name: String) -> Shape? {
        parameters[prefix + name]?.shape ?? tensors[prefix + name]?.shape
    }

    private var allNames: [String] { Array(parameters.keys) + Array(tensors.keys) }

    /// The names below this scope, without the scope, sorted by their bytes.
    package var names: [String] {
        sortedByBytes(
            allNames.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
    }

    /// Marks tensors that the model knowingly does without; names that do not exist are no error.
    package func ignore(_ names: String...) {
        seen.insert(names.map { prefix + $0 })
    }

    /// Marks every tensor below this scope whose name, without the scope, satisfies `isUseless`.
    package func ignore(where isUseless: (String) -> Bool) {
        seen.insert(names.filter(isUseless).map { prefix + $0 })
    }

    /// Throws `TensorError.unread` when a tensor below this scope was neither read nor ignored.
    package func requireAllRead() throws {
        let left = seen.missing(from: allNames.filter { $0.hasPrefix(prefix) })
        guard left.isEmpty else {
            throw TensorError.unread(names: sortedByBytes(left), file: file)
        }
    }
}

/// The full names read or ignored so far, shared by all scopes of the same weights.
private final class SeenNames: Sendable {
    private let names = Mutex<Set<String>>([])

    func insert(_ new: [String]) {
        names.withLock { $0.formUnion(new) }
    }

    func missing(from all: [String]) -> [String] {
        names.withLock { names in all.filter { !names.contains($0) } }
    }
}
