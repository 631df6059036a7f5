//! `wade render`: make video clips of which everything is known.
import ArgumentParser
import Foundation
import Logging
import WadePipeline
import WadeTraining

struct RenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render",
        abstract:
            "Make video clips with known camera, subject, light and cuts, for training and tests.",
        discussion: """
            Writes FOLDER/000000.mp4 and so on, and FOLDER/truth.jsonl: one line per clip with its camera movement, the \
            subject's shape, colour and motion on the screen, background, brightness, transition and film, each as a word and as \
            a phrase ('unclear' where the picture does not tell), and where subject and camera are in the eight frames that \
            uniform sampling takes. Clip N is made from seed + N: the same options give the same bytes with the same FFmpeg.

            Run it again to go on after an interruption, or with a larger --count to add clips; finished files are kept. \
            Exit codes: 0 all clips are there; 1 something could not be written; 64 wrong usage; 75 another run works there.
            """)

    @Argument(help: ArgumentHelp("The folder to write; made when missing.", valueName: "folder"))
    var folder: PathBytes

    @Option(help: "How many clips.")
    var count: Int

    @Option(help: "The first clip's seed.")
    var seed: UInt64 = 0

    @Option(
        help:
            "Pixels, as 320x180 (even numbers, 16 to 1920), or mixed: sizes of several aspect ratios."
    )
    var size: RenderedSize = .mixed

    @Option(help: "Frames a second, 1 to 120; 12, 15, 24 or 25 by the clip's seed if not given.")
    var fps: Int?

    @Option(help: "Length of every clip, up to 60; 2 to 4 by the clip's seed if not given.")
    var seconds: Double?

    @Option(help: "Threads; as many as the machine has cores if not given.")
    var workers: Int?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if !(1...1_000_000).contains(count) {
            throw ValidationError("--count: found \(count), expected 1 to 1000000")
        }
        if seed > UInt64.max - 1_000_000 {
            throw ValidationError("--seed: found \(seed), expected at most 2^64 - 1000001")
        }
        if let fps, !(1...120).contains(fps) {
            throw ValidationError("--fps: found \(fps), expected 1 to 120")
        }
        if let seconds, !(seconds > 0 && seconds <= 60) {
            throw ValidationError("--seconds: found \(seconds), expected above 0, at most 60")
        }
        if let workers, !(1...256).contains(workers) {
            throw ValidationError("--workers: found \(workers), expected 1 to 256")
        }
    }

    func run() throws {
        let logger = logging.logger()
        let clips = ClipFolder(
            path: folder, count: count, seed: seed, size: size.size, rate: fps, seconds: seconds)
        let threads = workers ?? max(1, ProcessInfo.processInfo.activeProcessorCount)
        let start = ContinuousClock().now
        let isShown = logging.showsProgress
        do {
            let rendered = try clips.render(workers: threads) { done in
                if isShown { show("\r\u{1B}[K\(done)/\(count) clips") }
            }
            if isShown { show("\r\u{1B}[K") }
            let taken = (ContinuousClock().now - start) / .seconds(1)
            logger.info(
                "\(rendered) clips rendered in \(String(format: "%.1f", taken)) s, \(count - rendered) kept"
            )
            try StandardOutput.line(clips.truthPath.text)
        } catch let error as PipelineError {
            if isShown { show("\r\u{1B}[K") }
            throw ExitCode(error.report(to: logger))
        }
    }

    private func show(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// A size on the command line.
enum RenderedSize: ExpressibleByArgument {
    case mixed
    case fixed(FrameSize)

    init?(argument: String) {
        if argument == "mixed" {
            self = .mixed
            return
        }
        let parts = argument.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]),
            let size = FrameSize(width: width, height: height)
        else { return nil }
        self = .fixed(size)
    }

    /// The size; nil when clips draw theirs.
    var size: FrameSize? {
        if case .fixed(let size) = self { return size }
        return nil
    }

    var defaultValueDescription: String { "mixed" }
}
