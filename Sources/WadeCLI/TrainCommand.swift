//! `wade train`: a model from nothing, by a recipe.
import ArgumentParser
import Foundation
import Logging
import WadePipeline
import WadeTraining
import WadeVideo

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model by a recipe, from nothing but rendered clips.",
        discussion: """
            Trains the vision encoder and the language model, freezes both, then trains resampler and gated cross-attention, \
            and writes a model bundle into the output folder, beside checkpoints and training.jsonl with every loss and score. \
            Stopped or killed, the same command goes on where the last checkpoint is, to the same numbers, with any number of \
            workers.

              wade train Pipelines/training/flaminglet.yaml --output Outputs/flaminglet
            """)

    @Argument(help: "The recipe, a YAML file.")
    var recipe: PathBytes

    @Option(
        name: .shortAndLong, help: "The folder of checkpoints, stores of features, log and bundle.")
    var output: String

    @Option(help: "Cores to use; the numbers do not depend on it.")
    var workers = RunSettings.coreCount

    @Option(
        help: ArgumentHelp(
            "The stage to stop after: \(TrainingRun.Stage.allCases.map(\.rawValue).joined(separator: ", "))."
        ))
    var until = TrainingRun.Stage.bundle

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if workers < 1 { throw ValidationError("--workers: found \(workers), expected 1 or more") }
    }

    func run() throws {
        let logger = logging.logger()
        let stop = Interruption.watch(limit: nil)
        do {
            try FileManager.default.createDirectory(
                atPath: output, withIntermediateDirectories: true)
            let run = TrainingRun(
                try TrainingRecipe.read(recipe), folder: output, workers: workers,
                log: TrainingLog(logger, path: output + "/training.jsonl"), stop: stop)
            guard try run.run(until: until) else {
                if case .signal(let number) = stop.reason { throw ExitCode(128 + number) }
                throw ExitCode(1)
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            logger.error("\(error)")
            throw ExitCode(1)
        }
    }
}

extension TrainingRun.Stage: ExpressibleByArgument {}
