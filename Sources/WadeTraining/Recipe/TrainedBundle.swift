//! Writes what was trained as a model bundle.
internal import Foundation
package import WadeFlamingo
internal import WadePipeline
package import WadeTensor

/// A model's parameters on their way to a bundle.
package struct TrainedBundle {
    package var configuration: FlamingoConfiguration
    package var parameters: [String: Tensor]

    package init(configuration: FlamingoConfiguration, parameters: [String: Tensor]) {
        self.configuration = configuration
        self.parameters = parameters
    }

    /// Writes the bundle's folder, weights in float16; an older one in its place is replaced file by file, the configuration last.
    package func write(to folder: String, tokenizer: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var writer = SafetensorsWriter(metadata: ["format": FlamingoConfiguration.currentFormat])
        for (name, tensor) in parameters { writer.add(name, tensor, as: .float16) }
        let weights = folder + "/model.safetensors"
        try writer.write(to: weights)
        let tokenizerText = try Data(contentsOf: URL(fileURLWithPath: tokenizer))
        try tokenizerText.write(
            to: URL(fileURLWithPath: folder + "/tokenizer.json"), options: .atomic)
        var configuration = configuration
        configuration.weightsSHA256 = try ModelBundle.weightsDigest(of: weights)
        try configuration.write(to: folder)
        try ModelBundle(path: folder).check()
    }
}
