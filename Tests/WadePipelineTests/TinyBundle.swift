//! A real, small model with random weights in a bundle of its own.
import Foundation
import WadeFlamingo
import WadeTensor
import WadeTestSupport
import WadeTokenizer
import WadeVideo

@testable import WadePipeline

/// The bundled OpenFlamingo fixture, imported.
struct TinyBundle {
    let bundle: ModelBundle
    private let folder: TemporaryFolder

    init() throws {
        let fixture = Fixtures.bundled.appendingPathComponent("openflamingo-mpt/mpt1b-every2").path
        folder = try TemporaryFolder()
        let path = folder("model").text
        _ = try ModelImport(
            checkpoint: fixture + "/checkpoint", language: fixture + "/lm",
            vision: fixture + "/vision", name: "tiny"
        ).write(to: path)
        bundle = try ModelBundle(path: path)
    }

    /// A clip's visual tokens (64, D), different for every number.
    func visualTokens(_ clip: Int) -> Tensor {
        let width = bundle.configuration.vision.width
        let values = (0..<64 * width).map { Float(sin(Double($0 * (clip + 1)) * 0.37)) }
        return Tensor(values, shape: [64, width])
    }

    /// The answers to a task of `pipeline` about clips; none is decoded, so demonstrations must be words alone.
    func answers(_ pipeline: Pipeline, _ clips: [Int], task: Int = 0) throws -> [ClipAnswer] {
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: pipeline, decoders: DecoderPool(capacity: 1)
        ).annotator
        let questions = clips.map { clip in
            ClipQuestion(
                tokens: visualTokens(clip), framesDigest: "sha256:\(clip)",
                task: pipeline.tasks[task])
        }
        return try annotator.answer(questions).map {
            var answer = try $0.get()
            answer.generateMilliseconds = 0
            return answer
        }
    }
}
