//! `wade export`: hand an output on to other tools.
import ArgumentParser
import Foundation
import Logging
import WadePipeline

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write an output in the layout that another tool reads.",
        discussion: """
            vtt, srt         subtitles, one file per video below the folder --output
            coco             COCO caption results: [{"image_id", "caption"}]
            vqa              VQA results: [{"question_id", "answer"}]
            activitynet      dense captioning: {"version", "results": {"v_ID": [{"sentence", "timestamp"}]}, "external_data"}
            msrvtt           {"info", "videos", "sentences"}
            vatex            [{"videoID", "enCap"}]
            csv              a table by RFC 4180, one row per record
            parquet-ready    one flat JSON object per line; `wade schema --for parquet-ready` tells every column's type

            Ids are the files' names without extension, or custom_id where the pipeline gives one; COCO and VQA ids of digits \
            become integers. Tables hold all records, failures too. Everything else holds the answers (status ok and degraded); \
            what is left out is counted on standard error, and --keep-errors writes an empty text for it.

              wade export Outputs/captions.jsonl --to coco --output results.json
              wade export Outputs/captions.jsonl --to srt --output Subtitles
            """)

    @Argument(help: "The JSONL file.")
    var file: PathBytes

    @Option(
        name: .customLong("to"),
        help: "\(ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var format: ExportFormat

    @Option(
        name: .shortAndLong,
        help: "The file to write, - for standard output; a folder for vtt and srt. (default: -)")
    var output: PathBytes?

    @OptionGroup var records: RecordOptions

    @Flag(help: "coco, vqa, msrvtt, vatex: an empty text for clips that have no answer.")
    var keepErrors = false

    @Flag(help: "vtt, srt: replace files that are there.")
    var replace = false

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if format.isSubtitles, output == nil || output == PathBytes("-") {
            throw ValidationError("--to \(format.rawValue): found no folder, expected --output")
        }
    }

    func run() throws {
        let logger = logging.logger()
        do {
            let records = try RecordFile(file)
            let export = try Export(
                records, self.records.selection(in: records), as: format, keepsEmpty: keepErrors)
            let result: ExportResult
            if let output, format.isSubtitles {
                result = try export.write(below: output, replaces: replace)
            } else if let output, output != PathBytes("-") {
                result = try export.write(to: output)
            } else {
                var gathered = GatheredOutput()
                result = try export.write { try gathered.add($0) }
                try gathered.finish()
            }
            report(result, records, logger)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }

    private func report(_ result: ExportResult, _ records: RecordFile, _ logger: Logger) {
        if !result.leftOut.isEmpty {
            let reasons = result.leftOut.sorted { $0.key < $1.key }
                .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            logger.warning("left out: \(reasons)")
        }
        if records.tornBytes > 0 {
            logger.warning("\(file.shown): the last line is not whole yet and was left out")
        }
        for note in result.notes { logger.warning("\(note)") }
        logger.info("\(result.answers) records in \(result.files) files")
    }
}

extension ExportFormat: ExpressibleByArgument {}

/// Pieces for standard output, gathered so that a million rows are not a million system calls.
private struct GatheredOutput {
    private var bytes: [UInt8] = []

    mutating func add(_ more: [UInt8]) throws {
        bytes += more
        if bytes.count > 1 << 16 { try finish() }
    }

    mutating func finish() throws {
        try StandardOutput.write(bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}
