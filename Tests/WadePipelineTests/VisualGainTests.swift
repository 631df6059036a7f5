//! A fact about the shipped model: what an answer gains by seeing the clip tells its own clip from others.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeVideo

@testable import WadePipeline

@Suite("visual gain of the shipped model")
struct VisualGainTests {
    private static let clips: [PathBytes] = {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        folder.appendPathComponent("Pipelines/samples")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".mp4") }.sorted()
            .map { PathBytes(folder.appendingPathComponent($0).path) }
    }()

    /// The program beside the tests, which decodes.
    private static let program: String = {
        let paths = ProcessInfo.processInfo.arguments.map { URL(fileURLWithPath: $0) }
        var bundle = paths.first { $0.path.contains(".xctest") } ?? paths[0]
        while bundle.pathExtension != "xctest", bundle.pathComponents.count > 1 {
            bundle.deleteLastPathComponent()
        }
        return bundle.deletingLastPathComponent().appendingPathComponent("wade").path
    }()

    /// The share of pairs of a right and a swapped one in which the right one is greater, half for equal ones.
    private func area(_ right: [Double], _ swapped: [Double]) -> Double {
        var wins = 0.0
        for one in right {
            for other in swapped { wins += one > other ? 1 : one == other ? 0.5 : 0 }
        }
        return wins / Double(right.count * swapped.count)
    }

    @Test(
        "an answer gains more by the clip that it is about than by another one",
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: Self.program),
            "the program is not built beside the tests"))
    func swapped() throws {
        let tasks = [
            AnnotationTask(id: "caption", type: .caption, maxNewTokens: 40),
            AnnotationTask(
                id: "colour", type: .vqa, question: "What colour is the background?",
                maxNewTokens: 8),
        ]
        var pipeline = plainPipeline(tasks)
        pipeline.sampling = .uniform(count: 8)
        let bundle = try ModelBundle(path: ModelLocation("flaminglet").folder)
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: pipeline,
            decoders: DecoderPool(capacity: 2, limits: VideoLimits(), program: Self.program))
        let model = annotator.model
        let tokenizer = try bundle.tokenizer()
        let stage = try AnswerStage(model, tokenizer, pipeline)
        let medias = try Self.clips.map { path in
            let identity = try ContentIdentity.read(path, known: { _ in nil })
            let source = ClipSource(path: path, relativePath: path, identity: identity)
            return model.media([try annotator.annotator.encode(source, nil).get().tokens])
        }
        #expect(medias.count == 8)
        for task in tasks {
            let prompt = try PromptReader(model, tokenizer).read(
                Prompt(pipeline, task: task), clips: [])
            var (right, swapped): ([Double], [Double]) = ([], [])
            for (number, media) in medias.enumerated() {
                let answer = try stage.answer(
                    task, behind: prompt, about: media, framesDigest: "\(number)")
                let gain = try #require(
                    try stage.visualGains(of: [(answer, behind: prompt)])[0].get())
                right.append(gain)
                for (other, media) in medias.enumerated() where other != number {
                    let seen = try Generator(model).scores(
                        of: [answer.ids], after: answer.query, behind: prompt.seeing(media))
                    // What it is without any clip is the same whichever clip is swapped in.
                    swapped.append(gain - answer.logProbability + seen[0].sum)
                }
            }
            let found = area(right, swapped)
            #expect(found >= 0.9, "\(task.id): \(found)")
        }
    }
}
