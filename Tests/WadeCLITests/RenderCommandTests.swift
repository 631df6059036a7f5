//! Facts about `wade render` as a user runs it.
import Foundation
import Testing

@Suite struct RenderCommandTests {
    /// Runs `wade render` with `arguments`; its exit code and what it said on standard error.
    private func render(_ arguments: [String]) throws -> (code: Int32, errors: String) {
        let process = Process()
        process.executableURL = BuiltProgram.program
        process.arguments = ["render"] + arguments
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    @Test(
        arguments: [
            ["--count", "0"], ["--count", "2", "--size", "31x40"], ["--count", "2", "--fps", "0"],
            ["--count", "2", "--size", "99999x64"], ["--count", "2", "--seconds", "nan"],
            ["--count", "2", "--workers", "0"], ["--seed", "1"],
        ])
    func `wrong usage ends with 64 and names the option`(arguments: [String]) throws {
        let ended = try render(["never-made"] + arguments)
        #expect(ended.code == 64)
        let option = arguments[0] == "--seed" ? "--count" : arguments[arguments.count - 2]
        #expect(ended.errors.contains(option), "\(ended.errors)")
        #expect(!FileManager.default.fileExists(atPath: "never-made"))
    }

    @Test func `a folder that cannot be made ends with 1 and its path`() throws {
        let ended = try render(["/dev/null/clips", "--count", "1"])
        #expect(ended.code == 1)
        #expect(ended.errors.contains("/dev/null/clips: cannot make the folder"))
    }
}
