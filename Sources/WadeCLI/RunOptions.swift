//! The options of a run, which `annotate` obeys and `schedule` passes on.
import ArgumentParser
import Foundation
import WadePipeline

/// A time span in whole seconds: `90`, `90s`, `10m`, `2h` or `1d`.
struct Seconds: ExpressibleByArgument {
    /// The span.
    let count: Int

    init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        let digits = unit == nil ? argument[...] : argument.dropLast()
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else {
            return nil
        }
        let (count, isTooLong) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !isTooLong, count <= 3650 * 86_400 else { return nil }
        self.count = count
    }
}

/// A time of day: `HH:MM`.
struct TimeOfDay: ExpressibleByArgument {
    let hour: Int
    let minute: Int

    /// A time that is known to be right.
    init(hour: Int, minute: Int) {
        self.hour = hour
        self.minute = minute
    }

    /// The time as it is written on the command line when nothing else is said.
    var defaultValueDescription: String { ScheduleText.clock(self) }

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...2).contains($0.count) }),
            parts.joined().allSatisfy({ $0.isASCII && $0.isNumber }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
        else { return nil }
        self.hour = hour
        self.minute = minute
    }
}

/// A size in bytes, by powers of 1024: `6G`, `512M`, `800000K` or plain bytes.
struct ByteCount: ExpressibleByArgument {
    /// The size.
    let count: Int

    init?(argument: String) {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let unit = argument.last.flatMap { units[Character($0.uppercased())] }
        let digits = unit == nil ? argument[...] : argument.dropLast()
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else {
            return nil
        }
        let (count, isTooLarge) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !isTooLarge, count > 0, count <= 1 << 50 else { return nil }
        self.count = count
    }
}

extension FileOrder: ExpressibleByArgument {}

/// Which files are taken, in which order, for how long, and who is told.
struct RunOptions: ParsableArguments {
    @Option(help: "Threads that decode, encode and answer; as many as cores if not given.")
    var workers: Int?

    @Option(
        help: ArgumentHelp(
            "How many answers a worker generates at once.",
            discussion: """
                The model's weights are read once for all of them, so more are faster with a large model, and take more memory. No \
                answer depends on it. Records come out in the order of the files and so in bursts; with 1 each is written \
                as soon as it can be.
                """,
            valueName: "count"))
    var batch = RunSettings.standardBatch

    @Option(help: "How often later runs of this version try again what may have failed by chance.")
    var retries = 2

    @Option(
        help: ArgumentHelp(
            "The longest that one try at decoding a clip may take: 90, 90s, 10m; 0 for any time. (default: 5m)",
            discussion: """
                Files are decoded in processes of their own. One that is still at it after this time is ended, and the clip \
                becomes an error record (timeout). Only a process that crashed before its time was over is followed by a \
                second try. Looking for scene cuts may take twenty times as long. Before that every byte of a new or changed \
                file is read once for its SHA-256, which tells contents apart whatever they are called (video.content_id); that has \
                the same limit, and a file that takes longer becomes a record with the same code: give huge files on slow disks more.
                """,
            valueName: "duration"))
    var fileTimeout: Seconds?

    @Option(
        help: ArgumentHelp(
            "The memory that the run may take with all its processes: 6G, 800M.",
            discussion: """
                Clips wait for each other until their pictures fit, and fewer than --workers are decoded at once where that needs \
                it; no record depends on this. A run ends with 1 before it begins when there is no room for its model, one \
                decoder process and one clip as large as --clip-memory allows.
                """,
            valueName: "size"))
    var memory: ByteCount?

    @OptionGroup var cache: CacheOptions

    @Option(
        help: ArgumentHelp(
            "The memory that one clip may take: 1G, 800M. (default: 2G, or half of --memory if that is less)",
            discussion: """
                This alone decides which clips are too large: one that takes more, when it is decoded or afterwards when its frames \
                are encoded, is an error record (too_large), with any number of workers. Without this option and \
                --memory encoding may take any.
                """,
            valueName: "size"))
    var clipMemory: ByteCount?

    @Flag(help: "Leave the machine to others: the lowest priority for the processor and the disk.")
    var nice = false

    @Option(
        help: ArgumentHelp(
            "Leave files in folders alone that changed less than this ago: 90, 90s, 10m, 2h. (default: 2s)",
            discussion: """
                A file that will be old enough within 10 s is waited for and looked at a second time; others count as \
                deferred and are done by the first run after their copying has ended. An mp4 without its index, an mp4, mkv, webm, \
                avi or ts with less data than it announces, and a jpg, png or gif without its end have to rest five times as long \
                before they are taken as they are. \
                Where copies may hang for longer, ask for more. Files that are named are always tried; 0 takes all.
                """,
            valueName: "duration"))
    var minAge: Seconds?

    @Option(
        help: ArgumentHelp(
            "Begin no new clip after this time (90s, 10m, 2h); what is left is for the next run, exit code 5.",
            valueName: "duration"))
    var maxRuntime: Seconds?

    @Option(
        help: ArgumentHelp(
            "Begin no new clip after this time of day, in local time (TZ); exit code 5. Logs are in UTC.",
            discussion: """
                The next such time: from 23:00 on, 06:00 is tomorrow's. Only a run that begins up to \
                \(TimeLimit.lateness / 60) minutes after it is taken for late: it begins nothing, says so and exits with 5.
                """,
            valueName: "HH:MM"))
    var until: TimeOfDay?

    @Option(
        help: ArgumentHelp(
            "After SIGTERM, SIGINT, SIGHUP or SIGUSR1 the clip in work has this long. (default: \(Interruption.graceSeconds)s)",
            discussion: """
                Then it is dropped and left to the next run. A second signal ends the run at once. The exit code is 128 plus the \
                signal's number. A signal that was ignored when the run began stays ignored.
                """,
            valueName: "duration"))
    var grace: Seconds?

    @Option(
        help: ArgumentHelp(
            "Which files come first: name, newest, oldest or smallest.",
            discussion: """
                The output is written in that order. With newest or smallest and a time limit, every fourth file is the \
                oldest one that is left, so that none waits forever. With name and a limit that is too short every night, \
                the last names would: use oldest then.
                """))
    var order = FileOrder.name

    @Option(
        help: ArgumentHelp(
            "Keep a JSON file up to date for monitoring, every \(StatusFile.interval) s between two clips and at the end.",
            discussion: "It is replaced as a whole, so a reader never sees half of it.",
            valueName: "path"))
    var statusFile: PathBytes?

    @Option(
        help: ArgumentHelp(
            "Run this with /bin/sh when the run has come to its end, with success or not.",
            discussion: """
                Its environment tells: WADE_EXIT_CODE, WADE_OUTPUT, WADE_STATUS_FILE, WADE_STOPPED_BY, WADE_FILES, \
                WADE_FILES_DONE_BEFORE, WADE_DEFERRED, WADE_CLIPS, WADE_ANSWERS, WADE_COPIES, WADE_DEGRADED, WADE_FAILURES, \
                WADE_PARKED, WADE_SECONDS. What it prints goes to standard error. If it fails, a warning says so and wade's \
                exit code stays. It is not run when another run holds the output, nor when wade is ended in the middle of a clip: at \
                the end of the grace, by a second signal, by a kill.
                """,
            valueName: "command"))
    var onFinish: String?

    @Option(
        help: ArgumentHelp(
            "Do only this part of the files: 1/8 to 8/8, or auto for the task of a Slurm array or an indexed Kubernetes job.",
            discussion: """
                Every file belongs to exactly one of N parts, which are made equally long by the files' sizes. Part I of the output NAME.jsonl \
                is NAME.part-I-of-N.jsonl, with its own lock, its own NAME.runs-I-of-N.jsonl and status file; `wade merge` \
                joins them. What parts of another N, and NAME.jsonl itself, hold already is not done again. auto: in Slurm the place \
                of the task in its array (SLURM_ARRAY_TASK_ID, _MIN, _MAX, _STEP, _COUNT), in Kubernetes JOB_COMPLETION_INDEX with \
                \(Shard.countVariable) for N. The first task keeps in NAME.shards-of-N.json which files it moved to make the parts equal; \
                when no task is at work it may be deleted, and is made anew for what is left.
                """,
            valueName: "I/N"))
    var shard: String?

    /// The part that the environment or the user says; nil for all files.
    private func readShard() throws(PipelineError) -> Shard? {
        guard let shard else { return nil }
        return shard == "auto"
            ? try Shard.ofTask(ProcessInfo.processInfo.environment) : try Shard(shard)
    }

    func validate() throws {
        try cache.validate()
        do { _ = try readShard() } catch { throw ValidationError("--shard: \(error)") }
        if let workers, !(1...1024).contains(workers) {
            throw ValidationError("--workers: found \(workers), expected 1 to 1024")
        }
        if !(1...1024).contains(batch) {
            throw ValidationError("--batch: found \(batch), expected 1 to 1024")
        }
        if !(0...1000).contains(retries) {
            throw ValidationError("--retries: found \(retries), expected 0 to 1000")
        }
        if let clipMemory, clipMemory.count < RunSettings.leastClipMemory {
            throw ValidationError(
                "--clip-memory: found \(clipMemory.count) bytes, expected at least \(RunSettings.leastClipMemory >> 20)M"
            )
        }
        if maxRuntime?.count == 0 {
            throw ValidationError("--max-runtime: found 0, expected at least 1 s")
        }
    }

    /// How the run works.
    var settings: RunSettings {
        var settings = RunSettings(workers: workers ?? RunSettings.coreCount)
        settings.batch = batch
        settings.retries = retries
        settings.minimumAge = minAge?.count ?? settings.minimumAge
        settings.order = order
        settings.fileTimeout = fileTimeout?.count ?? settings.fileTimeout
        settings.memory = memory?.count
        settings.cache = cache.settings
        settings.clipMemory = clipMemory?.count
        settings.isTimeLimited = maxRuntime != nil || until != nil
        // validate() has read it before.
        settings.shard = try? readShard()
        return settings
    }

    /// When the run ends if it begins at `now`, seconds since 1970.
    func timeLimit(now: Int) -> TimeLimit? {
        TimeLimit(
            maximumRuntime: maxRuntime?.count,
            until: until.flatMap {
                TimeLimit.end(hour: $0.hour, minute: $0.minute, now: now)
            })
    }

    /// The same options for a task of a cluster, which gets its workers from the scheduler and may take `memory` bytes.
    func arguments(memory bytes: Int) -> [String] {
        var options = self
        options.workers = nil
        options.memory = ByteCount(argument: "\(bytes)")
        return options.arguments
    }

    /// The same options as words of a command line, with absolute paths.
    var arguments: [String] {
        var words: [String] = []
        if let workers { words += ["--workers", "\(workers)"] }
        if batch != RunSettings.standardBatch { words += ["--batch", "\(batch)"] }
        if let fileTimeout { words += ["--file-timeout", "\(fileTimeout.count)s"] }
        if let memory { words += ["--memory", "\(memory.count)"] }
        if let clipMemory { words += ["--clip-memory", "\(clipMemory.count)"] }
        if nice { words += ["--nice"] }
        if retries != 2 { words += ["--retries", "\(retries)"] }
        if let minAge { words += ["--min-age", "\(minAge.count)s"] }
        if let maxRuntime { words += ["--max-runtime", "\(maxRuntime.count)s"] }
        if let until { words += ["--until", ScheduleText.clock(until)] }
        if let grace { words += ["--grace", "\(grace.count)s"] }
        if order != .name { words += ["--order", order.rawValue] }
        if let statusFile { words += ["--status-file", ScheduleText.absolute(statusFile)] }
        if let onFinish { words += ["--on-finish", onFinish] }
        if let shard { words += ["--shard", shard] }
        return words + cache.arguments
    }
}
