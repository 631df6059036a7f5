//! `wade plan`: what `wade annotate` would do.
import ArgumentParser
import WadePipeline

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what `wade annotate` would do with the same arguments, and do nothing.",
        discussion: """
            Prints one line per file: what is to do, done, deferred or skipped, and why; then a sum and an estimate from the \
            latest run. No video is opened: a file that is not in the output under its path, size and time counts as new, \
            also when it has only been renamed.
            """)

    @Argument(help: "Folders and files.")
    var paths: [PathBytes]

    @OptionGroup var pipeline: PipelineOptions

    @Option(name: .shortAndLong, help: "The JSONL file that `annotate` would append to.")
    var output: PathBytes

    @Option(help: "How often later runs try again what may have failed by chance.")
    var retries = 2

    @Flag(help: "Print only the sum.")
    var summary = false

    @OptionGroup var logging: LoggingOptions

    func validate() throws { try logging.validate() }

    func run() throws {
        do {
            var settings = RunSettings(workers: 1)
            settings.retries = retries
            let job = AnnotationJob(
                paths: paths, pipeline: try pipeline.read(),
                output: output, settings: settings)
            let forecast = try job.forecast()
            if !summary {
                for line in forecast.lines {
                    try StandardOutput.line("\(line.state.rawValue)\t\(line.path)\t\(line.reason)")
                }
            }
            try StandardOutput.line(forecast.text)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logging.logger()))
        }
    }
}
