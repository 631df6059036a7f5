//! Facts about the evaluation, on a model with random weights.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeTokenizer

@testable import WadeTraining

@Suite("few-shot evaluation")
struct FewShotEvaluationTests {
    private let model: Flamingo
    private let encoder: PieceEncoder
    private let clips: EvaluatedClips

    init() throws {
        let path = NSTemporaryDirectory() + "wade-evaluation-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let json = BytePairTraining().tokenizerJSON(specialTokens: FlamingletTokens.texts)
        try Data(json).write(to: URL(fileURLWithPath: path))
        encoder = try #require(PieceEncoder(try Tokenizer(path: path)))
        let configuration = try FlamingletConfiguration(
            vision: [
                "image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "heads": 2,
                "projection_width": 8,
            ],
            resampler: ["layers": 1, "heads": 2, "head_width": 8, "latents": 4, "frames": 8],
            crossAttention: ["heads": 2, "head_width": 8, "blocks": 1],
            language: [
                "vocabulary_size": encoder.tokenizer.vocabularyCount, "width": 16, "layers": 1,
                "heads": 2, "mlp_width": 32,
            ]
        ).configuration(name: "tiny")
        let parameters = try ParameterInitialization(seed: 2).parameters {
            _ = try Flamingo($0, configuration, arithmetic: Arithmetic(engine: .openBLAS))
        }
        model = try Flamingo(
            Weights(parameters: parameters, file: "test"), configuration, arithmetic: Arithmetic())
        let renderer = ClipRenderer()
        let truths = (0..<40).map { renderer.truth(seed: $0) }
        let tokens = truths.indices.map { clip -> Tensor in
            var random = RandomStream(seed: UInt64(clip), purpose: 2)
            return Tensor((0..<4 * 16).map { _ in random.bell() }, shape: [4, 16])
        }
        clips = EvaluatedClips(tokens: tokens, reversed: tokens, truths: truths)
    }

    private func figures(workers: Int) throws -> [FewShotFigure] {
        try FewShotEvaluation(model, encoder, clips: clips, queries: 4, workers: workers).figures(
            shots: [0, 2], tasks: ["question", "labels-2"], conditions: [.plain, .closed]
        ) { _ in }
    }

    @Test(
        "the figures do not depend on workers, and each stands on the number of questions asked for"
    )
    func figures() throws {
        let one = try figures(workers: 1)
        let three = try figures(workers: 3)
        #expect(one.map(\.right) == three.map(\.right))
        // Two tasks over eight attributes: plain at 0 and 2 shots, closed at 0 or 4, which only questions have here.
        #expect(one.count == 2 * 8 * 2 + 8)
        #expect(one.allSatisfy { $0.right.count == 4 })
        let report = FewShotReport(one)
        #expect(report.jsonLines.split(separator: "\n").count == one.count)
        for line in report.jsonLines.split(separator: "\n") {
            #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil)
        }
        #expect(report.table.contains("### question, closed"))
        #expect(report.plot.lines.map(\.name) == ["question", "labels-2"])
    }

    @Test("Wilson's interval is that of the books")
    func interval() {
        var share = Proportion()
        for index in 0..<10 { share.add(index < 8) }
        // 8 of 10: 0.490 to 0.943.
        #expect(abs(share.interval.lowerBound - 0.4901625) < 1e-6)
        #expect(abs(share.interval.upperBound - 0.9433178) < 1e-6)
        #expect(Proportion().interval == 0...1)
    }
}
