//! The published files of a Flamingo with a normalizer-free network: none was released, so they are made of fixtures.
import Foundation
import WadeTensor

/// timm's tiny network as vision tower, the language model of a tiny OpenFlamingo, and that one's resampler and gated blocks, widened to
/// the network's features by repeating their values.
public struct NFNetParts {
    /// The folder with resampler and gated blocks.
    public let checkpoint: String
    /// The folder with the language model and its tokenizer.
    public let language: String
    /// The folder with the network.
    public let vision: String

    /// Width of the small OpenFlamingo's features and of its feed-forwards, and what they become.
    private static let widths = [18: 96, 72: 384]

    /// Side of the pictures.
    public static let imageSize = 64

    /// Writes the parts into `folder`, which must exist.
    public init(in folder: String) throws {
        let model = Fixtures.bundled.appendingPathComponent("openflamingo-mpt/mpt1b-every2").path
        checkpoint = folder + "/checkpoint"
        language = model + "/lm"
        vision = folder + "/nfnet"
        for path in [checkpoint, vision] {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        }
        try Self.writeCheckpoint(from: model + "/checkpoint", to: checkpoint)
        let network = Fixtures.bundled.appendingPathComponent("nfnet").path
        try FileManager.default.copyItem(
            atPath: network + "/model.safetensors", toPath: vision + "/model.safetensors")
        let json = try String(contentsOfFile: network + "/config.json", encoding: .utf8)
        let size = "\"pretrained_cfg\": {\"input_size\": [3, \(Self.imageSize), \(Self.imageSize)],"
        try json.replacing("\"pretrained_cfg\": {", with: size)
            .write(toFile: vision + "/config.json", atomically: true, encoding: .utf8)
    }

    private static func writeCheckpoint(from source: String, to folder: String) throws {
        let archive = try Safetensors.readSharded(index: source + "/model.safetensors.index.json")
        var writer = SafetensorsWriter()
        for name in archive.names {
            let tensor = try archive.float(name)
            let shape = Shape(tensor.shape.sizes.map { widths[$0] ?? $0 })
            writer.add(name, Tensor(cycling: tensor.values, shape: shape))
        }
        try writer.write(to: folder + "/model.safetensors")
    }
}
