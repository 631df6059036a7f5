//! Facts about the score of cuts: each found and each labelled cut counts once.
import Foundation
import Testing
import WadePipeline

@testable import WadeEvaluation

@Suite("the score of cuts")
struct CutScoreTests {
    @Test("cuts within the tolerance match one to one; the rest is missed or false")
    func matching() {
        let score = CutScore(found: [5.5, 1.05, 1.0, 9], labelled: [1, 3, 5.45], tolerance: 0.1)
        #expect(score.hits == 2 && score.missed == [3] && score.wrong == [1.05, 9])
        #expect(score.precision == 0.5 && abs(score.recall - 2.0 / 3) < 1e-12)
        #expect(abs(score.f1 - 4.0 / 7) < 1e-12)
    }

    @Test("nothing to find and nothing found is perfect; sums count all videos alike")
    func edges() {
        var sum = CutScore()
        #expect(sum.precision == 1 && sum.recall == 1)
        sum.add(CutScore(found: [], labelled: [2], tolerance: 0.1))
        #expect(sum.precision == 1 && sum.recall == 0 && sum.f1 == 0)
        sum.add(CutScore(found: [4], labelled: [4], tolerance: 0))
        #expect(sum.hits == 1 && sum.recall == 0.5)
    }

    @Test("labels are read with their tolerance, and what is wrong with them is named")
    func labels() throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("cuts-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(
            """
            {"about": "x", "clips": [{"file": "a.mp4", "cut_times_s": [1, 2.5], "cut_tol_s": 0.2, "size": [1, 2]},
             {"file": "b.mp4", "cut_times_s": []}]}
            """.utf8
        ).write(to: file)
        let read = try LabelledCuts(PathBytes(file.path)).videos
        #expect(read.map(\.file) == ["a.mp4", "b.mp4"] && read.map(\.tolerance) == [0.2, 0.1])
        #expect(read[0].cuts == [1, 2.5])
        try Data("{\"clips\": [{\"file\": \"a.mp4\"}]}".utf8).write(to: file)
        #expect {
            try LabelledCuts(PathBytes(file.path))
        } throws: { "\($0)".contains("(no \"cut_times_s\")") }
        #expect(throws: PipelineError.self) { try LabelledCuts(PathBytes("/nowhere.json")) }
    }
}
