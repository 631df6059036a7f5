//! `wade report`: look at an output.
import ArgumentParser
import Foundation
import Logging
import WadePipeline

/// Which records of a file are meant.
struct RecordOptions: ParsableArguments {
    @Option(help: "Only the answers to this task; may be given several times. All if not given.")
    var task: [String] = []

    @Option(
        help: ArgumentHelp(
            "The answers of this recipe (recipe_id) instead of those of the latest one.",
            discussion: """
                An output keeps the answers of earlier prompts and models; of every task the recipe that wrote last is taken.
                """))
    var recipe: String?

    /// What is meant of `file`.
    func selection(in file: RecordFile) throws(PipelineError) -> RecordSelection {
        try RecordSelection(file, tasks: task, recipe: recipe)
    }
}

/// Where the videos of records are.
struct VideoFolderOptions: ParsableArguments {
    @Option(
        name: .customLong("videos"),
        help: ArgumentHelp(
            "The folder that was annotated; may be given several times.",
            discussion: """
                Records name files by their path below it. If not given: the current folder, then the folder of the JSONL file. A \
                file whose content is not the one that was annotated is not shown.
                """, valueName: "folder"))
    var folders: [PathBytes] = []

    /// The folders in which to look for the videos of `file`.
    func folders(for file: PathBytes) -> [PathBytes] {
        guard folders.isEmpty else { return folders }
        let own = file.folder
        return [PathBytes(".")] + (own.bytes.isEmpty ? [] : [own])
    }
}

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract:
            "Write one HTML page that shows an output: frames, answers, scores, failures first.",
        discussion: """
            The page opens from disk, needs no network, and follows the browser's light or dark setting. It has every clip with \
            the frames that the model saw (decoded again, with their times), the answers, how sure they are, and filters and \
            search over all of it.

              wade report Outputs/captions.jsonl --videos Videos --output report.html

            Pictures are made smaller and fewer until the page stays below --max-size. Exit codes: 0 written, whatever the \
            records say; 1 could not write; 64 wrong usage.
            """)

    @Argument(help: "The JSONL file.")
    var file: PathBytes

    @Option(
        name: .shortAndLong,
        help:
            "The page to write; the JSONL file's name with .html, in the current folder, if not given."
    )
    var output: PathBytes?

    @OptionGroup var videos: VideoFolderOptions

    @OptionGroup var records: RecordOptions

    @Option(help: "Pictures per clip, at most, spread evenly over the frames that were seen.")
    var frames = 8

    @Flag(help: "Only words; nothing is decoded.")
    var noPictures = false

    @Option(
        help: ArgumentHelp(
            "The largest that the page may be: 64M, 500M.", valueName: "size"))
    var maxSize = ByteCount(64 << 20)

    @Option(help: "Threads that decode; as many as cores if not given.")
    var workers: Int?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if !(1...64).contains(frames) {
            throw ValidationError("--frames: found \(frames), expected 1 to 64")
        }
        if let workers, !(1...1024).contains(workers) {
            throw ValidationError("--workers: found \(workers), expected 1 to 1024")
        }
    }

    func run() throws {
        let logger = logging.logger()
        do {
            let records = try RecordFile(file)
            for fault in records.faults.prefix(3) { logger.warning("\(records.error(fault))") }
            var settings = ReportSettings(
                workers: workers ?? RunSettings.coreCount, folders: videos.folders(for: file))
            settings.frames = noPictures ? 0 : frames
            settings.maximumBytes = maxSize.count
            let report = try Report(records, self.records.selection(in: records), settings)
            let path = output ?? PathBytes(bytes: file.stem.bytes + Array(".html".utf8))
            let progress = CountLine(isShown: logging.showsProgress, total: report.clipCount)
            let written = try report.write(to: path) { progress.show($0, "clips") }
            progress.clear()
            for (reason, count) in written.withoutPictures.sorted(by: { $0.value > $1.value }) {
                logger.warning("\(count) clips without pictures: \(reason)")
            }
            logger.info(
                "\(written.clips) clips, \(written.bytes) bytes. \(written.pictures)")
            try StandardOutput.line(path.shown)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }
}

/// A count on a terminal that is rewritten in place, at most ten times a second.
final class CountLine {
    private let isShown: Bool
    private let total: Int
    private var last = ContinuousClock.now - .seconds(1)

    /// A count up to `total`, written when `isShown`.
    init(isShown: Bool, total: Int) {
        self.isShown = isShown
        self.total = total
    }

    /// Shows that `count` things are done.
    func show(_ count: Int, _ things: String) {
        guard isShown, ContinuousClock.now - last > .milliseconds(100) else { return }
        last = .now
        FileHandle.standardError.write(Data("\r\u{1B}[K\(count)/\(total) \(things)".utf8))
    }

    /// Removes the line.
    func clear() {
        if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}

extension ByteCount {
    /// A size that is known to be right.
    init(_ count: Int) { self.count = count }

    /// The size as it is written on the command line when nothing else is said.
    var defaultValueDescription: String {
        count.isMultiple(of: 1 << 20) ? "\(count >> 20)M" : "\(count)"
    }
}
