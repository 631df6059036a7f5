//! `wade schedule`: a crontab line or systemd units that annotate every day, or jobs for a cluster.
import ArgumentParser
import Foundation
import WadePipeline
import WadeTensor

struct ScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract:
            "Print a crontab line, systemd units, or jobs for Slurm or Kubernetes that run `wade annotate`.",
        discussion: """
            Takes the arguments of `annotate` and prints text that is ready to use: absolute paths, low priority for CPU and \
            disk, mail only on trouble. No lock is needed around it, annotate has its own. Nothing is installed; standard \
            error says what to do.

              wade schedule --cron --at 22:30 --until 06:00 Videos -p caption.yaml -o captions.jsonl

            For a cluster it prints an array of N tasks (annotate --shard), each with a time limit, memory and what is to become of it \
            when its node dies, and a merge behind them. Videos, pipeline, model, cache and output have to lie where every node \
            sees them under the same path.

              wade schedule --slurm --shards 100 Videos -p caption.yaml -o captions.jsonl > captions.sbatch
            """)

    /// Who starts the runs.
    enum Starter: String, EnumerableFlag {
        case cron, systemd, slurm, kubernetes

        /// Whether many tasks share the work.
        var isCluster: Bool { self == .slurm || self == .kubernetes }

        static func help(for value: Starter) -> ArgumentHelp? {
            switch value {
            case .cron: "A crontab line: every day on this machine."
            case .systemd: "A service and its timer: every day on this machine."
            case .slurm: "An sbatch script: an array of tasks, once."
            case .kubernetes: "An indexed job, once."
            }
        }
    }

    @Flag
    var starter: Starter

    @OptionGroup var cluster: ClusterOptions

    @Option(help: ArgumentHelp("When to start, in local time.", valueName: "HH:MM"))
    var at = TimeOfDay(hour: 2, minute: 0)

    @Argument(help: "Folders and files.")
    var paths: [String]

    @OptionGroup var pipeline: PipelineOptions

    @Option(name: .shortAndLong, help: "The JSONL file to append to.")
    var output: String

    @OptionGroup var options: RunOptions

    func validate() throws {
        try options.validate()
        try cluster.validate(for: starter)
        if starter.isCluster, options.shard != nil {
            throw ValidationError("--shard: found one part, expected --shards N for all of them")
        }
        if starter.isCluster, options.until != nil {
            throw ValidationError(
                "--until: found a time of day, but a cluster starts tasks when there is room and starts them again; expected --max-runtime"
            )
        }
        if options.shard == "auto" {
            throw ValidationError(
                "--shard: found auto, expected I/N: nobody tells such a run its part")
        }
        if output == "-" { throw ValidationError("--output: found -, expected a file") }
        if words.contains(where: { $0.contains(where: \.isNewline) }) {
            throw ValidationError("found a line end in an argument, which no schedule can hold")
        }
        if starter == .kubernetes,
            words.contains(where: { ArgumentBytes.bytes($0) != Array($0.utf8) })
        {
            throw ValidationError(
                "found a name that is not UTF-8, which no Kubernetes job can hold; expected names in UTF-8"
            )
        }
    }

    private var program: String {
        // In a container the program lies where its image has it.
        starter == .kubernetes
            ? "wade"
            : (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
                ?? ScheduleText.absolute(CommandLine.arguments.first ?? "wade")
    }

    /// What `annotate` and `merge` both need to know.
    private var work: [String] {
        let absolute: (String) -> String = ScheduleText.absolute
        var words = paths.map(absolute)
        words += ["--pipeline", ScheduleText.absolute(pipeline.pipeline)]
        if let model = pipeline.model {
            words += ["--model", model.contains("/") ? absolute(model) : model]
        }
        if let precision = pipeline.precision.precision {
            words += ["--precision", precision.rawValue]
        }
        return words + ["--output", absolute(output)]
    }

    private var words: [String] { [program, "annotate"] + work + options.arguments }

    /// What a task needs. In a container things lie elsewhere, so there nobody has to find the pipeline here if --memory is said.
    private func needs(_ settings: RunSettings, _ output: PathBytes) throws -> TaskNeeds {
        do {
            let job = AnnotationJob(
                paths: paths.map { PathBytes(bytes: ArgumentBytes.bytes($0)) },
                pipeline: try pipeline.read(), output: output, settings: settings)
            return try job.taskNeeds(cluster.count)
        } catch {
            guard starter == .kubernetes, let memory = options.memory else { throw error }
            return TaskNeeds(memory: memory.count)
        }
    }

    /// The texts for a cluster.
    private func printCluster() throws {
        if cluster.printTemplate {
            try StandardOutput.write(Array(ClusterText.standard(for: starter).utf8))
            return say("change it and give it to --template")
        }
        var settings = options.settings
        settings.workers = cluster.cpus(options)
        let output = PathBytes(bytes: ArgumentBytes.bytes(ScheduleText.absolute(output)))
        let needs = try needs(settings, output)
        if (try? pipeline.read())?.precision == .auto {
            say(
                "precision auto is bfloat16 on some processors and float32 on others, which are different recipes: say one with --precision unless all nodes are alike"
            )
        }
        let text = ClusterText(
            annotate: [program, "annotate"] + work + options.arguments(memory: needs.memory),
            merge: [program, "merge"] + work, output: output, needs: needs,
            cpus: settings.workers, options: cluster, hasMemory: options.memory != nil,
            grace: options.grace?.count ?? Interruption.graceSeconds)
        try StandardOutput.write(ArgumentBytes.bytes(try text.text(for: starter)))
        say(text.advice(for: starter))
    }

    func run() throws {
        if starter.isCluster {
            do { return try printCluster() } catch let error as PipelineError {
                say("\(error)")
                throw ExitCode.failure
            }
        }
        let stem = URL(fileURLWithPath: output).deletingPathExtension().lastPathComponent
        let name =
            "wade-" + stem.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let text = ScheduleText(
            words: words, start: at, name: name,
            grace: options.grace?.count ?? Interruption.graceSeconds)
        switch starter {
        case .cron:
            try StandardOutput.write(ArgumentBytes.bytes(text.crontab + "\n"))
            say(ScheduleText.crontabAdvice)
        case .systemd:
            try StandardOutput.line(text.systemd)
            say(text.systemdAdvice)
        case .slurm, .kubernetes: preconditionFailure("printed above")
        }
    }

    private func say(_ advice: String) {
        FileHandle.standardError.write(Data("wade: \(advice)\n".utf8))
    }
}
