//! Options of the commands that put a user's own questions.
import ArgumentParser
import WadePipeline
import WadeVideo

/// By which model, after which examples and about how many frames questions are answered.
struct QuestionOptions: ParsableArguments {
    @Option(
        help:
            "A model bundle's name or folder; the pipeline's, or the flaminglet that ships with wade."
    )
    var model: String?

    @Option(
        name: .shortAndLong,
        help: "A pipeline whose model, demonstrations, sampling and decoding are used.")
    var pipeline: PathBytes?

    @Option(help: "How many frames to look at, uniformly over a video.")
    var frames: Int?

    @Option(help: "The longest answer, in tokens; the pipeline's if not given.")
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
    }

    /// The pipeline with the options applied, and its one task, which asks `question`. Without a pipeline answers have at most `tokens`
    /// tokens, the kind's own number if that is nil, unless the user says otherwise.
    func plan(asking question: String, tokens: Int? = nil) throws -> (Pipeline, AnnotationTask) {
        var plan = try pipeline.map { try Pipeline.read($0) } ?? Pipeline(asking: question)
        if let model { plan.model = model }
        precision.apply(to: &plan)
        if let frames { plan.sampling = .uniform(count: frames) }
        let task = plan.ask(
            question, maxNewTokens: maxNewTokens ?? (pipeline == nil ? tokens : nil))
        return (plan, task)
    }
}
