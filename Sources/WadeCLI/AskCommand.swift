//! `wade ask`: one question about one video.
import ArgumentParser
import Foundation
import WadePipeline
import WadeVideo

struct AskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask",
        abstract: "Ask one question about one video and print the answer.",
        discussion: """
            The answer is the one that `wade annotate` would write for the same question. With --pipeline, its first question \
            answering task lends its template and demonstrations, and its model, sampling and decoding are used.

              wade ask clip.mp4 "How does the camera move?"
            """)

    @Argument(help: "The video or picture.")
    var video: PathBytes

    @Argument(help: "The question.")
    var question: String

    @Option(
        help:
            "A model bundle's name or folder; the pipeline's, or the flaminglet that ships with wade."
    )
    var model: String?

    @Option(
        name: .shortAndLong,
        help: "A pipeline whose model, demonstrations, sampling and decoding are used.")
    var pipeline: PathBytes?

    @Option(help: "How many frames to look at, uniformly over the video.")
    var frames: Int?

    @Option(help: "The longest answer, in tokens.")
    var maxNewTokens: Int?

    @OptionGroup var precision: PrecisionOptions

    @OptionGroup var cache: CacheOptions

    func validate() throws {
        try cache.validate()
        if let frames, !(1...4096).contains(frames) {
            throw ValidationError("--frames: found \(frames), expected 1 to 4096")
        }
        if let maxNewTokens, !(1...100_000).contains(maxNewTokens) {
            throw ValidationError("--max-new-tokens: found \(maxNewTokens), expected 1 to 100000")
        }
        if question.contains(PromptTemplate.imageToken) {
            throw ValidationError("the question may not contain \(PromptTemplate.imageToken)")
        }
    }

    func run() throws {
        var plan =
            try pipeline.map { try Pipeline.read($0) } ?? Pipeline(asking: question)
        if let model { plan.model = model }
        precision.apply(to: &plan)
        if let frames { plan.sampling = .uniform(count: frames) }
        let task = plan.ask(question, maxNewTokens: maxNewTokens)
        let location = try ModelLocation(plan.model)
        let bundle = try ModelBundle(path: location.folder)
        let folder = try cache.settings.flatMap { try CacheFolder.open($0) }
        let kept = try folder.map {
            try VisualTokenCache(
                $0, bundle.configuration, weightsSHA256: location.identity().weightsSHA256,
                pipeline: plan)
        }
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: plan, decoders: DecoderPool(capacity: 1), cache: kept)
        let shots = try plan.shots.map { try ShotTable($0) }
        try shots?.requireShots(of: video)
        let result = annotator.answer(task, about: video, shots: shots)
        for complaint in folder?.complaints ?? [] {
            FileHandle.standardError.write(Data("wade: \(complaint)\n".utf8))
        }
        switch result {
        case .success(let answer):
            guard !answer.isWithheld else {
                let probability = String(format: "%.2f", answer.score.calibratedProbability)
                throw PipelineError.file(
                    path: video.shown, action: "answer",
                    reason: "the answer is right with a probability of \(probability), "
                        + "less than the pipeline's `abstain_below`")
            }
            try StandardOutput.line(task.answer(in: answer.raw))
        case .failure(let failure):
            throw PipelineError.file(
                path: video.shown, action: "answer",
                reason: "\(failure.code.rawValue): \(failure.message)")
        }
    }
}
