//! `wade simulate`: a cluster that need not be there.
import ArgumentParser
import WadePipeline

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "How long a cluster would take, by the partition that `annotate --shard` has.",
        discussion: """
            Makes up file sizes (log-normal), gives them to N parts as `annotate --shard` does, and lets so many slots work on them: one of \
            fifty has half the speed, what sizes do not tell of a clip varies by 30 %, a node that fails is back after an hour, and its task \
            goes on elsewhere after 5 min. Give it the seconds that a clip takes by `wade benchmark` or by an earlier run. The same \
            options print the same numbers.

              wade simulate --clips 1000000 --shards 1000 --slots 250 --seconds-per-clip 2.1
            """)

    @Option(help: "Clips, a file each.")
    var clips = ClusterSimulation().clips

    @Option(help: "Parts.")
    var shards = ClusterSimulation().shards

    @Option(help: "Tasks that run at once.")
    var slots = ClusterSimulation().slots

    @Option(help: "Seconds that a task takes for a clip, in the mean.")
    var secondsPerClip = ClusterSimulation().secondsPerClip

    @Option(help: "Spread of file sizes: the standard deviation of their logarithm.")
    var spread = ClusterSimulation().spread

    @Option(help: "The part of a clip's time that grows with its file, 0 to 1.")
    var shareOfSize = ClusterSimulation().shareOfSize

    @Option(help: "Seconds from a task's start to its first clip.")
    var startup = ClusterSimulation().startup

    @Option(help: "Hours after which the node of a slot fails, in the mean.")
    var hoursToFailure = ClusterSimulation().hoursToFailure

    @Option(help: "The time limit of a task: 4h; it is requeued and goes on.")
    var timeLimit: Seconds?

    @Option(help: "Decides the draws.")
    var seed: UInt64 = 1

    func validate() throws {
        let numbers = [
            ("--clips", Double(clips), 1.0, 1e8),
            ("--shards", Double(shards), 1, Double(Shard.most)),
            ("--slots", Double(slots), 1, 1e5), ("--seconds-per-clip", secondsPerClip, 1e-6, 1e6),
            ("--spread", spread, 0, 5), ("--share-of-size", shareOfSize, 0, 1),
            ("--startup", startup, 0, 1e5), ("--hours-to-failure", hoursToFailure, 0.01, 1e9),
        ]
        for (name, value, least, most) in numbers where !(least...most).contains(value) {
            throw ValidationError("\(name): found \(value), expected \(least) to \(most)")
        }
        if let timeLimit, Double(timeLimit.count) < 2 * startup + 1 {
            throw ValidationError(
                "--time-limit: found \(timeLimit.count) s, expected more than twice --startup")
        }
    }

    func run() throws {
        var simulation = ClusterSimulation()
        simulation.clips = clips
        simulation.shards = shards
        simulation.slots = slots
        simulation.secondsPerClip = secondsPerClip
        simulation.spread = spread
        simulation.shareOfSize = shareOfSize
        simulation.startup = startup
        simulation.hoursToFailure = hoursToFailure
        simulation.timeLimit = Double(timeLimit?.count ?? 0)
        simulation.seed = seed
        let outcomes = [simulation.run(balanced: false), simulation.run(balanced: true)]
        func row(_ name: String, _ value: (ClusterSimulation.Outcome) -> String) throws {
            try StandardOutput.line(([name] + outcomes.map(value)).joined(separator: "\t"))
        }
        func fixed(_ value: Double, _ digits: Int) -> String {
            var scale = 1.0
            for _ in 0..<digits { scale *= 10 }
            return "\((value * scale).rounded() / scale)"
        }
        try StandardOutput.line("\tby hash alone\tbalanced")
        try row("files moved") { "\($0.moved)" }
        try row("longest part over the mean, expected") { fixed($0.expectedImbalance, 4) }
        try row("longest part over the mean, as it came") { fixed($0.imbalance, 4) }
        try row("hours until all is done") { fixed($0.makespan / 3600, 3) }
        try row("hours with nothing lost or waited for") { fixed($0.ideal / 3600, 3) }
        try row("use of the slots") { fixed($0.ideal / max($0.makespan, 1e-9), 4) }
        try row("hours from the median part's end to the last") { fixed($0.tail / 3600, 3) }
        try row("tasks requeued after a node's failure") { "\($0.failures)" }
        try row("tasks requeued at the time limit") { "\($0.timeouts)" }
        try row("seconds of work lost by failures") { fixed($0.lost, 1) }
    }
}
