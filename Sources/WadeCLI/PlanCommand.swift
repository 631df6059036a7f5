//! `wade plan`: what `wade annotate` would do.
import ArgumentParser
import Logging
import WadeHub
import WadePipeline
import WadeTensor

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what `wade annotate` would do with the same arguments, and do nothing.",
        discussion: """
            Prints one line per file: what is to do, done, deferred or skipped, and why; then a sum and an estimate from the \
            latest run into the output, or before there is one from what `wade benchmark --model` has measured of the \
            pipeline's model on this machine. No video is opened: a file that is not in the output under its path, size and time counts as new, \
            also when it has only been renamed; for a pipeline with `shots` it waits unless the earlier pass has it so. Whether the model \
            fits into this machine's memory is said on standard error: when it does \
            not, or with --verbose. The options of `annotate` are taken and only those that decide about files count.
            """)

    @Argument(help: "Folders and files.")
    var paths: [PathBytes]

    @OptionGroup var pipeline: PipelineOptions

    @Option(name: .shortAndLong, help: "The JSONL file that `annotate` would append to.")
    var output: PathBytes

    @OptionGroup var options: RunOptions

    @Flag(help: "Print only the sum.")
    var summary = false

    @Option(
        help: ArgumentHelp(
            "Print instead what each of N parts would do by `annotate --shard`: its files, and seconds where there is an estimate.",
            valueName: "N"))
    var shards: Int?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try options.validate()
        try logging.validate()
        if let shards, !(1...Shard.most).contains(shards) {
            throw ValidationError("--shards: found \(shards), expected 1 to \(Shard.most)")
        }
    }

    /// One line for each part, the sum last.
    private func show(_ loads: [(files: Int, seconds: Double?)]) throws {
        for (index, load) in loads.enumerated() where !summary {
            let seconds = load.seconds.map { "\(Int($0.rounded()))" } ?? "-"
            try StandardOutput.line("\(index + 1)/\(loads.count)\t\(load.files)\t\(seconds)")
        }
        let files = loads.map(\.files)
        let seconds = loads.compactMap(\.seconds)
        var text =
            "\(files.reduce(0, +)) files in \(loads.count) parts of \(files.min() ?? 0) to \(files.max() ?? 0)"
        if let longest = seconds.max() {
            let mean = seconds.reduce(0, +) / Double(seconds.count)
            text +=
                ", about \(Int((longest / 60).rounded(.up))) min for the longest and \(Int((mean / 60).rounded(.up))) in the mean"
        }
        try StandardOutput.line(text)
    }

    func run() throws {
        do {
            let pipeline = try pipeline.read()
            let job = AnnotationJob(
                paths: paths, pipeline: pipeline, output: output, settings: options.settings)
            if let shards { return try show(try job.partLoads(shards)) }
            let forecast = try job.forecast()
            if !summary {
                for line in forecast.lines {
                    try StandardOutput.line("\(line.state.rawValue)\t\(line.path)\t\(line.reason)")
                }
            }
            try StandardOutput.line(forecast.text)
            try tellMemory(of: pipeline)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logging.logger()))
        }
    }

    /// Says what the pipeline's model needs: as a warning when that is more than there is.
    private func tellMemory(of pipeline: Pipeline) throws {
        let (memory, precision) = try ModelMemory.needed(by: pipeline)
        guard let machine = MachineMemory.total else { return }
        let needs =
            "the model's weights take \(ByteText.of(memory.bytes(in: precision))) in \(precision); "
            + "this machine has \(ByteText.of(machine)) of memory"
        if memory.fits(in: precision, machine: machine) {
            logging.logger().info("\(needs)")
        } else {
            logging.logger().warning("\(needs), which is too little")
        }
    }
}
