//! Weights: safetensors, their indices, PyTorch's archives.
import WadeTensor

extension FuzzedParser {
    func feedCheckpoint(_ bytes: [UInt8]) throws -> Bool {
        let path = try ScratchFile.holding(bytes, as: "checkpoint")
        let archive = try refusing([TensorError.self]) { try CheckpointFile.read(path: path) }
        if let archive { try readTensors(of: archive) }
        return archive != nil
    }

    func feedTorchArchive(_ bytes: [UInt8]) throws -> Bool {
        let path = try ScratchFile.holding(bytes, as: "archive")
        let archive = try refusing([TensorError.self]) { try TorchCheckpoint.read(path: path) }
        if let archive { try readTensors(of: archive) }
        return archive != nil
    }

    /// Reads every value of the first tensors: their elements must lie within the file, whatever the header says.
    private func readTensors(of archive: TensorArchive) throws {
        for name in archive.names.prefix(64) {
            guard let tensor = archive.tensors[name] else { continue }
            let count = tensor.shape.elementCount
            if tensor.elementType.isFloatingPoint {
                let values = try refusing([TensorError.self]) { try tensor.float32() }
                try BrokenPromise.unless(
                    values.map { $0.shape == tensor.shape } ?? false,
                    "\(count) floating-point values that cannot be read")
                let sum = values.map { $0.values.reduce(0, +) } ?? 0
                _ = sum
            } else {
                let values = try refusing([TensorError.self]) { try tensor.int64() }
                try BrokenPromise.unless(
                    values.map { $0.count == count } ?? true, "not \(count) integers")
            }
        }
    }
}
