//! The texts that `wade schedule` prints for clusters.
import Foundation
import WadePipeline

/// An array of tasks and the merge behind it.
struct ClusterText {
    /// The words of the two commands, paths absolute; the shard and the number of workers are the template's.
    let annotate: [String]
    let merge: [String]
    let output: PathBytes
    let needs: TaskNeeds
    let cpus: Int
    let options: ClusterOptions
    /// Whether the user said how much memory a task may take.
    let hasMemory: Bool
    /// Seconds that a run may take to end after SIGTERM.
    let grace: Int

    /// Minutes of a task where nothing is known.
    private static let standardMinutes = 240

    /// The built-in text with its gaps.
    static func standard(for starter: ScheduleCommand.Starter) -> String {
        starter == .slurm ? ClusterTemplate.slurm : ClusterTemplate.kubernetes
    }

    /// The text for `starter`; throws what its template or a name makes impossible.
    func text(for starter: ScheduleCommand.Starter) throws(PipelineError) -> String {
        let standard = Self.standard(for: starter)
        let template =
            try options.template.map { (path) throws(PipelineError) in
                try ClusterTemplate(readingFrom: path)
            } ?? ClusterTemplate(standard, name: "the built-in template")
        return try template.filled(starter == .slurm ? slurm : kubernetes)
    }

    // MARK: - What both have

    /// What the jobs are called: lower-case letters, digits and `-`, as Kubernetes wants it (RFC 1123, at most 63 characters).
    var name: String {
        let stem = output.stem.text.lowercased().map {
            $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-"
        }
        let short = String(stem.prefix(40)).split(separator: "-").joined(separator: "-")
        return short.isEmpty ? "wade" : "wade-" + short
    }

    private var common: [String: String] {
        // Beyond what wade holds itself to, for what the scheduler counts as well: page cache of the task, the shell.
        let memory = (needs.memory + needs.memory / 16) >> 20 + 64
        return [
            "name": name, "shards": "\(options.count)", "cpus": "\(cpus)",
            "memory_mib": "\(memory)",
            "memory_source": hasMemory
                ? "--memory" : "the model's weights, \(cpus) decoders and one clip of 2 GiB",
            // Half a kilobyte for each record, measured; a file has some records.
            "merge_memory_mib": "\(256 + (needs.files ?? 1_000_000) / 256)",
        ]
    }

    // MARK: - Slurm

    private var minutes: (count: Int, source: String) {
        if let time = options.time { return ((time.count + 59) / 60, "--time") }
        guard let seconds = needs.seconds else {
            return (Self.standardMinutes, "no estimate, wade benchmark makes one")
        }
        let minutes = min(max(0, 2 * seconds / 60), 1e6).rounded(.up)
        return (10 + Int(minutes), "twice the estimate for the longest part, and 10 min")
    }

    private var slurm: [String: String] {
        let beside = output.folder.appending(output.stem)
        func log(_ ending: String) -> String {
            // sbatch takes % for a pattern unless doubled, and the line for words in quotes.
            let path = ArgumentBytes.text(beside.bytes).replacing("%", with: "%%")
            return Self.sbatchQuoted(path + ending)
        }
        var values = common
        values["annotate"] = annotate.map(ScheduleText.shellQuoted).joined(separator: " ")
        values["merge"] = merge.map(ScheduleText.shellQuoted).joined(separator: " ")
        values["minutes"] = "\(minutes.count)"
        values["time_source"] = minutes.source
        // Slurm may send it up to a minute early, never late.
        values["warning_seconds"] = "\(min(grace + 30, minutes.count * 30))"
        values["log"] = log(".slurm-%a.log")
        values["merge_log"] = log(".slurm-merge.log")
        values["merge_minutes"] = "\(10 + (needs.files ?? 1_000_000) / 20_000)"
        return values
    }

    /// A word of an #SBATCH line and of a shell's: both take double quotes and the backslash before what would end them.
    private static func sbatchQuoted(_ word: String) -> String {
        let isPlain = word.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "/._-%".contains($0))
        }
        guard !isPlain else { return word }
        let special: Set<Character> = ["\\", "\"", "$", "`"]
        return "\"" + word.map { special.contains($0) ? "\\\($0)" : String($0) }.joined() + "\""
    }

    // MARK: - Kubernetes

    private var kubernetes: [String: String] {
        var values = common
        values["annotate"] = annotate.map(Self.yamlQuoted).joined(separator: ", ")
        values["merge"] = merge.map(Self.yamlQuoted).joined(separator: ", ")
        values["image"] = Self.yamlQuoted(options.image ?? "")
        values["termination_seconds"] = "\(grace + 20)"
        values["volume_mounts"] = options.mount.enumerated().map { number, mount in
            "{name: volume-\(number), mountPath: \(Self.yamlQuoted(mount.path))}"
        }.joined(separator: ", ")
        values["volumes"] = options.mount.enumerated().map { number, mount in
            "{name: volume-\(number), persistentVolumeClaim: {claimName: \(Self.yamlQuoted(mount.claim))}}"
        }.joined(separator: ", ")
        return values
    }

    /// A word in YAML's double quotes, which JSON's are as well; Kubernetes itself takes `$(NAME)` in a command for a variable unless the
    /// dollar is doubled.
    static func yamlQuoted(_ word: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        let bytes = (try? encoder.encode(word.replacing("$(", with: "$$("))) ?? Data("\"\"".utf8)
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: - Advice

    /// What to do with the text.
    func advice(for starter: ScheduleCommand.Starter) -> String {
        let common =
            "Videos, pipeline, model, cache and output have to lie where every task sees them under these paths. "
        switch starter {
        case .slurm:
            return common
                + "Save the text and run it with bash: it submits the tasks and the merge. To go on or to repeat lost tasks, run it again: only what is missing is done"
        default:
            return common
                + "Save the text and give it to kubectl apply -f; the merge is suspended until you begin it, the text says how"
        }
    }
}
