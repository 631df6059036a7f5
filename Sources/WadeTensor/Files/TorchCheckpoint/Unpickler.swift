//! A restricted reader of Python pickles (protocols 2 to 5): it builds tensors, strings, numbers and containers, and
//! knows no way to call anything.

/// Runs the opcodes of one pickle (CPython's `pickletools` describes them) on a stack of inert values.
struct Unpickler {
    /// The most opcodes that are run: about 100,000 tensors' worth. Bounds the memory a pickle can ask for.
    static let operationLimit = 1 << 22
    /// The most values that calls copy from their arguments: the sizes and strides of as many tensors. The same list can be the
    /// argument of any number of calls.
    static let copyLimit = 1 << 20

    private var reader: PickleReader
    private var stack: [PickleValue] = []
    /// The heights of the stack at the open marks.
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    private var heap = PickleHeap()
    private var copies = 0

    private init(_ bytes: [UInt8], file: String) {
        reader = PickleReader(bytes, file: file)
    }

    /// The value that `bytes` build and the heap its containers live in; throws `TensorError.refusedGlobal` for any name
    /// that does not build tensors, `TensorError.malformed` for everything else that is wrong.
    static func read(
        _ bytes: [UInt8], file: String
    ) throws -> (value: PickleValue, heap: PickleHeap) {
        var machine = Unpickler(bytes, file: file)
        let start = try machine.reader.byte()
        let version = try machine.reader.byte()
        guard start == 0x80, (2...5).contains(version) else {
            throw machine.reader.fault("byte \(start), \(version)", "a pickle of protocol 2 to 5")
        }
        for _ in 0..<operationLimit {
            let opcode = try machine.reader.byte()
            if opcode == UInt8(ascii: ".") { return (try machine.pop(), machine.heap) }
            try machine.run(opcode)
        }
        throw machine.reader.fault("more than \(operationLimit) opcodes", "a checkpoint's pickle")
    }

    private mutating func run(_ opcode: UInt8) throws {
        if try runScalar(opcode) { return }
        if try runContainer(opcode) { return }
        switch opcode {
        case UInt8(ascii: "q"): memo[Int(try reader.byte())] = try top()
        case UInt8(ascii: "r"): memo[try reader.count(UInt32.self)] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): try recall(Int(try reader.byte()))
        case UInt8(ascii: "j"): try recall(try reader.count(UInt32.self))
        case UInt8(ascii: "c"):
            let module = try reader.line()
            stack.append(try global(module: module, name: try reader.line()))
        case 0x93:
            let name = try popString()
            stack.append(try global(module: try popString(), name: name))
        case UInt8(ascii: "R"): try reduce()
        case 0x81: try newObject()
        case UInt8(ascii: "b"): try build()
        case UInt8(ascii: "Q"): try persistentIdentifier()
        default:
            throw reader.fault("opcode \(opcode)", "an opcode that builds tensors")
        }
    }

    /// Opcodes that push a value made of their own argument, or move values; false for other opcodes.
    private mutating func runScalar(_ opcode: UInt8) throws -> Bool {
        switch opcode {
        case 0x95: try reader.skip(try reader.count(UInt64.self), keep: true)
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): stack.append(try top())
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88, 0x89: stack.append(.bool)
        case UInt8(ascii: "J"): stack.append(.integer(Int(try reader.integer(Int32.self))))
        case UInt8(ascii: "K"): stack.append(.integer(Int(try reader.byte())))
        case UInt8(ascii: "M"): stack.append(.integer(Int(try reader.integer(UInt16.self))))
        case 0x8A: stack.append(try reader.long(count: Int(try reader.byte())))
        case 0x8B: stack.append(try reader.long(count: try reader.count(UInt32.self)))
        case UInt8(ascii: "G"):
            try reader.skip(8)
            stack.append(.opaque)
        case UInt8(ascii: "X"), UInt8(ascii: "T"):
            stack.append(.string(try reader.text(count: try reader.count(UInt32.self))))
        case 0x8C, UInt8(ascii: "U"):
            stack.append(.string(try reader.text(count: Int(try reader.byte()))))
        case 0x8D: stack.append(.string(try reader.text(count: try reader.count(UInt64.self))))
        case UInt8(ascii: "B"): try pushBytes(try reader.count(UInt32.self))
        case UInt8(ascii: "C"): try pushBytes(Int(try reader.byte()))
        case 0x8E: try pushBytes(try reader.count(UInt64.self))
        default: return false
        }
        return true
    }

    /// Opcodes that make or fill tuples, lists and dictionaries; false for other opcodes.
    private mutating func runContainer(_ opcode: UInt8) throws -> Bool {
        switch opcode {
        case UInt8(ascii: ")"), UInt8(ascii: "]"): pushSequence([])
        case 0x85: pushSequence([try pop()])
        case 0x86: pushSequence(try popLast(2))
        case 0x87: pushSequence(try popLast(3))
        case UInt8(ascii: "t"), UInt8(ascii: "l"): pushSequence(try popToMark())
        case UInt8(ascii: "a"): try extend(with: [try pop()])
        case UInt8(ascii: "e"): try extend(with: try popToMark())
        case UInt8(ascii: "}"): pushDictionary()
        case UInt8(ascii: "d"):
            let items = try popToMark()
            pushDictionary()
            try insert(items)
        case UInt8(ascii: "s"): try insert(try popLast(2))
        case UInt8(ascii: "u"): try insert(try popToMark())
        default: return false
        }
        return true
    }

    // MARK: The stack

    private func top() throws -> PickleValue {
        guard stack.count > (marks.last ?? 0), let value = stack.last else {
            throw reader.fault("an empty stack", "a value on it")
        }
        return value
    }

    private mutating func pop() throws -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func popLast(_ count: Int) throws -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else {
            throw reader.fault("too few values on the stack", "\(count)")
        }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast(), mark <= stack.count else {
            throw reader.fault("no mark on the stack", "one")
        }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func popString() throws -> String {
        guard case .string(let text) = try pop() else {
            throw reader.fault("another value", "a name")
        }
        return text
    }

    private mutating func recall(_ key: Int) throws {
        guard let value = memo[key] else {
            throw reader.fault("no memo \(key)", "one that was stored before")
        }
        stack.append(value)
    }

    private mutating func pushBytes(_ count: Int) throws {
        try reader.skip(count)
        stack.append(.opaque)
    }

    private mutating func pushSequence(_ values: [PickleValue]) {
        heap.sequences.append(values)
        stack.append(.sequence(heap.sequences.count - 1))
    }

    private mutating func pushDictionary() {
        heap.dictionaries.append([])
        stack.append(.dictionary(heap.dictionaries.count - 1))
    }

    private mutating func extend(with values: [PickleValue]) throws {
        guard case .sequence(let index) = try top() else {
            throw reader.fault("values appended to something else", "a list")
        }
        heap.sequences[index].append(contentsOf: values)
    }

    private mutating func insert(_ items: [PickleValue]) throws {
        guard case .dictionary(let index) = try top(), items.count.isMultiple(of: 2) else {
            throw reader.fault("items set in something else", "a dictionary")
        }
        for key in stride(from: 0, to: items.count, by: 2) {
            heap.dictionaries[index].append((items[key], items[key + 1]))
        }
    }

    // MARK: The allowed names

    private func global(module: String, name: String) throws -> PickleValue {
        guard let global = TorchGlobal(module: module, name: name) else {
            throw TensorError.refusedGlobal(file: reader.file, name: "\(module).\(name)")
        }
        return .global(global)
    }

    /// A call: stands for the value that the named function would return, computed here.
    private mutating func reduce() throws {
        guard case .sequence(let index) = try pop(), case .global(let global) = try pop() else {
            throw reader.fault("a call of something else", "a call of a name")
        }
        let arguments = heap.sequences[index]
        switch global {
        case .orderedDictionary:
            pushDictionary()
            for pair in try pairs(arguments) { try insert(pair) }
        case .rebuildTensor, .rebuildTensorWithType:
            heap.tensors.append(try tensor(arguments, isTyped: global == .rebuildTensorWithType))
            stack.append(.tensor(heap.tensors.count - 1))
        case .firstArgument:
            guard let first = arguments.first else {
                throw reader.fault("a call without arguments", "one")
            }
            stack.append(first)
        case .device: stack.append(.opaque)
        case .storage, .elementType, .module:
            throw reader.fault("a call of a type", "a call that builds tensors")
        }
    }

    /// Notes that a call copies the items of `value` when they are in a tuple or list.
    private mutating func charge(_ value: PickleValue) throws {
        guard case .sequence(let index) = value else { return }
        copies += heap.sequences[index].count
        guard copies <= Unpickler.copyLimit else {
            throw reader.fault(
                "calls with more than \(Unpickler.copyLimit) values", "a checkpoint's pickle")
        }
    }

    /// The items of `OrderedDict([[key, value], …])`; none without arguments.
    private mutating func pairs(_ arguments: [PickleValue]) throws -> [[PickleValue]] {
        guard let first = arguments.first else { return [] }
        guard case .sequence(let index) = first, arguments.count == 1 else {
            throw reader.fault("OrderedDict of something else", "OrderedDict of a list of pairs")
        }
        try charge(first)
        return try heap.sequences[index].map { item in
            guard case .sequence(let pair) = item, heap.sequences[pair].count == 2 else {
                throw reader.fault("OrderedDict of something else", "OrderedDict of pairs")
            }
            return heap.sequences[pair]
        }
    }

    private mutating func tensor(
        _ arguments: [PickleValue], isTyped: Bool
    ) throws -> PickledTensor {
        for sizesOrStrides in arguments.dropFirst(2).prefix(2) { try charge(sizesOrStrides) }
        guard arguments.count >= (isTyped ? 7 : 6), case .storage(let index) = arguments[0],
            case .integer(let first) = arguments[1], let sizes = heap.naturals(arguments[2]),
            let strides = heap.naturals(arguments[3])
        else {
            throw reader.fault(
                "a tensor of other arguments", "storage, offset, sizes and strides")
        }
        let storage = heap.storages[index]
        var elementType = storage.elementType
        if isTyped, case .global(.elementType(let type)) = arguments[6] { elementType = type }
        guard let elementType else {
            throw reader.fault("a tensor without an element type", "one")
        }
        return PickledTensor(
            storage: storage, elementType: elementType, first: first, sizes: sizes,
            strides: strides)
    }

    private mutating func newObject() throws {
        guard case .sequence(let index) = try pop(), heap.sequences[index].isEmpty,
            case .global(.module) = try pop()
        else {
            throw reader.fault("an object of another kind", "a TorchScript module")
        }
        heap.modules.append(.none)
        stack.append(.module(heap.modules.count - 1))
    }

    /// Attributes: a module's are its tensors and submodules; a dictionary's (`_metadata`) are not weights.
    private mutating func build() throws {
        let state = try pop()
        switch (try top(), state) {
        case (.module(let index), .dictionary): heap.modules[index] = state
        case (.dictionary, .dictionary): break
        default: throw reader.fault("attributes of something else", "those of a module")
        }
    }

    /// `("storage", type, key, device, count)`: a tensor's memory lies in the archive's record `data/<key>`.
    private mutating func persistentIdentifier() throws {
        guard case .sequence(let index) = try pop(), heap.sequences[index].count == 5,
            case .string("storage") = heap.sequences[index][0],
            case .global(.storage(let elementType)) = heap.sequences[index][1],
            case .string(let key) = heap.sequences[index][2],
            case .integer(let count) = heap.sequences[index][4], count >= 0
        else {
            throw reader.fault(
                "another persistent identifier", "storage, type, key, device and count")
        }
        heap.storages.append(PickledStorage(key: key, elementType: elementType, count: count))
        stack.append(.storage(heap.storages.count - 1))
    }
}
