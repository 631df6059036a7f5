//! The options of `wade schedule` that matter to clusters only.
import ArgumentParser
import WadePipeline

/// A volume of Kubernetes and where it is mounted: `CLAIM:/path`.
struct VolumeMount: ExpressibleByArgument {
    /// The persistent volume claim's name.
    let claim: String
    /// The path in the container.
    let path: String

    init?(argument: String) {
        guard let colon = argument.firstIndex(of: ":") else { return nil }
        claim = String(argument[..<colon])
        path = String(argument[argument.index(after: colon)...])
        guard !claim.isEmpty, path.hasPrefix("/") else { return nil }
    }
}

/// How many tasks there are, and what they run on.
struct ClusterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "For a cluster: how many tasks share the work.",
            discussion: """
                Several times as many as can run at once, so that a slow one holds nobody up; each should still take much longer than \
                loading the model does. Slurm takes no array beyond its MaxArraySize, which is 1001 unless set.
                """,
            valueName: "N"))
    var shards: Int?

    @Option(
        help: ArgumentHelp(
            "For Slurm: the time limit of a task: 90m, 8h. (default: twice the estimate of `wade plan --shards`, 4h without one)",
            valueName: "duration"))
    var time: Seconds?

    @Option(help: "For Kubernetes: the container image, in which wade lies on the PATH.")
    var image: String?

    @Option(
        help: ArgumentHelp(
            "For Kubernetes: a persistent volume claim and where it is mounted; may be given several times.",
            valueName: "claim:/path"))
    var mount: [VolumeMount] = []

    @Option(
        help: ArgumentHelp(
            "For a cluster: fill this text instead of the built-in one, which --print-template prints.",
            valueName: "file"))
    var template: PathBytes?

    @Flag(help: "For a cluster: print the built-in text with its {{gaps}}, for --template.")
    var printTemplate = false

    /// `shards`, which is there once validated.
    var count: Int { shards ?? 1 }

    /// Cores of a task: this machine's say nothing about the cluster's.
    func cpus(_ options: RunOptions) -> Int { options.workers ?? 4 }

    /// Throws what does not fit `starter`.
    func validate(for starter: ScheduleCommand.Starter) throws {
        guard starter.isCluster else {
            guard shards == nil, time == nil, image == nil, mount.isEmpty, template == nil,
                !printTemplate
            else {
                throw ValidationError(
                    "--shards, --time, --image, --mount, --template and --print-template belong to --slurm or --kubernetes"
                )
            }
            return
        }
        if printTemplate { return }
        guard let shards, (1...Shard.most).contains(shards) else {
            throw ValidationError(
                "--shards: found \(shards.map(String.init) ?? "nothing"), expected 1 to \(Shard.most) tasks"
            )
        }
        switch starter {
        case .kubernetes:
            guard image != nil, time == nil else {
                throw ValidationError(
                    image == nil
                        ? "--image: found nothing, expected the container image of the pods"
                        : "--time: Kubernetes has no time limit that a pod could go on after")
            }
        default:
            guard image == nil, mount.isEmpty else {
                throw ValidationError("--image and --mount belong to --kubernetes")
            }
            if let time, time.count < 120 {
                throw ValidationError("--time: found \(time.count) s, expected at least 2 min")
            }
        }
    }
}
