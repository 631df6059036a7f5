//! Frames that hardly differ are encoded once where the pipeline says so, and never elsewhere.
import Foundation
import Testing
import WadeImage
import WadeTensor

@testable import WadePipeline

/// A picture of 2 × 2 with this value in every channel.
private func picture(_ value: UInt8) -> RGBImage {
    RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: value, count: 12))
}

@Suite struct NearIdenticalFramesTests {
    @Test func `a frame is compared with the one encoded before it so that nothing drifts away`() {
        let near = NearIdenticalFrames([10, 11, 12, 13, 10].map(picture), within: 2)
        #expect(near.encoded == [0, 3, 4])
        #expect(near.sources == [0, 0, 0, 1, 2])
        #expect(near.reusesAny)
    }

    @Test func `at a limit of zero only frames that are the same are spared`() {
        let near = NearIdenticalFrames([7, 7, 8].map(picture), within: 0)
        #expect(near.encoded == [0, 2] && near.sources == [0, 0, 1])
        #expect(!NearIdenticalFrames([7, 8, 7].map(picture), within: 0).reusesAny)
    }

    @Test func `every frame has the features of its source`() {
        let pixels = Tensor([1, 2, 3, 4], shape: [4, 1, 1, 1])
        let near = NearIdenticalFrames([0, 1, 9, 9].map(picture), within: 1)
        var seen: [Float] = []
        let features = near.features(of: pixels) { frames in
            seen = frames.values
            return frames.reshaped([frames.shape[0], 1, 1])
        }
        #expect(seen == [1, 3])
        #expect(features.values == [1, 1, 3, 3])
    }

    @Test func `the option is part of the recipe and its absence is not`() throws {
        func recipe(_ limit: String) throws -> String {
            let folder = try TemporaryFolder()
            let path = folder("p.yaml")
            let text =
                "tasks:\n  - {id: caption, type: caption}\nsampling: {uniform: 4\(limit)}\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path.text))
            let pipeline = try Pipeline.read(path)
            return try Recipe(
                pipeline, task: pipeline.tasks[0],
                model: ModelIdentity(name: "m", weightsSHA256: "w", numericsVersion: "n"),
                contents: [:]
            ).id
        }
        let (none, some, more) = (
            try recipe(""), try recipe(", near_identical: 1"), try recipe(", near_identical: 2")
        )
        #expect(Set([none, some, more]).count == 3)
        #expect(throws: PipelineError.self) { try recipe(", near_identical: 300") }
    }
}
