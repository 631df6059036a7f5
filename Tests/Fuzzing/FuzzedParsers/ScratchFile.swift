//! Bytes as a file, for readers that want a path.
import Foundation

/// A file that each call writes anew, in a folder of its own below the temporary folder.
enum ScratchFile {
    /// The folder; each process has its own, which is left to whoever clears the temporary folder.
    private static let folder = Result {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-fuzzing-\(getpid())", isDirectory: true)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.path
    }

    /// The path of the file `name` with the content `bytes`. Written without Foundation, which would make a second file and rename it.
    static func holding(_ bytes: [UInt8], as name: String) throws -> String {
        let path = try folder.get() + "/" + name
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try BrokenPromise.unless(descriptor >= 0, "the scratch file \(path) cannot be opened")
        defer { close(descriptor) }
        let written = write(descriptor, bytes, bytes.count)
        try BrokenPromise.unless(
            written == bytes.count, "the scratch file \(path) cannot be written")
        return path
    }
}
