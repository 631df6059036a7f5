//! What the user wants to be run when a run is over.
import Foundation

/// A command line for /bin/sh that learns from its environment how the run went.
package struct FinishCommand: Sendable {
    private let command: String

    /// A command line.
    package init(_ command: String) {
        self.command = command
    }

    /// What the command's environment says beside wade's own.
    static func environment(
        _ summary: RunSummary?, exitCode: Int32, output: PathBytes, statusFile: PathBytes?
    ) -> [String: String] {
        let summary = summary ?? RunSummary()
        let current = try? PathBytes.current()
        let absolute = { (path: PathBytes) in
            path == PathBytes("-")
                ? "-" : (current.map { path.absolute(below: $0) } ?? path).text
        }
        return [
            "WADE_EXIT_CODE": "\(exitCode)", "WADE_OUTPUT": absolute(output),
            "WADE_STATUS_FILE": statusFile.map(absolute) ?? "",
            "WADE_STOPPED_BY": summary.stoppedBy, "WADE_FILES": "\(summary.files)",
            "WADE_FILES_DONE_BEFORE": "\(summary.filesDone)",
            "WADE_DEFERRED": "\(summary.deferred)", "WADE_CLIPS": "\(summary.clips)",
            "WADE_ANSWERS": "\(summary.answers)", "WADE_COPIES": "\(summary.copies)",
            "WADE_DEGRADED": "\(summary.degraded)", "WADE_FAILURES": "\(summary.failures)",
            "WADE_PARKED": "\(summary.parked)",
            "WADE_SECONDS": "\(Int(summary.seconds.rounded()))",
        ]
    }

    /// Runs the command and waits for it; says what went wrong, nil when nothing did. What it prints goes to standard error, since
    /// standard output is for results.
    package func run(
        _ summary: RunSummary?, exitCode: Int32, output: PathBytes, statusFile: PathBytes?
    ) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = ProcessInfo.processInfo.environment.merging(
            Self.environment(
                summary, exitCode: exitCode, output: output, statusFile: statusFile)
        ) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.standardError
        do {
            try process.run()
        } catch {
            return "the command cannot be started: \(error)"
        }
        process.waitUntilExit()
        if process.terminationReason == .uncaughtSignal {
            return "the command was ended by signal \(process.terminationStatus)"
        }
        guard process.terminationStatus != 0 else { return nil }
        return "the command ended with exit code \(process.terminationStatus)"
    }
}
