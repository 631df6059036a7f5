//! What is said while training: lines for people, a JSONL file with every number, and the curves of it as a picture.
package import Logging
internal import Foundation

/// Writes progress.
package struct TrainingLog: Sendable {
    private let logger: Logger
    /// The JSONL file.
    let path: String
    /// Shows how far the work has come; with nil it makes room for a line.
    private let progress: @Sendable (TrainingProgress?) -> Void
    private let start = ContinuousClock().now

    /// `path` is a JSONL file; lines are added at its end, and `curves.png` stands beside it. `progress` shows how far the work has
    /// come, and gets nil before a line is said.
    package init(
        _ logger: Logger, path: String,
        progress: @escaping @Sendable (TrainingProgress?) -> Void = { _ in }
    ) {
        self.logger = logger
        self.path = path
        self.progress = progress
    }

    private var seconds: Double {
        let elapsed = ContinuousClock().now - start
        return Double(elapsed.components.seconds)
            + Double(elapsed.components.attoseconds) * 1e-18
    }

    /// A stage begins, or goes on behind `step`.
    func began(_ stage: String, step: Int, of steps: Int, workers: Int) throws {
        try append(
            stage, "begin", step,
            ["steps": steps, "workers": workers, "machine": Machine.description])
    }

    /// Means over the last steps.
    func trained(
        _ stage: String, step: Int, of steps: Int, _ means: [(name: String, mean: Double)],
        left: Int? = nil
    ) throws {
        let left = left.map { ", \(TrainingProgress.duration($0)) left" } ?? ""
        note("\(stage) \(step)/\(steps)\(left): \(Self.text(means))")
        try append(stage, "train", step, means)
    }

    /// Scores on held-out data.
    func evaluated(_ stage: String, step: Int, _ scores: [(name: String, score: Double)]) throws {
        let scores = scores.map { (name: $0.name, mean: $0.score) }
        note("\(stage) \(step) held out: \(Self.text(scores))")
        try append(stage, "held_out", step, scores)
        try drawCurves()
    }

    /// A stage has come to its end.
    func ended() throws {
        progress(nil)
        try drawCurves()
    }

    private func drawCurves() throws {
        try TrainingCurves(log: path).write(to: curvesPath)
    }

    /// The picture beside the log.
    var curvesPath: String {
        URL(fileURLWithPath: path).deletingLastPathComponent().path + "/curves.png"
    }

    /// What the log says so far.
    var history: TrainingHistory { TrainingHistory(path: path) }

    /// Says something about a stage.
    func note(_ message: String) {
        progress(nil)
        logger.info("\(message)")
    }

    /// Says what was left out and why.
    func warn(_ message: String) {
        progress(nil)
        logger.warning("\(message)")
    }

    /// Shows how far a piece of work has come.
    func show(_ state: TrainingProgress) { progress(state) }

    private static func text(_ values: [(name: String, mean: Double)]) -> String {
        values.map { "\($0.name) \(String(format: "%.4g", $0.mean))" }.joined(separator: ", ")
    }

    private func append(
        _ stage: String, _ kind: String, _ step: Int, _ values: [(name: String, mean: Double)]
    ) throws {
        var members: [String: Any] = [:]
        for value in values where value.mean.isFinite { members[value.name] = value.mean }
        try append(stage, kind, step, members)
    }

    private func append(_ stage: String, _ kind: String, _ step: Int, _ members: [String: Any])
        throws
    {
        var line = members
        line["stage"] = stage
        line["kind"] = kind
        line["step"] = step
        line["seconds"] = (seconds * 10).rounded() / 10
        let data = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        guard let handle = FileHandle(forWritingAtPath: path) else {
            throw TrainingError.file(
                path: path, found: "no writable file", expected: "the log of the training")
        }
        defer { try? handle.close() }
        try handle.seekToEnd()
        try handle.write(contentsOf: data + Data("\n".utf8))
    }
}
