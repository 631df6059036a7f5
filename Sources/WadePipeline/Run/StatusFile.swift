//! The state of a run for whoever watches over it: one small JSON file that is always whole.
import Glibc

/// Writes the status file. It is replaced as a whole: a new file beside it is brought to the disk and takes its name.
package struct StatusFile: Sendable {
    /// Seconds between two versions while a run works; the file's `updated_at` tells how fresh it is.
    package static let interval = 5

    private let path: PathBytes
    private let output: String
    private let startedAt = Timestamp.now()
    private var lastWrite: Int?
    /// Whether it was said that the file cannot be written: a night's run would say so every few seconds.
    private var hasComplained = false

    /// A status file at `path` for the run into `output`; `-` is standard output.
    package init(path: PathBytes, output: PathBytes) {
        self.path = path
        let current = try? PathBytes.current()
        self.output =
            output == PathBytes("-")
            ? "-" : (current.map { output.absolute(below: $0) } ?? output).text
    }

    /// Says that the run works and how far it is, when the last version is old enough. Throws once at most.
    package mutating func update(_ progress: RunProgress?) throws(PipelineError) {
        let now = time(nil)
        if let lastWrite, now >= lastWrite, now - lastWrite < Self.interval { return }
        lastWrite = now
        do {
            try write(
                state: "running", progress?.summary ?? RunSummary(), progress, exitCode: nil, "")
        } catch {
            guard !hasComplained else { return }
            hasComplained = true
            throw error
        }
    }

    /// Says how the run ended. Throws when it cannot and nobody was told so before.
    package func finish(_ summary: RunSummary?, exitCode: Int32, message: String)
        throws(PipelineError)
    {
        do {
            try write(
                state: summary == nil ? "failed" : summary?.stop == nil ? "finished" : "stopped",
                summary ?? RunSummary(), nil, exitCode: exitCode, message)
        } catch {
            guard !hasComplained else { return }
            throw error
        }
    }

    private func write(
        state: String, _ summary: RunSummary, _ progress: RunProgress?, exitCode: Int32?,
        _ message: String
    ) throws(PipelineError) {
        let value: JSONValue = [
            "schema": .string("wade.status/1"), "state": .string(state),
            "pid": .integer(Int(getpid())), "host": .string(Host.name),
            "wade_version": .string(Program.version), "output": .string(output),
            "started_at": .string(startedAt), "updated_at": .string(Timestamp.now()),
            "interval_s": .integer(Self.interval), "exit_code": .integer(Int(exitCode ?? -1)),
            "message": .string(message), "files": .integer(progress?.filesFound ?? summary.files),
            "files_seen": .integer(progress?.filesSeen ?? summary.files),
            "files_done_before": .integer(summary.filesDone),
            "deferred": .integer(summary.deferred), "clips": .integer(summary.clips),
            "answers": .integer(summary.answers), "copies": .integer(summary.copies),
            "degraded": .integer(summary.degraded), "failures": .integer(summary.failures),
            "parked": .integer(summary.parked), "stopped_by": .string(summary.stoppedBy),
        ]
        try replace(with: JSONWriter.bytes(of: value) + [0x0A])
    }

    private func replace(with bytes: [UInt8]) throws(PipelineError) {
        // A rename would put a file in the place of a device, /dev/null for one.
        if let status = try? FileStatus.of(path, followingLinks: true), status.kind != .regular {
            throw .file(
                path: path.shown, action: "write the status",
                reason: "it is there and is no regular file")
        }
        // Runs on several hosts may have the same number and, by mistake, the same status file.
        let temporary = PathBytes(
            bytes: path.bytes + Array(".\(Host.name)-\(getpid()).part".utf8))
        do {
            try OpenFile.replace(path, with: bytes, by: temporary, synchronizing: true)
        } catch {
            throw .file(path: path.shown, action: "write the status", reason: error.reason)
        }
    }
}
