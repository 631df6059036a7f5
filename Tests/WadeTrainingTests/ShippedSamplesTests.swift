//! Facts about the sample clips and demonstrations that the package ships.
import Foundation
import Testing
import WadePipeline

@testable import WadeTraining

@Suite("the shipped samples")
struct ShippedSamplesTests {
    private static let pipelines = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Pipelines")

    private func lines(_ name: String) throws -> [Data] {
        try String(contentsOf: Self.pipelines.appendingPathComponent(name), encoding: .utf8)
            .split(separator: "\n").map { Data($0.utf8) }
    }

    private func truths(_ folder: String) throws -> [TruthLine] {
        try lines(folder + "/truth.jsonl").map {
            try JSONDecoder().decode(TruthLine.self, from: $0)
        }
    }

    @Test(
        "they are what the renderer makes of their seeds, and small",
        arguments: ["samples", "demonstrations"])
    func rendered(folder: String) throws {
        let truths = try truths(folder)
        #expect(truths.count == 8)
        var bytes = 0
        for line in truths {
            #expect(line.truth == ClipRenderer().truth(seed: line.seed))
            let video = Self.pipelines.appendingPathComponent(folder + "/" + line.file)
            bytes += try Data(contentsOf: video).count
        }
        #expect(bytes > 0 && bytes < 400_000)
    }

    @Test("the demonstrations answer in the words that the model was trained on")
    func words() throws {
        let pipeline = try Pipeline.read(
            PathBytes(Self.pipelines.appendingPathComponent("describe.yaml").path))
        #expect(pipeline.model == "flaminglet")
        let truths = try truths("demonstrations")
        #expect(pipeline.demonstrations.count == truths.count)
        for (demonstration, line) in zip(pipeline.demonstrations, truths) {
            let clip = Self.pipelines.appendingPathComponent("demonstrations/" + line.file)
            #expect(demonstration.clip == PathBytes(clip.path))
            let facts = ShotFacts(line.truth)
            #expect(
                demonstration.answers == [
                    "caption": ShotLanguage.caption(facts, style: .sentence),
                    "motion": ShotLanguage.answer(.motion, facts[.motion]),
                    "sort": facts[.film] == "monochrome" ? "keep" : "drop",
                ])
        }
    }

    @Test("no sample is a demonstration")
    func disjoint() throws {
        let seeds = try truths("samples").map(\.seed)
        #expect(Set(seeds).isDisjoint(with: try truths("demonstrations").map(\.seed)))
    }
}
