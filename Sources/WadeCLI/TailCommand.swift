//! `wade tail`: an output for programs that follow it.
import ArgumentParser
import Foundation
import Glibc
import Logging
import WadePipeline

struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Print the lines of an output that are new to a consumer, and follow it.",
        discussion: """
            Every line has a number, run.seq. A consumer remembers the last one it has dealt with and asks for what comes after \
            it; only whole lines are printed, each as one write, as they stand in the file.

              wade tail Outputs/captions.jsonl --after 4182 --follow | while read -r line; do …; done

            With --follow the file may be missing at first, and may be rotated or emptied: of the file that takes its place every \
            line is printed, since its numbers begin anew, unless it holds the line printed last; a message says so. Exit codes: 0 \
            all printed; 1 the file cannot be read; 141 the reader has gone; 128+n ended by signal n.
            """)

    @Argument(help: "The JSONL file.")
    var file: PathBytes

    @Option(help: "The number (run.seq) of the last line that is known; -1 for none.")
    var after = -1

    @Flag(name: .shortAndLong, help: "Go on as the file grows, until a signal or the reader's end.")
    var follow = false

    @OptionGroup var logging: LoggingOptions

    /// Milliseconds between two looks at the file.
    private static let pause: Int32 = 200

    func validate() throws {
        try logging.validate()
        if after < -1 {
            throw ValidationError("--after: found \(after), expected -1 or more")
        }
    }

    func run() throws {
        let logger = logging.logger()
        let stop = Interruption.watch(limit: nil, grace: 2)
        var tail = RecordTail(file, after: after)
        do throws(PipelineError) {
            while stop.reason == nil {
                try tail.read(mayBeMissing: follow) { (line) throws(PipelineError) in
                    try write(line)
                } tell: { notice in
                    tell(notice, logger)
                }
                guard follow else { return }
                try waitForMore()
            }
        } catch {
            throw ExitCode(error.report(to: logger))
        }
        throw ExitCode(stop.reason?.exitCode ?? 1)
    }

    private func write(_ line: [UInt8]) throws(PipelineError) {
        do {
            try StandardOutput.write(line)
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .file(path: "standard output", action: "write", reason: "\(error)")
        }
    }

    /// Waits a moment; throws when the reader goes meanwhile, since there may be nothing to write for days.
    private func waitForMore() throws(PipelineError) {
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        let count = unsafe poll(&output, 1, Self.pause)
        if count > 0, output.revents & Int16(POLLERR | POLLNVAL) != 0 { throw .readerGone }
        // A terminal that hung up would be told again and again without a pause.
        if count > 0 { usleep(UInt32(Self.pause) * 1000) }
    }

    private func tell(_ notice: RecordTail.Notice, _ logger: Logger) {
        switch notice {
        case .noRecord(let line):
            logger.warning("\(file.shown):\(line): found no annotation record, passed over")
        case .replaced:
            logger.warning("\(file.shown): the file was replaced and is printed from its start")
        case .cursorBeyond(let greatest):
            logger.warning(
                "\(file.shown): found \(greatest) as the greatest number, expected more than --after \(after); was it replaced?"
            )
        }
    }
}
