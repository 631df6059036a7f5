//! The Python names that a pickle of tensors may mention. Every other one is refused, called or not.

/// An allowed name, understood here; no Python object stands behind it.
enum TorchGlobal: Equatable {
    /// `collections.OrderedDict`
    case orderedDictionary
    /// `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`
    case rebuildTensor
    /// `torch._utils._rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype)`
    case rebuildTensorWithType
    /// `torch._utils._rebuild_parameter(tensor, requires_grad, hooks)`, `torch.Size(tuple)` and TorchScript's marks of
    /// list types: all stand for their first argument.
    case firstArgument
    /// `torch.device(…)`
    case device
    /// `torch.FloatStorage` and its kin; nil for `UntypedStorage`.
    case storage(ElementType?)
    /// `torch.float32` and its kin.
    case elementType(ElementType)
    /// A class of a TorchScript archive, `__torch__.…`
    case module

    /// The meaning of `name` in Python module `module`; nil when it does not build tensors.
    init?(module: String, name: String) {
        if module == "__torch__" || module.hasPrefix("__torch__.") {
            self = .module
            return
        }
        guard let known = TorchGlobal.named["\(module).\(name)"] else { return nil }
        self = known
    }

    private static let named: [String: TorchGlobal] = {
        let types: [(storage: String, names: [String], type: ElementType)] = [
            ("Float", ["float32", "float"], .float32), ("Half", ["float16", "half"], .float16),
            ("BFloat16", ["bfloat16"], .bfloat16), ("Double", ["float64", "double"], .float64),
            ("Long", ["int64", "long"], .int64), ("Int", ["int32", "int"], .int32),
            ("Short", ["int16", "short"], .int16), ("Char", ["int8"], .int8),
            ("Byte", ["uint8"], .uint8), ("Bool", ["bool"], .bool),
        ]
        var named: [String: TorchGlobal] = [
            "collections.OrderedDict": .orderedDictionary,
            "torch._utils._rebuild_tensor_v2": .rebuildTensor,
            "torch._utils._rebuild_tensor_v3": .rebuildTensorWithType,
            "torch._utils._rebuild_parameter": .firstArgument,
            "torch.Size": .firstArgument,
            "torch.device": .device,
            "torch.UntypedStorage": .storage(nil),
            "torch.storage.UntypedStorage": .storage(nil),
            "torch.uint16": .elementType(.uint16),
            "torch.uint32": .elementType(.uint32),
            "torch.uint64": .elementType(.uint64),
        ]
        for entry in types {
            named["torch.\(entry.storage)Storage"] = .storage(entry.type)
            for name in entry.names { named["torch.\(name)"] = .elementType(entry.type) }
        }
        let marks = [
            "restore_type_tag", "build_intlist", "build_tensorlist", "build_doublelist",
            "build_boollist",
        ]
        for mark in marks { named["torch.jit._pickle.\(mark)"] = .firstArgument }
        return named
    }()
}
