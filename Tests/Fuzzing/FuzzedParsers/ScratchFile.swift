//! Bytes as a file, for readers that want a path.
import Foundation

/// A file that each call writes anew, in a folder of its own below the temporary folder.
enum ScratchFile {
    /// The path of the file `name` with the content `bytes`; each process has its own.
    static func holding(_ bytes: [UInt8], as name: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-fuzzing-\(getpid())", isDirectory: true)
        if !FileManager.default.fileExists(atPath: folder.path) {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true)
        }
        let file = folder.appendingPathComponent(name).path
        try BrokenPromise.unless(
            FileManager.default.createFile(atPath: file, contents: Data(bytes)),
            "the scratch file \(file) cannot be written")
        return file
    }
}
