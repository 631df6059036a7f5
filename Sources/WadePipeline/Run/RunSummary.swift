//! What a run did, in numbers: one line of `runs.jsonl` beside the output.
import Glibc

/// Counts of a run.
package struct RunSummary: Sendable, Equatable {
    /// Files found and tried.
    package var files = 0
    /// Names that were not taken, by reason.
    package var skipped: [String: Int] = [:]
    /// Files left to the next run because they have just been changed.
    package var deferred = 0
    /// Files for which nothing was left to do.
    package var filesDone = 0
    /// Whether earlier runs have answered about some of the files.
    package var hasEarlierAnswers = false
    /// Clips encoded.
    package var clips = 0
    /// Clips among them whose visual tokens were in the cache.
    package var cachedClips = 0
    /// Answers written.
    package var answers = 0
    /// Answers among them with lost frames.
    package var degraded = 0
    /// Answers reused for another file with the same content.
    package var copies = 0
    /// Error records written.
    package var failures = 0
    /// Error records written, by code.
    package var failureCodes: [String: Int] = [:]
    /// Records that failed more often than the run retries.
    package var parked = 0
    /// Seconds from the first file to the last line.
    package var seconds = 0.0
    /// Arguments that were there at the start and are gone.
    package var vanished: [String] = []
    /// What else went wrong without costing a record.
    package var complaints: [String] = []
    /// Why the run ended early.
    package var stop: StopRequest.Reason?

    /// Nothing done.
    package init() {}

    /// The exit code that these counts mean.
    package var exitCode: Int32 {
        if let stop { return stop.exitCode }
        guard failures > 0 || !vanished.isEmpty else { return 0 }
        return answers + copies > 0 || hasEarlierAnswers ? 3 : 4
    }

    /// One sentence for people.
    package var text: String {
        var parts = ["\(answers) answers about \(clips) clips"]
        if cachedClips > 0 { parts.append("\(cachedClips) clips from the cache") }
        if copies > 0 { parts.append("\(copies) reused") }
        if failures > 0 { parts.append("\(failures) failed") }
        if filesDone > 0 { parts.append("\(filesDone) files done before") }
        if deferred > 0 { parts.append("\(deferred) deferred") }
        if parked > 0 { parts.append("\(parked) parked") }
        return parts.joined(separator: ", ") + " in \(Int(seconds.rounded())) s"
    }

    /// Why the run ended early, as it is written down; empty when it did not.
    package var stoppedBy: String {
        switch stop {
        case .signal(let number): "signal \(number)"
        case .timeLimit: "time limit"
        case nil: ""
        }
    }

    /// Appends the summary to `runs.jsonl` in the folder of the output at `path`.
    package func append(besides path: PathBytes, plan: RunPlan, startedAt: String)
        throws(PipelineError)
    {
        let line = try JSONWriter.bytes(of: [
            "run_id": .string(plan.runID), "host": .string(plan.host),
            "wade_version": .string(Program.version), "started_at": .string(startedAt),
            "ended_at": .string(Timestamp.now()), "seconds": .number(seconds),
            "output": .string(path.name.text), "pipeline": .string(plan.pipeline.name),
            "model": .string(plan.model.name), "exit_code": .integer(Int(exitCode)),
            "stopped_by": .string(stoppedBy), "files": .integer(files),
            "files_done_before": .integer(filesDone), "deferred": .integer(deferred),
            "clips": .integer(clips), "cached_clips": .integer(cachedClips),
            "answers": .integer(answers),
            "degraded": .integer(degraded), "copies": .integer(copies),
            "failures": .integer(failures), "parked": .integer(parked),
            "vanished": .array(vanished.map { .string($0) }),
            "skipped": Self.object(skipped), "failure_codes": Self.object(failureCodes),
        ])
        var writer = try JSONLinesWriter(path: Self.path(besides: path))
        try writer.append(line + [0x0A])
        try writer.synchronize()
    }

    /// Throws when no summary of a run into `output` could be written, as far as can be told before.
    static func requirePlace(besides output: PathBytes) throws(PipelineError) {
        _ = try JSONLinesWriter(path: path(besides: output))
    }

    private static func object(_ counts: [String: Int]) -> JSONValue {
        .object(counts.map { JSONMember($0.key, .integer($0.value)) })
    }

    /// Where the summaries of the runs into `output` are.
    static func path(besides output: PathBytes) -> PathBytes {
        PartName.summaries(besides: output)
    }

    /// Seconds per answer of the latest run into the output at `path` that answered anything; nil when none did.
    package static func secondsPerAnswer(besides path: PathBytes) -> Double? {
        guard let lines = try? SmallFile.read(Self.path(besides: path)).split(separator: 0x0A)
        else { return nil }
        for line in lines.reversed() {
            guard let value = try? JSONReader.read(Array(line)),
                value["output"]?.text == path.name.text,
                case .number(let seconds) = value["seconds"],
                case .integer(let answers) = value["answers"], answers > 0
            else { continue }
            return seconds / Double(answers)
        }
        return nil
    }
}
