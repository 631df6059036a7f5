//! What is said while training: lines for people, and a JSONL file with every number for curves.
package import Logging
internal import Foundation

/// Writes progress.
package struct TrainingLog: Sendable {
    private let logger: Logger
    private let path: String
    private let start = ContinuousClock().now

    /// `path` is a JSONL file; lines are added at its end.
    package init(_ logger: Logger, path: String) {
        self.logger = logger
        self.path = path
    }

    private var seconds: Double {
        let elapsed = ContinuousClock().now - start
        return Double(elapsed.components.seconds)
            + Double(elapsed.components.attoseconds) * 1e-18
    }

    /// Means over the last steps.
    func trained(_ stage: String, step: Int, of steps: Int, _ means: [(name: String, mean: Double)])
        throws
    {
        logger.info("\(stage) \(step)/\(steps) \(Self.text(means))")
        try append(stage, "train", step, means)
    }

    /// Scores on held-out data.
    func evaluated(_ stage: String, step: Int, _ scores: [(name: String, score: Double)]) throws {
        let scores = scores.map { (name: $0.name, mean: $0.score) }
        logger.info("\(stage) \(step) held out: \(Self.text(scores))")
        try append(stage, "held_out", step, scores)
    }

    /// Says something about a stage.
    func note(_ message: String) { logger.info("\(message)") }

    private static func text(_ values: [(name: String, mean: Double)]) -> String {
        values.map { "\($0.name) \(String(format: "%.4g", $0.mean))" }.joined(separator: ", ")
    }

    private func append(
        _ stage: String, _ kind: String, _ step: Int, _ values: [(name: String, mean: Double)]
    ) throws {
        var line: [String: Any] = [
            "stage": stage, "kind": kind, "step": step, "seconds": (seconds * 10).rounded() / 10,
        ]
        for value in values where value.mean.isFinite { line[value.name] = value.mean }
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
