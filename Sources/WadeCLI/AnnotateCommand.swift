//! `wade annotate`: folders of video in, JSONL out.
import ArgumentParser
import Foundation
import Logging
import WadePipeline

struct AnnotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "annotate",
        abstract: "Write one JSON line per clip and task, and only what is not there yet.",
        discussion: """
            Finds videos and pictures in the given folders (a file that is named is always tried), asks every task of the \
            pipeline about each, and appends the answers to the output, in the order of the files' names or of --order. Run it again \
            tomorrow and only new and changed files, or changed prompts, are worked on: the output itself is the memory.

              wade annotate Videos --pipeline Pipelines/caption.yaml --output Outputs/captions.jsonl

            A clip that cannot be read becomes a line with "status":"error". Nothing is printed when there is no terminal \
            and nothing went wrong, so cron sends no mail.

            Exit codes: 0 done or nothing to do; 1 could not run; 3 some clips failed; 4 all failed; 5 the time limit \
            ended the run; 64 wrong usage; 75 another run holds the output; 128+n ended by signal n.
            """)

    @Argument(help: "Folders and files.")
    var paths: [PathBytes]

    @OptionGroup var pipeline: PipelineOptions

    @Option(name: .shortAndLong, help: "The JSONL file to append to; - is standard output.")
    var output: PathBytes

    @OptionGroup var options: RunOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try options.validate()
        try logging.validate()
        if options.shard != nil, output == PathBytes("-") {
            throw ValidationError(
                "--shard: found --output -, expected a file beside which parts can lie")
        }
    }

    func run() throws {
        let logger = logging.logger()
        if options.nice, !LowPriority.take() {
            logger.warning("--nice: the system refuses a lower priority")
        }
        let now = Int(Date().timeIntervalSince1970)
        let limit = options.timeLimit(now: now)
        if let until = options.until, let seconds = limit?.secondsOver(at: now) {
            logger.warning(
                "--until: \(ScheduleText.clock(until)) was \(seconds / 60) min ago, so no clip is begun"
            )
        }
        let stop = Interruption.watch(
            limit: limit, grace: options.grace?.count ?? Interruption.graceSeconds)
        let written = shard.map { PartName(output).part($0) } ?? output
        if shard != nil {
            for warning in SharedStorage.warnings(about: output) { logger.warning("\(warning)") }
        }
        var status = statusFile.map { StatusFile(path: $0, output: written) }
        let latest = LatestSummary()
        if let status {
            stop.beforeAbandoning { reason in
                let summary = latest.stopped(by: reason)
                try? status.finish(summary, exitCode: summary.exitCode, message: summary.text)
            }
        }
        do {
            let job = AnnotationJob(
                paths: paths, pipeline: try pipeline.read(), output: output,
                settings: options.settings)
            let progress = ProgressLine(isShown: logging.showsProgress)
            let summary = try job.run(stop: stop) { state in
                latest.update(state)
                progress.show(state)
                stop.whileRunning { warn(logger) { try status?.update(state) } }
            }
            progress.clear()
            try leaveUnlessSettled(stop)
            report(summary, to: logger)
            finish(summary, exitCode: summary.exitCode, summary.text, status, logger)
            throw ExitCode(summary.exitCode)
        } catch let error as PipelineError {
            let code = error.report(to: logger)
            try leaveUnlessSettled(stop)
            // The run that holds the output has the status file, too.
            if code != 75 { finish(nil, exitCode: code, "\(error)", status, logger) }
            throw ExitCode(code)
        }
    }

    private var shard: Shard? { options.settings.shard }

    /// Tasks have a status file each, too.
    private var statusFile: PathBytes? {
        options.statusFile.map { file in shard.map { PartName.beside(file, $0) } ?? file }
    }

    /// The end of the grace may have come just before the end of the run, and has told of it then.
    private func leaveUnlessSettled(_ stop: StopRequest) throws(ExitCode) {
        if !stop.settle() { throw ExitCode(stop.reason?.exitCode ?? 1) }
    }

    /// Tells whoever wanted to hear of the end; nobody's failure to listen changes the exit code.
    private func finish(
        _ summary: RunSummary?, exitCode: Int32, _ message: String, _ status: StatusFile?,
        _ logger: Logger
    ) {
        warn(logger) { try status?.finish(summary, exitCode: exitCode, message: message) }
        guard let command = options.onFinish else { return }
        let complaint = FinishCommand(command).run(
            summary, exitCode: exitCode, output: shard.map { PartName(output).part($0) } ?? output,
            statusFile: statusFile)
        if let complaint { logger.warning("--on-finish: \(complaint)") }
    }

    private func warn(_ logger: Logger, _ body: () throws -> Void) {
        do { try body() } catch { logger.warning("\(error)") }
    }

    /// Clips that failed are worth a word without being asked; success is not.
    private func report(_ summary: RunSummary, to logger: Logger) {
        logger.info("\(summary.text)")
        for complaint in summary.complaints { logger.warning("\(complaint)") }
        for path in summary.vanished {
            logger.warning("\(path): it was there when the run began and is gone")
        }
        guard summary.failures > 0 else { return }
        let codes = summary.failureCodes.sorted { $0.key < $1.key }
            .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let records = summary.failures == 1 ? "1 record says" : "\(summary.failures) records say"
        logger.warning("\(records) an error: \(codes)")
    }
}
