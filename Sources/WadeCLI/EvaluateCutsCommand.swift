//! `wade evaluate cuts`: how well scene cuts are found.
import ArgumentParser
import Foundation
import Logging
import WadeEvaluation
import WadePipeline
import WadeVideo

struct EvaluateCutsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cuts",
        abstract: "Precision and recall of scene cuts against labels.",
        discussion: """
            LABELS is a JSON file: {"clips": [{"file": "a.mp4", "cut_times_s": [1.2, 3.04], "cut_tol_s": 0.1}, …]}, with the times \
            of the first frames of new shots. Each file is decoded once, as `segmentation: {scenes: …}` does it. Prints one line \
            per file: labelled, found, hits, and the times of misses and of false cuts; then the sums.

              wade evaluate cuts manifest.json --videos Videos
            """)

    @Argument(help: "The labels, a JSON file.")
    var labels: PathBytes

    @Option(help: "The folder of the files; that of LABELS if not given.")
    var videos: PathBytes?

    @Option(help: "Files that are decoded at once; as many as cores if not given.")
    var workers: Int?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if let workers, !(1...1024).contains(workers) {
            throw ValidationError("--workers: found \(workers), expected 1 to 1024")
        }
    }

    func run() throws {
        let logger = logging.logger()
        do {
            let labelled = try LabelledCuts(labels)
            let folder = videos ?? labels.folder
            let threads = workers ?? RunSettings.coreCount
            let decoders = DecoderPool(capacity: threads)
            let pool = WorkerPool<LabelledCuts.Video, Result<[Double], VideoError>>(
                workers: threads, inFlight: 2 * threads
            ) { video in
                Result { () throws(VideoError) in
                    try decoders.read(path: folder.appending(PathBytes(video.file)).bytes) {
                        (open) throws(VideoError) in
                        try open.spans(.scenes(minimumLength: 0)).dropFirst().map(\.start)
                    }.value
                }
            }
            var rest = labelled.videos.makeIterator()
            var sum = CutScore()
            try StandardOutput.line("labelled\tfound\thits\tfile\tmissed\tfalse")
            for video in labelled.videos {
                guard let found = pool.next(from: { rest.next() }) else { break }
                let cuts: [Double]
                do throws(VideoError) {
                    cuts = try found.get()
                } catch {
                    throw PipelineError.file(
                        path: PathBytes(video.file).shown, action: "look for cuts",
                        reason: "\(error)")
                }
                let score = CutScore(
                    found: cuts, labelled: video.cuts, tolerance: video.tolerance)
                sum.add(score)
                try StandardOutput.line(
                    "\(video.cuts.count)\t\(cuts.count)\t\(score.hits)\t\(PathBytes(video.file).shown)\t"
                        + "\(times(score.missed))\t\(times(score.wrong))")
            }
            try StandardOutput.line(
                String(
                    format: "precision %.4f, recall %.4f, F1 %.4f (%d hits, %d missed, %d false)",
                    sum.precision, sum.recall, sum.f1, sum.hits, sum.missed.count, sum.wrong.count))
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }

    private func times(_ seconds: [Double]) -> String {
        seconds.map { String(format: "%.3f", $0) }.joined(separator: " ")
    }
}
