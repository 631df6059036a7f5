//! Folders for tests, made with the kernel's own names.
import Foundation

@testable import WadePipeline

/// A folder that is deleted with the value.
final class TemporaryFolder {
    /// Where it is.
    let path: PathBytes

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wade-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = PathBytes(url.path)
    }

    deinit {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/rm")
        process.arguments = ["-rf", path.text]
        try? process.run()
        process.waitUntilExit()
    }

    /// The path of `name` in the folder.
    func callAsFunction(_ name: String) -> PathBytes { path.appending(PathBytes(name)) }

    /// Makes the file `name` (bytes) in `folder` with `content`, changed last an hour ago so that it counts as settled.
    @discardableResult
    func write(_ content: String, to name: PathBytes, secondsAgo: Int = 3600) -> PathBytes {
        let full = path.appending(name)
        let terminated = full.bytes.map { CChar(bitPattern: $0) } + [0]
        let descriptor = open(terminated, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        precondition(descriptor >= 0, "cannot make \(full.shown)")
        let bytes = Array(content.utf8)
        precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        var times = [timespec(), timespec()]
        times[0].tv_sec = time(nil) - secondsAgo
        times[1] = times[0]
        futimens(descriptor, times)
        close(descriptor)
        return full
    }

    /// Makes the file `name` with `content`.
    @discardableResult
    func write(_ content: String, to name: String, secondsAgo: Int = 3600) -> PathBytes {
        write(content, to: PathBytes(name), secondsAgo: secondsAgo)
    }

    /// Makes the folder `name`.
    func makeFolder(_ name: String) {
        precondition(mkdir(self(name).text, 0o755) == 0)
    }

    /// The bytes of `name`.
    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: self(name).text)))
    }

    /// Replaces the bytes of `name`.
    func replace(_ name: String, with bytes: some Sequence<UInt8>) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: self(name).text))
    }
}
