//! A model that answers with what stands in the file, so that runs can be tested without one.
import Foundation
import Synchronization
import WadeVideo

@testable import WadePipeline

/// Counts what was asked of a fake model.
final class Asked: Sendable {
    private let counts = Mutex<(encoded: [String], answered: Int)>(([], 0))
    /// Contents that were encoded, sorted.
    var encoded: [String] { counts.withLock { $0.encoded.sorted() } }
    /// Questions that were answered.
    var answered: Int { counts.withLock { $0.answered } }

    func encode(_ content: String) { counts.withLock { $0.encoded.append(content) } }
    func answer(_ count: Int) { counts.withLock { $0.answered += count } }
}

/// Makes annotators whose "clips" are text files: `bad` cannot be decoded, `flaky` fails in a way that may go away, others are
/// their own caption, which `unsure` keeps to itself. `slow` takes longer than what follows it.
enum FakeAnnotator {
    static func make(
        asked: Asked = Asked(), batch: Int = 2, flakyFails: Bool = true
    ) -> Annotator<String> {
        Annotator(
            batch: batch,
            encode: { source, span in
                let text = content(of: source)
                asked.encode(text)
                if text.hasPrefix("slow") { usleep(20_000) }
                if text.hasPrefix("bad") {
                    return .failure(
                        ClipFailure(code: .notMedia, stage: .decode, message: "no container"))
                }
                if text.hasPrefix("flaky"), flakyFails {
                    return .failure(
                        ClipFailure(code: .timeout, stage: .decode, message: "took too long"))
                }
                var video = AnnotationRecord.Video()
                video.duration = Double(text.utf8.count)
                video.width = 64
                video.height = 48
                var frames = AnnotationRecord.Frames()
                frames.requested = 2
                frames.used = 2
                frames.times = [0.25, 0.75]
                let words = text.split(separator: " ")
                let tokens = span.map { String(words[Int($0.start)]) } ?? text
                return .success(
                    EncodedClip(
                        tokens: tokens, video: video,
                        span: span
                            ?? ClipSpan(start: 0, end: Double(text.utf8.count), boundary: .whole),
                        frames: frames,
                        flags: text.hasPrefix("torn") ? [.truncatedFile, .shortClip] : []))
            },
            answer: { questions in
                asked.answer(questions.count)
                return questions.map { question in
                    var answer = ClipAnswer()
                    answer.raw = "\(question.tokens) for \(question.task.id)"
                    answer.finish = .eos
                    answer.tokens = 3
                    answer.score.meanLogProbability =
                        question.tokens.hasPrefix("nan") ? .nan : -0.5
                    if !question.task.choices.isEmpty { answer.choice = 1 }
                    answer.isWithheld = question.tokens.hasPrefix("unsure")
                    return .success(answer)
                }
            })
    }

    /// Cuts a file into its words, a second each.
    static let cut: ClipCutter = { source in
        let count = max(1, content(of: source).split(separator: " ").count)
        return .success(
            (0..<count).map {
                ClipSpan(start: Double($0), end: Double($0 + 1), boundary: .stride)
            })
    }

    private static func content(of source: ClipSource) -> String {
        let bytes = (try? SmallFile.read(source.path)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A pipeline with `tasks` and nothing special.
func plainPipeline(_ tasks: [AnnotationTask]) -> Pipeline {
    Pipeline(
        name: "test", model: "fake", precision: .float32, tasks: tasks, demonstrations: [],
        sampling: .uniform(count: 2), segmentation: .whole, decoding: Decoding(), customID: "")
}

/// The caption and the question that most tests ask.
let captionTask = AnnotationTask(id: "caption", type: .caption)
let colourTask = AnnotationTask(id: "colour", type: .vqa, question: "What colour?")

/// Runs `pipeline` over `paths` into `output` as the command does, without the lock.
@discardableResult
func annotate(
    _ paths: [PathBytes], into output: PathBytes, pipeline: Pipeline, workers: Int = 2,
    annotator: Annotator<String> = FakeAnnotator.make(), stop: StopRequest = StopRequest(),
    settings: RunSettings? = nil
) throws -> RunSummary {
    var ledger = try Ledger(readingFrom: output)
    try ledger.cutTornLine(of: output)
    let plan = try RunPlan(
        pipeline: pipeline,
        model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
        findings: try ClipFinder.find(paths), settings: settings ?? RunSettings(workers: workers))
    let run = AnnotationRun<String>(plan: plan, ledger: ledger, cut: FakeAnnotator.cut, stop: stop)
    return try run.run(
        writer: try JSONLinesWriter(path: output), isReadable: true,
        annotator: { annotator }, progress: { _ in })
}

/// The records of `output`.
func records(_ output: PathBytes) throws -> [AnnotationRecord] {
    try Data(contentsOf: URL(fileURLWithPath: output.text)).split(separator: 0x0A)
        .map { try AnnotationRecord(line: Array($0)) }
}

/// The lines of `output` without what differs from run to run.
func payload(_ output: PathBytes) throws -> [String] {
    try records(output).map { record in
        var record = record
        record.run = AnnotationRecord.Run()
        return String(decoding: try record.line(), as: UTF8.self)
    }
}
