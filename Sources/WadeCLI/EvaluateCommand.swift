//! `wade evaluate`: how good a model is, with controls.
import ArgumentParser
import Foundation
import Logging
import WadeFlamingo
import WadeImage
import WadePipeline
import WadeTensor
import WadeTraining
import WadeVideo

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure a model on clips of which the truth is known.",
        subcommands: [
            EvaluateSetCommand.self, EvaluateFewShotCommand.self, EvaluateCutsCommand.self,
        ])
}

struct EvaluateFewShotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "few-shot",
        abstract: "Accuracy per attribute at several numbers of demonstrations.",
        discussion: """
            Asks a model that `wade train` made about the clips of a folder that `wade render` wrote: captions, questions, an \
            attribute that only the demonstrations show, and arbitrary labels, after 0 to 32 demonstrations drawn from the \
            same folder. The controls tell seeing from guessing: another clip's visual tokens, frames in reverse order, closed \
            gates, demonstrations with labels by chance. Writes OUTPUT/few-shot.md, few-shot.jsonl (with 95 % intervals) and \
            few-shot.png, and prints the tables.

              wade render Outputs/held-out --count 600 --seed 900000
              wade evaluate few-shot Outputs/held-out --output Outputs/evaluation
            """)

    @Argument(help: "A folder with truth.jsonl.")
    var folder: PathBytes

    @Option(help: "A model bundle's name or folder.")
    var model = ModelLocation.standard

    @Option(name: .shortAndLong, help: "The folder to write into; made when missing.")
    var output: String

    @Option(parsing: .upToNextOption, help: "Numbers of demonstrations.")
    var shots = [0, 1, 2, 4, 8, 16, 32]

    @Option(help: "Questions behind each figure.")
    var queries = 500

    @Option(help: "Clips of the folder to use, the first ones.")
    var clips = 600

    @Option(help: "Threads.")
    var workers = RunSettings.coreCount

    @OptionGroup var precision: PrecisionOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if shots.isEmpty || !shots.allSatisfy({ (0...256).contains($0) }) {
            throw ValidationError("--shots: found \(shots), expected numbers from 0 to 256")
        }
        for (name, value) in [("queries", queries), ("clips", clips), ("workers", workers)]
        where !(1...1_000_000).contains(value) {
            throw ValidationError("--\(name): found \(value), expected 1 to 1000000")
        }
    }

    func run() throws {
        let logger = logging.logger()
        do {
            let bundle = try ModelBundle(path: ModelLocation(model).folder)
            guard let encoder = PieceEncoder(try bundle.tokenizer()),
                bundle.configuration.family == .flaminglet
            else {
                throw PipelineError.request(
                    found: "a model of the \(bundle.configuration.family.rawValue) family",
                    expected: "one that wade train made: others do not know the words of shots")
            }
            let flamingo = try bundle.model(
                Arithmetic(
                    precision: PrecisionChoice.resolve(
                        precision.precision, stored: bundle.configuration.storedPrecision)))
            let seen = try LabelledFolder(path: folder).clips(
                seenBy: flamingo, decoders: DecoderPool(capacity: workers), limit: clips,
                workers: workers
            ) { count in
                if count % 100 == 0 { logger.info("\(count) clips looked at") }
            }
            let evaluation = FewShotEvaluation(
                flamingo, encoder, clips: seen, queries: queries, workers: workers)
            let figures = try evaluation.figures(
                shots: shots, conditions: FewShotCondition.allCases
            ) { figure in
                logger.info(
                    "\(figure.task) \(figure.attribute) \(figure.shots): \(figure.right.share)")
            }
            try write(FewShotReport(figures))
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        } catch {
            logger.error("\(error)")
            throw ExitCode(1)
        }
    }

    private func write(_ report: FewShotReport) throws {
        try FileManager.default.createDirectory(
            atPath: output, withIntermediateDirectories: true)
        let files = [
            ("few-shot.md", Data(report.table.utf8)),
            ("few-shot.jsonl", Data(report.jsonLines.utf8)),
            ("few-shot.png", Data(try PNG.encode(report.plot.picture()))),
        ]
        for (name, data) in files {
            try data.write(to: URL(fileURLWithPath: output + "/" + name), options: .atomic)
        }
        try StandardOutput.line(report.table)
    }
}
