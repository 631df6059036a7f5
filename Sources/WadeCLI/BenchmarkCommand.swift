//! `wade benchmark`: how fast this machine is, and how much of that a run uses.
import ArgumentParser
import Logging
import WadeFlamingo
import WadePipeline
import WadeTensor

struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark",
        abstract: "Measure what this machine can do, and how much of it each stage of a run does.",
        discussion: """
            First come the machine's ceilings: operations a second of a large matrix product in every precision, and bytes a second \
            that can be read of memory. Then every stage of a run, done by all workers at the same time: decoding a film of \
            1280x720 that is made for it, the vision encoder, the resampler, reading demonstrations and question, every new \
            token. A stage's share says how much it reaches of the rate that the ceilings allow: of 'arithmetic' where products \
            bound it, of 'memory' where the reading of its weights does. At last whole clips, from the file to the answer. All \
            times are the best of several rounds; on a busy machine they are still too long.

            With --shape nothing is downloaded: the weights are made up, in the published sizes. What --model measures, `wade plan` \
            takes for its estimate on this machine. Exit codes: 0 measured; 1 no such model, or a clip cannot be decoded; 64 wrong \
            usage.

              wade benchmark --shape openflamingo-3b-vitl-mpt1b --precision bfloat16
              wade benchmark --model ./openflamingo-3b --json > speed.json
            """)

    @Option(
        help: ArgumentHelp(
            "Random weights of a published model's sizes: \(PublishedShape.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "name"))
    var shape: PublishedShape?

    @Option(
        help:
            "A model bundle's name or folder. (default: \(ModelLocation.standard), where no --shape is given)"
    )
    var model: String?

    @Option(
        help: ArgumentHelp(
            """
            Precision of weights and products: auto, float32, bfloat16, int8 or int4. If not given, that of the model's weights; auto is \
            bfloat16 where the processor multiplies it.
            """, valueName: "precision"))
    var precision: PrecisionChoice?

    @Option(help: "Demonstrations in front of every question.")
    var shots = 4

    @Option(help: "Whole clips that are measured together.")
    var batch = 8

    @Option(help: "New tokens of every answer.")
    var tokens = 20

    @Option(
        help:
            "Threads that work at the same time; as many as cores divided by --threads if not given."
    )
    var workers: Int?

    @Option(help: "Threads that every product of a worker may use; a run's workers use one.")
    var threads = 1

    @Flag(help: "Print one line of JSON instead of a table.")
    var json = false

    @OptionGroup var cache: CacheOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        try cache.validate()
        if shape != nil, model != nil {
            throw ValidationError("--shape and --model exclude each other")
        }
        let bounds = [
            ("shots", shots, 0...256), ("batch", batch, 1...4096), ("tokens", tokens, 1...4096),
            ("workers", workers ?? 1, 1...256), ("threads", threads, 1...256),
        ]
        for (name, value, range) in bounds where !range.contains(value) {
            throw ValidationError(
                "--\(name): found \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private func subjectAndPrecision() throws -> BenchmarkSettings {
        if let shape {
            return BenchmarkSettings(
                subject: .shape(shape),
                precision: PrecisionChoice.resolve(precision, stored: .float32))
        }
        let model = model ?? ModelLocation.standard
        let bundle = try ModelBundle(path: ModelLocation(model).folder)
        return BenchmarkSettings(
            subject: .model(model),
            precision: PrecisionChoice.resolve(
                precision, stored: bundle.configuration.storedPrecision))
    }

    func run() throws {
        let logger = logging.logger()
        do {
            var settings = try subjectAndPrecision()
            settings.shots = shots
            settings.batch = batch
            settings.tokens = tokens
            settings.threads = threads
            settings.workers = workers ?? max(1, RunSettings.coreCount / threads)
            let report = try Benchmark(settings).run { logger.info("measuring \($0)") }
            if let cache = cache.settings { try MeasuredSpeed.keep(report, in: cache) }
            if json {
                try StandardOutput.write(report.json())
            } else {
                try StandardOutput.line(report.text)
            }
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        } catch {
            logger.error("\(error)")
            throw ExitCode(1)
        }
    }
}

extension PublishedShape: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
