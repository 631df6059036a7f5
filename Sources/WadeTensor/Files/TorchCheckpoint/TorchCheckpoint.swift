//! Checkpoints that PyTorch wrote with `torch.save` or `torch.jit.save`: a zip archive with a pickle and one record per storage.

/// Reads PyTorch's zip archives without running anything. Files of PyTorch before 1.6 (a bare pickle) are refused.
package enum TorchCheckpoint {
    /// The largest pickle that is read, in bytes: far above the 1 MB or so of the largest models.
    static let pickleLimit = 1 << 24

    /// The tensors of one `.pt`, `.bin` or TorchScript archive. Nested dictionaries and modules become dotted names;
    /// a `model_state_dict` or `state_dict` around the weights and a `module.` before all names are taken off.
    package static func read(path: String) throws -> TensorArchive {
        let mapping = try MappedFile(path: path)
        if mapping.integer(at: 0, as: UInt8.self) == 0x80 {
            throw TensorError.malformed(
                file: path, found: "a bare pickle",
                expected: "a zip archive as PyTorch 1.6 and later write it; load and save it again")
        }
        let zip = try ZipArchive(mapping)
        let top = try topFolder(of: zip)
        try requireLittleEndian(zip, top: top)
        let pickleRange = try zip.entry("\(top)/data.pkl")
        guard pickleRange.count <= pickleLimit, let pickle = mapping.copy(pickleRange) else {
            throw TensorError.malformed(
                file: path, found: "a pickle of \(pickleRange.count) bytes",
                expected: "at most \(pickleLimit)")
        }
        let (root, heap) = try Unpickler.read(pickle, file: path)
        var state = TorchState(
            heap: heap, file: path, budget: min(100 * pickle.count, TorchState.largestBudget))
        try state.collect(root)
        var tensors: [String: StoredTensor] = [:]
        for (name, tensor) in state.tensors {
            tensors[name] = try stored(tensor, name: name, zip: zip, top: top)
        }
        return TensorArchive(file: path, tensors: tensors, metadata: [:])
    }

    /// The tensors of all shards that an index (`pytorch_model.bin.index.json`) names.
    package static func readSharded(index: String) throws -> TensorArchive {
        try CheckpointIndex(path: index).read(shard: read)
    }

    /// The archive's only top folder, under whatever name; the pickle lies in it.
    private static func topFolder(of zip: ZipArchive) throws -> String {
        let suffix = "/data.pkl"
        let tops = zip.entries.keys.filter { $0.hasSuffix(suffix) }
            .map { $0.dropLast(suffix.count) }.filter { !$0.contains("/") }
        guard let top = tops.first, tops.count == 1 else {
            throw TensorError.malformed(
                file: zip.mapping.path, found: "\(tops.count) entries <folder>/data.pkl",
                expected: "one, as in every PyTorch archive")
        }
        return String(top)
    }

    /// Archives of PyTorch before 2.0 do not say their byte order; it was little-endian.
    private static func requireLittleEndian(_ zip: ZipArchive, top: String) throws {
        guard zip.entries["\(top)/byteorder"] != nil else { return }
        let range = try zip.entry("\(top)/byteorder")
        guard range.count == 6, zip.mapping.copy(range) == Array("little".utf8) else {
            throw TensorError.malformed(
                file: zip.mapping.path, found: "another byte order", expected: "little")
        }
    }

    private static func stored(
        _ tensor: PickledTensor, name: String, zip: ZipArchive, top: String
    ) throws -> StoredTensor {
        let path = zip.mapping.path
        let region = try zip.entry("\(top)/data/\(tensor.storage.key)")
        let width = tensor.storage.elementType?.byteCount ?? 1
        let (size, overflow) = tensor.storage.count.multipliedReportingOverflow(by: width)
        guard !overflow, size == region.count else {
            throw TensorError.malformedTensor(
                file: path, name: name, found: "\(region.count) bytes in the archive",
                expected: "the \(tensor.storage.count) elements of \(width) bytes in its pickle")
        }
        guard let shape = Shape(checking: tensor.sizes) else {
            throw TensorError.malformedTensor(
                file: path, name: name, found: "a shape beyond any memory",
                expected: "a shape whose element count fits 63 bits")
        }
        return try StoredTensor(
            name: name, elementType: tensor.elementType, shape: shape, in: zip.mapping,
            region: region, first: tensor.first, strides: tensor.strides)
    }
}
