//! The index of a checkpoint that is split over several files (`*.safetensors.index.json`, `pytorch_model.bin.index.json`).
internal import Foundation

/// Which shard holds which tensor.
struct CheckpointIndex {
    private let path: String
    private let shardOfTensor: [String: String]

    private struct Content: Decodable {
        let weight_map: [String: String]
    }

    /// Reads an index; its shards must be plain file names, so that it cannot reach out of its folder.
    init(path: String) throws {
        let mapping = try MappedFile(path: path)
        guard mapping.count <= Safetensors.headerLimit, let json = mapping.copy(0..<mapping.count)
        else {
            throw TensorError.malformed(
                file: path, found: "\(mapping.count) bytes",
                expected: "an index of at most \(Safetensors.headerLimit) bytes")
        }
        guard let content = try? JSONDecoder().decode(Content.self, from: Data(json)) else {
            throw TensorError.malformed(
                file: path, found: "something else",
                expected: "JSON with a weight_map from tensors to file names")
        }
        guard !content.weight_map.isEmpty else {
            throw TensorError.malformed(
                file: path, found: "an empty weight_map", expected: "at least one tensor")
        }
        for (name, shard) in content.weight_map {
            let isPlain = !shard.isEmpty && shard != "." && shard != ".."
            guard isPlain, !shard.utf8.contains(UInt8(ascii: "/")), !shard.utf8.contains(0) else {
                throw TensorError.malformedTensor(
                    file: path, name: name, found: "the shard \(printable(shard))",
                    expected: "the name of a file in the same folder")
            }
        }
        self.path = path
        shardOfTensor = content.weight_map
    }

    /// All tensors of all shards; throws when a shard lacks a tensor that the index promises or two shards hold the same one.
    func read(shard read: (String) throws -> TensorArchive) throws -> TensorArchive {
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[...$0] } ?? ""
        var tensors: [String: StoredTensor] = [:]
        for shard in sortedByBytes(Set(shardOfTensor.values)) {
            let archive = try read(folder + shard)
            for (name, tensor) in archive.tensors {
                if let other = tensors.updateValue(tensor, forKey: name) {
                    throw TensorError.malformedTensor(
                        file: path, name: name, found: "it in \(other.file) and \(archive.file)",
                        expected: "it in one shard")
                }
            }
        }
        for name in sortedByBytes(shardOfTensor.keys) {
            guard let tensor = tensors[name], tensor.file == folder + (shardOfTensor[name] ?? "")
            else {
                throw TensorError.missing(
                    name: name, file: folder + (shardOfTensor[name] ?? ""))
            }
        }
        return TensorArchive(file: path, tensors: tensors, metadata: [:])
    }
}
