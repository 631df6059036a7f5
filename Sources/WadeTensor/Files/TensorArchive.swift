//! The named tensors of a checkpoint: of one file, or of all the files that its index names.

/// What a reader of checkpoints returns; opening it has read names and shapes only.
package struct TensorArchive: Sendable {
    /// The path that was opened: the file itself, or the index of a sharded checkpoint.
    package let file: String
    /// The tensors by name.
    package let tensors: [String: StoredTensor]
    /// Free text that safetensors files carry beside the tensors; empty for other formats.
    package let metadata: [String: String]

    /// The names, sorted by their bytes.
    package var names: [String] { sortedByBytes(tensors.keys) }
}

/// Names in the order of their UTF-8 bytes, the same on every machine and in every locale.
func sortedByBytes(_ names: some Sequence<String>) -> [String] {
    names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
