//! `wade schedule`: a crontab line or systemd units that annotate every day.
import ArgumentParser
import Foundation
import WadePipeline
import WadeTensor

struct ScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Print a crontab line or systemd units that run `wade annotate` every day.",
        discussion: """
            Takes the arguments of `annotate` and prints text that is ready to use: absolute paths, low priority for CPU and \
            disk, mail only on trouble. No lock is needed around it, annotate has its own. Nothing is installed; standard \
            error says what to do.

              wade schedule --cron --at 22:30 --until 06:00 Videos -p caption.yaml -o captions.jsonl
            """)

    /// Who starts the runs.
    enum Starter: String, EnumerableFlag {
        case cron, systemd
    }

    @Flag(help: "For cron or for systemd.")
    var starter: Starter

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
        if output == "-" { throw ValidationError("--output: found -, expected a file") }
        if words.contains(where: { $0.contains(where: \.isNewline) }) {
            throw ValidationError("found a line end in an argument, which no schedule can hold")
        }
    }

    private var words: [String] {
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? ScheduleText.absolute(CommandLine.arguments.first ?? "wade")
        let absolute: (String) -> String = ScheduleText.absolute
        var words = [program, "annotate"] + paths.map(absolute)
        words += ["--pipeline", ScheduleText.absolute(pipeline.pipeline)]
        if let model = pipeline.model {
            words += ["--model", model.contains("/") ? absolute(model) : model]
        }
        if let precision = pipeline.precision.precision {
            words += ["--precision", precision.rawValue]
        }
        return words + ["--output", absolute(output)] + options.arguments
    }

    func run() throws {
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
        }
    }

    private func say(_ advice: String) {
        FileHandle.standardError.write(Data("wade: \(advice)\n".utf8))
    }
}
