//! What a pickle of tensors can build.

/// A value of a pickle. Containers are numbers into a `PickleHeap`, so that a cyclic or deeply nested pickle costs neither
/// stack nor a leak.
enum PickleValue {
    case none
    case bool
    case integer(Int)
    case string(String)
    /// Something that no tensor is made of: a float, bytes, an integer beyond 64 bits, a device.
    case opaque
    /// A tuple or a list.
    case sequence(Int)
    /// A dictionary, ordered or not.
    case dictionary(Int)
    /// A TorchScript module, whose attributes become known later.
    case module(Int)
    case global(TorchGlobal)
    case storage(Int)
    case tensor(Int)
}

/// A tensor's memory as a pickle names it.
struct PickledStorage {
    /// The record in the archive's `data` folder.
    let key: String
    /// Nil for storage that leaves the type to the tensor.
    let elementType: ElementType?
    /// The number of elements; bytes when there is no type.
    let count: Int
}

/// A view of a storage as a pickle describes it, not yet checked.
struct PickledTensor {
    let storage: PickledStorage
    let elementType: ElementType
    /// The element of the storage where the tensor starts.
    let first: Int
    let sizes: [Int]
    let strides: [Int]
}

/// The containers of one pickle.
struct PickleHeap {
    /// The items of each tuple and list.
    var sequences: [[PickleValue]] = []
    /// The items of each dictionary in the order they were set; a key may stand there twice.
    var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    /// The attributes of each TorchScript module: a dictionary once they are known.
    var modules: [PickleValue] = []
    /// The storages that persistent identifiers name.
    var storages: [PickledStorage] = []
    /// The views of them.
    var tensors: [PickledTensor] = []

    /// The non-negative integers in a tuple or list; nil when there is anything else.
    func naturals(_ value: PickleValue) -> [Int]? {
        guard case .sequence(let index) = value else { return nil }
        var numbers: [Int] = []
        for case .integer(let number) in sequences[index] where number >= 0 {
            numbers.append(number)
        }
        return numbers.count == sequences[index].count ? numbers : nil
    }
}
