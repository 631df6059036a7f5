//! Checkpoints of unknown kind: what a file is, its first bytes say; its name is not asked.

/// Opens any checkpoint that this room reads: safetensors, PyTorch's zip archives, and the index of either.
package enum CheckpointFile {
    /// The tensors of the file, or of all shards that it names when it is an index.
    package static func read(path: String) throws -> TensorArchive {
        let start = try MappedFile(path: path)
        let first = start.integer(at: 0, as: UInt8.self)
        let length = start.integer(at: 0, as: UInt64.self) ?? 0
        let ninth = start.integer(at: 8, as: UInt8.self)
        if ninth == UInt8(ascii: "{"), length <= UInt64(Safetensors.headerLimit) {
            return try Safetensors.read(path: path)
        }
        if first == UInt8(ascii: "{") {
            return try CheckpointIndex(path: path).read(shard: readShard)
        }
        if first == UInt8(ascii: "P") || first == 0x80 {
            return try TorchCheckpoint.read(path: path)
        }
        throw TensorError.malformed(
            file: path, found: "an unknown kind of file",
            expected: "safetensors, a PyTorch zip archive or the index of a sharded checkpoint")
    }

    /// A shard must hold tensors itself: an index of indices could go round in circles.
    private static func readShard(path: String) throws -> TensorArchive {
        let start = try MappedFile(path: path)
        return start.integer(at: 0, as: UInt8.self) == UInt8(ascii: "P")
            ? try TorchCheckpoint.read(path: path) : try Safetensors.read(path: path)
    }
}
