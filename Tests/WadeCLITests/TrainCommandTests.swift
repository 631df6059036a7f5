//! Facts about `wade train` as a user types it.
import Foundation
import Testing

@Suite struct TrainCommandTests {
    /// Runs `wade train` with `arguments`; its exit code and what it said on standard error.
    private func train(_ arguments: [String]) throws -> (code: Int32, errors: String) {
        let process = Process()
        process.executableURL = BuiltProgram.program
        process.arguments = ["train"] + arguments
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    @Test(arguments: [
        (["--output", "o"], "found neither a recipe nor --from"),
        (["r.yaml", "--from", "m", "--data", "d", "--output", "o"], "found a recipe and --from"),
        (["--from", "m", "--output", "o"], "--from needs --data"),
        (["r.yaml", "--steps", "3", "--output", "o"], "--steps belongs to --from"),
        (
            ["--from", "m", "--data", "d", "--until", "vision", "--output", "o"],
            "--until belongs to a recipe"
        ),
        (
            ["--from", "m", "--data", "d", "--learning-rate", "0", "--output", "o"],
            "--learning-rate: found 0.0, expected above 0"
        ),
        (
            ["--from", "m", "--data", "d", "--held-out", "1", "--output", "o"],
            "--held-out: found 1.0, expected at least 0 and below 1"
        ),
    ])
    func `wrong usage ends with 64 and says what was expected`(
        arguments: [String], expected: String
    ) throws {
        let ended = try train(arguments)
        #expect(ended.code == 64)
        #expect(ended.errors.contains(expected), "\(ended.errors)")
        #expect(!FileManager.default.fileExists(atPath: "o"))
    }

    @Test func `data that is not there ends with 1 and its path`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wade-train-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let ended = try train([
            "--from", "flaminglet", "--data", "/nowhere/clips.jsonl", "--output", folder.path,
        ])
        #expect(ended.code == 1)
        #expect(ended.errors.contains("/nowhere/clips.jsonl: cannot read"), "\(ended.errors)")
    }
}
