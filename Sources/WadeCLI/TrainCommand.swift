//! `wade train`: a model from nothing, by a recipe, or a model tuned on one's own clips.
import ArgumentParser
import Foundation
import Logging
import WadePipeline
import WadeTraining
import WadeVideo

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model by a recipe, or tune one on your own clips.",
        usage: """
            wade train <recipe> --output <folder> [--until <stage>]
            wade train --from <bundle> --data <file> --output <folder> [--pipeline <file>] [--steps <n>] …
            """,
        discussion: """
            With a RECIPE: from nothing but rendered clips. Trains the vision encoder and the language model, freezes both, then \
            trains resampler and gated cross-attention, and writes a model bundle into the output folder.

              wade train Pipelines/training/flaminglet.yaml --output Outputs/flaminglet

            With --from: tunes the wiring (resampler and gated cross-attention) of a model on your clips; vision encoder and \
            language model keep every byte. Each line of --data names a clip, relative to that file, and says what the model is \
            to say of it, in one of these forms:

              {"clip": "a.mp4", "caption": "Two dogs play on the beach."}
              {"clip": "a.mp4", "question": "How many dogs are there?", "answer": "two"}
              {"clip": "a.mp4", "answers": {"caption": "…", "count": "two"}, "questions": {"count": "How many dogs?"}}

            The last is the form of demonstrations; with --pipeline the ids are those of its tasks. A line that cannot be used is \
            named, and the rest goes on. Features of the vision encoder are computed once. A tenth of the clips (--held-out) \
            is kept for scores: the loss, and how many answers are right in every token (exact_match), asked at once and after \
            four examples (_4_shots), before the first step and as it goes, on at most 64 texts. OUTPUT is then a bundle:

              wade train --from flaminglet --data clips.jsonl --output Outputs/mine
              wade annotate Videos --pipeline Pipelines/caption.yaml --model Outputs/mine --output Outputs/videos.jsonl

            Both write training.jsonl with every loss and score and curves.png with their curves into the output folder, and a \
            card.md with times, machine and scores into the bundle. Stopped or killed, the same command goes on where the last \
            checkpoint is, to the same numbers, with any number of workers.

            Exit codes: 0 done; 1 could not go on; 3 done, but lines of --data were left out; 64 wrong usage; 75 another run works \
            there; 128+n ended by signal n.
            """)

    @Argument(help: "The recipe, a YAML file.")
    var recipe: PathBytes?

    @Option(
        name: .shortAndLong, help: "The folder of checkpoints, stored features, log and bundle.")
    var output: String

    @OptionGroup(title: "Tuning") var tuning: TuningOptions

    @Option(help: "Cores to use; the numbers do not depend on it.")
    var workers = RunSettings.coreCount

    @Option(
        help: ArgumentHelp(
            "The stage of the recipe to stop after: \(TrainingRun.Stage.allCases.map(\.rawValue).joined(separator: ", "))."
        ))
    var until: TrainingRun.Stage?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if workers < 1 { throw ValidationError("--workers: found \(workers), expected 1 or more") }
        if (recipe != nil) == tuning.isWished {
            throw ValidationError(
                recipe == nil
                    ? "found neither a recipe nor --from, expected one of them"
                    : "found a recipe and --from, expected one of them")
        }
        if tuning.isWished, until != nil {
            throw ValidationError("--until belongs to a recipe; --from has one stage")
        }
    }

    func run() throws {
        let logger = logging.logger()
        let stop = Interruption.watch(limit: nil)
        do {
            let isDone =
                if let plan = try tuning.plan(output: output) {
                    try tune(plan, logger, stop)
                } else {
                    try train(logger, stop)
                }
            guard isDone else {
                if case .signal(let number) = stop.reason { throw ExitCode(128 + number) }
                throw ExitCode(1)
            }
        } catch let code as ExitCode {
            throw code
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        } catch {
            logger.error("\(error)")
            throw ExitCode(1)
        }
    }

    private func train(_ logger: Logger, _ stop: StopRequest) throws -> Bool {
        guard let recipe else { return false }
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let lock = try RunLock(output: PathBytes(logPath))
        let isDone = try TrainingRun(
            try TrainingRecipe.read(recipe), folder: output, workers: workers, log: log(logger),
            stop: stop
        ).run(until: until ?? .bundle)
        _ = consume lock
        return isDone
    }

    private func tune(_ plan: TuningPlan, _ logger: Logger, _ stop: StopRequest) throws -> Bool {
        try TuningRun.prepare(plan)
        let lock = try RunLock(output: PathBytes(logPath))
        let outcome = try TuningRun(
            plan, decoders: DecoderPool(capacity: workers), workers: workers, log: log(logger),
            stop: stop
        ).run()
        _ = consume lock
        guard case .done(let leftOut) = outcome else { return false }
        try StandardOutput.line(output)
        if leftOut > 0 { throw ExitCode(3) }
        return true
    }

    private var logPath: String { output + "/training.jsonl" }

    private func log(_ logger: Logger) -> TrainingLog {
        let line = ProgressLine(isShown: logging.showsProgress)
        return TrainingLog(logger, path: logPath) { progress in
            if let progress { line.show(progress.text) } else { line.clear() }
        }
    }
}

extension TrainingRun.Stage: ExpressibleByArgument {}
