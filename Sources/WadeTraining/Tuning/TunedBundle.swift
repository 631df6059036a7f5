//! Writes a tuned model as a bundle: what was frozen keeps its bytes.
internal import Foundation
internal import WadeFlamingo
internal import WadePipeline
internal import WadeTensor

/// A bundle with some of its parameters replaced.
struct TunedBundle {
    let source: ModelBundle
    /// By canonical name; everything else stays.
    let tuned: [String: Tensor]

    /// Writes configuration, weights and tokenizer into `folder`, the configuration last; its name is the model's.
    /// Tuned parameters keep their format, too, but bfloat16, whose rounding would swallow the steps of a small learning rate.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var writer = SafetensorsWriter(metadata: source.weights.metadata)
        for (name, stored) in source.weights.tensors {
            if let tensor = tuned[name] {
                writer.add(
                    name, tensor,
                    as: stored.elementType == .bfloat16 ? .float32 : stored.elementType)
            } else {
                writer.add(name, stored)
            }
        }
        let weights = folder + "/model.safetensors"
        try writer.write(to: weights)
        let tokenizer = try Data(
            contentsOf: URL(fileURLWithPath: source.path + "/tokenizer.json"))
        try tokenizer.write(
            to: URL(fileURLWithPath: folder + "/tokenizer.json"), options: .atomic)
        var configuration = source.configuration
        configuration.name = PathBytes(folder).name.text
        configuration.weightsSHA256 = try ModelBundle.weightsDigest(of: weights)
        try configuration.write(to: folder)
        try ModelBundle(path: folder).check()
    }
}

extension FlamingoConfiguration {
    /// Writes `config.json` of the bundle in `folder`.
    func write(to folder: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(
            to: URL(fileURLWithPath: folder + "/config.json"), options: .atomic)
    }
}
