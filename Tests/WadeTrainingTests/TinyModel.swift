//! A Flaminglet of a few thousand parameters with random weights, in a bundle of its own, and clips to tune it on.
import Foundation
import Testing
import WadeFlamingo
import WadeImage
import WadePipeline
import WadeTensor
import WadeTokenizer
@testable import WadeVideo

@testable import WadeTraining

/// A folder that is deleted with the value, with a model in `model` and clips in `clips`.
final class TinyModel {
    let folder: String
    var bundlePath: String { folder + "/model" }
    var dataPath: String { folder + "/clips.jsonl" }
    var outputPath: String { folder + "/tuned" }

    static let captions = ["red things everywhere", "nothing but blue"]

    /// `storing` is the format of the weights on disk.
    init(storing elementType: ElementType = .float16) throws {
        folder = NSTemporaryDirectory() + "wade-tiny-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: bundlePath, withIntermediateDirectories: true)
        let tokenizer = folder + "/model/tokenizer.json"
        var training = BytePairTraining()
        for caption in Self.captions { training.add(caption, count: 9) }
        training.learn(vocabularySize: 300)
        try Data(training.tokenizerJSON(specialTokens: FlamingletTokens.texts))
            .write(to: URL(fileURLWithPath: tokenizer))
        var configuration = try FlamingletConfiguration(
            vision: [
                "image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "heads": 2,
                "projection_width": 8,
            ],
            resampler: ["layers": 1, "heads": 2, "head_width": 8, "latents": 4, "frames": 8],
            crossAttention: ["heads": 2, "head_width": 8, "blocks": 1],
            language: [
                "vocabulary_size": try Tokenizer(path: tokenizer).vocabularyCount, "width": 16,
                "layers": 2, "heads": 2, "mlp_width": 32,
            ]
        ).configuration(name: "tiny")
        let parameters = try ParameterInitialization(seed: 1).parameters {
            _ = try Flamingo($0, configuration, arithmetic: Arithmetic(engine: .openBLAS))
        }
        var writer = SafetensorsWriter()
        for (name, tensor) in parameters {
            // Gates that are open a little, so that what is seen matters from the first step.
            writer.add(
                name, name.hasSuffix("gate") ? Tensor([0.5], shape: [1]) : tensor, as: elementType)
        }
        try writer.write(to: bundlePath + "/model.safetensors")
        configuration.weightsSHA256 = try ModelBundle.weightsDigest(
            of: bundlePath + "/model.safetensors")
        try configuration.write(to: bundlePath)
        try ModelBundle(path: bundlePath).check()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Writes the clip `name`: red or blue with a stripe that differs from number to number.
    func writeClip(_ name: String, isRed: Bool, number: Int, frames: Int, size: (Int, Int)) throws {
        let (width, height) = size
        let pixels = (0..<width * height).flatMap { place -> [UInt8] in
            let level: UInt8 = place % width < 2 * (number + 1) ? 255 : 190
            return isRed ? [level, 20, 20] : [20, 20, level]
        }
        var writer = try VideoWriter(
            path: Array((folder + "/" + name).utf8), width: width, height: height, rate: 8)
        for _ in 0..<frames {
            try writer.append(RGBImage(width: width, height: height, pixels: pixels))
        }
        try writer.finish()
    }

    /// Writes `count` clips of several lengths and sizes, and clips.jsonl with a caption for each.
    func writeClips(_ count: Int) throws {
        var lines = ""
        for number in 0..<count {
            let isRed = number % 2 == 0
            try writeClip(
                "\(number).mp4", isRed: isRed, number: number, frames: 3 + number % 4,
                size: number % 3 == 0 ? (32, 48) : (48, 32))
            lines +=
                "{\"clip\":\"\(number).mp4\",\"caption\":\"\(Self.captions[isRed ? 0 : 1])\"}\n"
        }
        try lines.write(toFile: dataPath, atomically: true, encoding: .utf8)
    }

    /// A plan for this model and these clips that takes seconds.
    func plan(steps: Int) -> TuningPlan {
        var plan = TuningPlan(
            bundle: bundlePath, data: PathBytes(dataPath), output: outputPath)
        plan.steps = steps
        plan.learningRate = 0.01
        plan.batch = 6
        plan.heldOut = 0.25
        plan.evaluateEvery = max(1, steps / 2)
        return plan
    }

    /// The program that the package builds beside its tests, which serves as decoder.
    static let program: String = {
        let paths = ProcessInfo.processInfo.arguments.map { URL(fileURLWithPath: $0) }
        var bundle = paths.first { $0.path.contains(".xctest") } ?? paths[0]
        while bundle.pathExtension != "xctest", bundle.pathComponents.count > 1 {
            bundle.deleteLastPathComponent()
        }
        return bundle.deletingLastPathComponent().appendingPathComponent("wade").path
    }()
}
