//! Checkpoints of unknown kind: what a file is, its first bytes say; its name is not asked.

/// Opens any checkpoint that this room reads: safetensors, PyTorch's zip archives, and the index of either.
package enum CheckpointFile {
    /// The tensors of the file, or of all shards that it names when it is an index.
    package static func read(path: String) throws -> TensorArchive {
        switch try kind(of: path) {
        case .safetensors: return try Safetensors.read(path: path)
        case .index: return try CheckpointIndex(path: path).read(shard: readShard)
        case .torch: return try TorchCheckpoint.read(path: path)
        }
    }

    private enum Kind {
        case safetensors, index, torch
    }

    /// A safetensors header starts at the ninth byte; its length stands before and may look like anything, a zip's mark included.
    private static func kind(of path: String) throws -> Kind {
        let start = try MappedFile(path: path)
        let first = start.integer(at: 0, as: UInt8.self)
        let length = start.integer(at: 0, as: UInt64.self) ?? 0
        let ninth = start.integer(at: 8, as: UInt8.self)
        if ninth == UInt8(ascii: "{"), length <= UInt64(Safetensors.headerLimit) {
            return .safetensors
        }
        if first == UInt8(ascii: "{") { return .index }
        if first == UInt8(ascii: "P") || first == 0x80 { return .torch }
        throw TensorError.malformed(
            file: path, found: "an unknown kind of file",
            expected: "safetensors, a PyTorch zip archive or the index of a sharded checkpoint")
    }

    /// A shard must hold tensors itself: an index of indices could go round in circles.
    private static func readShard(path: String) throws -> TensorArchive {
        try kind(of: path) == .torch
            ? try TorchCheckpoint.read(path: path) : try Safetensors.read(path: path)
    }
}
