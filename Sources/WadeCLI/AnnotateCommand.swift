//! `wade annotate`: folders of video in, JSONL out.
import ArgumentParser
import Logging
import WadePipeline

struct AnnotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "annotate",
        abstract: "Write one JSON line per clip and task, and only what is not there yet.",
        discussion: """
            Finds videos and pictures in the given folders (a file that is named is always tried), asks every task of the \
            pipeline about each, and appends the answers to the output, in the order of the files' names. Run it again \
            tomorrow and only new and changed files, or changed prompts, are worked on: the output itself is the memory.

              wade annotate Videos --pipeline Pipelines/caption.yaml --output Outputs/captions.jsonl

            A clip that cannot be read becomes a line with "status":"error". Nothing is printed when there is no terminal \
            and nothing went wrong, so cron sends no mail.

            Exit codes: 0 done or nothing to do; 1 could not run; 3 some clips failed; 4 all failed; 5 the time budget \
            ended the run; 64 wrong usage; 75 another run holds the output; 128+n ended by signal n.
            """)

    @Argument(help: "Folders and files.")
    var paths: [String]

    @OptionGroup var pipeline: PipelineOptions

    @Option(name: .shortAndLong, help: "The JSONL file to append to; - is standard output.")
    var output: String

    @Option(help: "Threads that decode and encode; as many as cores if not given.")
    var workers: Int?

    @Option(help: "How often later runs try again what may have failed by chance.")
    var retries = 2

    @Option(help: "Seconds after which no new clip is begun; the rest is left to the next run.")
    var timeBudget: Int?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        if let workers, !(1...1024).contains(workers) {
            throw ValidationError("--workers: found \(workers), expected 1 to 1024")
        }
        if !(0...1000).contains(retries) {
            throw ValidationError("--retries: found \(retries), expected 0 to 1000")
        }
        if let timeBudget, !(1...100_000_000).contains(timeBudget) {
            throw ValidationError("--time-budget: found \(timeBudget), expected 1 to 100000000")
        }
        try logging.validate()
    }

    func run() throws {
        let logger = logging.logger()
        let stop = Interruption.watch(timeBudget: timeBudget)
        var settings = RunSettings(workers: workers ?? RunSettings.coreCount)
        settings.retries = retries
        do {
            let job = AnnotationJob(
                paths: paths.map { PathBytes($0) }, pipeline: try pipeline.read(),
                output: PathBytes(output), settings: settings)
            let progress = ProgressLine(isShown: logging.showsProgress)
            let summary = try job.run(stop: stop) { progress.show($0) }
            progress.clear()
            report(summary, to: logger)
            throw ExitCode(summary.exitCode)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }

    /// Clips that failed are worth a word without being asked; success is not.
    private func report(_ summary: RunSummary, to logger: Logger) {
        logger.info("\(summary.text)")
        guard summary.failures > 0 else { return }
        let codes = summary.failureCodes.sorted { $0.key < $1.key }
            .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let records = summary.failures == 1 ? "1 record says" : "\(summary.failures) records say"
        logger.warning("\(records) an error: \(codes)")
    }
}
