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

    @OptionGroup var options: QuestionOptions

    func validate() throws {
        try options.validate()
        if question.contains(PromptTemplate.imageToken) {
            throw ValidationError("the question may not contain \(PromptTemplate.imageToken)")
        }
    }

    func run() throws {
        let (plan, task) = try options.plan(asking: question)
        let location = try ModelLocation(plan.model)
        let bundle = try ModelBundle(path: location.folder)
        let folder = try options.cache.settings.flatMap { try CacheFolder.open($0) }
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
