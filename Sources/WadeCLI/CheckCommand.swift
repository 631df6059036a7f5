//! `wade check`: is this file what the schema promises?
import ArgumentParser
import Logging
import WadePipeline

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check every line of an output against the record's schema.",
        discussion: """
            Prints one line per fault: file, line number, what was found and what was expected. Exit codes: 0 every line is \
            right; 1 the file cannot be read; 3 some lines are wrong; 4 all are.
            """)

    @Argument(help: "The JSONL file.")
    var file: PathBytes

    @OptionGroup var logging: LoggingOptions

    func validate() throws { try logging.validate() }

    func run() throws {
        let logger = logging.logger()
        do {
            let checker = try RecordChecker.check(file)
            for finding in checker.findings {
                try StandardOutput.line("\(file.shown):\(finding.line): \(finding.text)")
            }
            let statuses = checker.statuses.sorted { $0.key < $1.key }
                .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            logger.info(
                "\(checker.lines) lines, \(checker.keys) records (\(statuses)), \(checker.replaced) replaced, \(checker.complaints) faults"
            )
            guard checker.complaints > 0 else { return }
            throw ExitCode(checker.keys > 0 ? 3 : 4)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }
}
