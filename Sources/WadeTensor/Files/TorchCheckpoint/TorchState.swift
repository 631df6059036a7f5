//! From the nested dictionaries and modules of a pickle to a flat table of named tensors.

/// Collects the tensors of a pickle under dotted names.
struct TorchState {
    /// The tensors found, under their final names.
    private(set) var tensors: [String: PickledTensor] = [:]
    private let heap: PickleHeap
    private let file: String
    /// How many more values and bytes of names may be visited: shared and cyclic containers can stand for any number of names.
    private var budget: Int
    /// More than the modules of any checkpoint need.
    static let largestBudget = 1 << 27
    /// The most names that tensors may have: one tensor can stand in any number of places.
    private static let nameLimit = 1 << 18
    /// The deepest nesting of modules that is followed.
    private static let depthLimit = 64

    /// A table without entries; `budget` bounds the values visited plus the bytes of their names.
    init(heap: PickleHeap, file: String, budget: Int) {
        self.heap = heap
        self.file = file
        self.budget = budget
    }

    /// Collects everything below `root`, or below its `model_state_dict` or `state_dict`.
    mutating func collect(_ root: PickleValue) throws {
        guard let items = try items(of: root) else {
            throw fault("no dictionary", "a dictionary or module of tensors")
        }
        let wrapped = ["model_state_dict", "state_dict"].lazy.compactMap { name in
            items.first { $0.key == name }?.value
        }.first
        try collect(wrapped ?? root, name: "", depth: 0)
        let prefix = "module."
        if !tensors.isEmpty, tensors.keys.allSatisfy({ $0.hasPrefix(prefix) }) {
            let named = tensors.map { (String($0.key.dropFirst(prefix.count)), $0.value) }
            tensors = Dictionary(named) { first, _ in first }
        }
    }

    private mutating func collect(_ value: PickleValue, name: String, depth: Int) throws {
        budget -= 1 + name.utf8.count
        guard budget >= 0, depth <= TorchState.depthLimit else {
            throw fault(
                "containers in containers without end", "at most \(TorchState.depthLimit) levels")
        }
        if case .tensor(let index) = value {
            guard tensors.updateValue(heap.tensors[index], forKey: name) == nil else {
                throw TensorError.malformedTensor(
                    file: file, name: name, found: "it twice", expected: "it once")
            }
            guard tensors.count <= TorchState.nameLimit else {
                throw fault("more than \(TorchState.nameLimit) tensors", "a checkpoint's")
            }
        }
        for item in try items(of: value) ?? [] {
            let inner = name.isEmpty ? item.key : "\(name).\(item.key)"
            try collect(item.value, name: inner, depth: depth + 1)
        }
    }

    /// The named parts of a dictionary, module, tuple or list; nil for other values.
    private func items(of value: PickleValue) throws -> [(key: String, value: PickleValue)]? {
        switch value {
        case .sequence(let index):
            return heap.sequences[index].enumerated().map { (String($0.offset), $0.element) }
        case .module(let index):
            guard case .dictionary = heap.modules[index] else { return [] }
            return try items(of: heap.modules[index])
        case .dictionary(let index):
            return try heap.dictionaries[index].map { item in
                switch item.key {
                case .string(let key): return (key, item.value)
                case .integer(let key): return (String(key), item.value)
                default: throw fault("a key that is neither text nor number", "a name")
                }
            }
        default: return nil
        }
    }

    private func fault(_ found: String, _ expected: String) -> TensorError {
        .malformed(file: file, found: "a pickle with \(found)", expected: expected)
    }
}
