//! Published tensors as a model's weights, without a bundle in between.
import Foundation
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

extension Fixtures {
    /// The tensors of a published file under Wade's names, changed as `wade model import` changes them.
    static func weights(_ archive: TensorArchive, _ table: RenameTable) throws -> Weights {
        var checkpoint = Checkpoint()
        try checkpoint.add(archive, table)
        // A parameter that is published in parts only exists once it is written; the mapping outlives the file.
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: url) }
        var writer = SafetensorsWriter()
        for parameter in try checkpoint.parameters(heads: 1) {
            writer.add(parameter.name, pieces: parameter.pieces, shape: parameter.shape)
        }
        try writer.write(to: url.path)
        return Weights(try Safetensors.read(path: url.path))
    }
}
