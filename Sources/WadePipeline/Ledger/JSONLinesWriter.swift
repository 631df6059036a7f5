//! The one writer of an output: whole lines, appended.
import Glibc

/// Appends lines to a file or to standard output.
package struct JSONLinesWriter: ~Copyable {
    /// Seconds between two synchronisations with the disk; a record costs seconds to make, so a crash of the machine loses few.
    package static let syncInterval = 5

    private let file: OpenFile
    private let name: String
    private let isFile: Bool
    private var offset: Int
    private var lastSync: Int

    /// A writer at the end of the file at `path`, which is made when missing.
    package init(path: PathBytes) throws(PipelineError) {
        do {
            let file = try OpenFile(path, for: .appending)
            let size = try file.status().size
            OpenFile.synchronize(folder: path.folder)
            self.init(file, name: path.shown, isFile: true, offset: size)
        } catch {
            throw .file(path: path.shown, action: "open for appending", reason: error.reason)
        }
    }

    private init(_ file: consuming OpenFile, name: String, isFile: Bool, offset: Int) {
        self.file = file
        self.name = name
        self.isFile = isFile
        self.offset = offset
        lastSync = time(nil)
    }

    /// A writer to standard output.
    package static func standardOutput() throws(PipelineError) -> JSONLinesWriter {
        do {
            return JSONLinesWriter(
                try OpenFile.standardOutput(), name: "standard output", isFile: false, offset: 0)
        } catch {
            throw .file(path: "standard output", action: "open", reason: error.reason)
        }
    }

    /// Appends `line`, which ends with its newline, with one system call where the system allows, and says where it begins.
    /// When the disk is full the part of the line that was written is cut off again, so that the output stays whole.
    @discardableResult
    package mutating func append(_ line: [UInt8]) throws(PipelineError) -> Int {
        precondition(line.last == 0x0A, "a line ends with a newline")
        var written = 0
        do {
            while written < line.count { written += try file.write(line, from: written) }
        } catch {
            if isFile, written > 0 { try? file.truncate(to: offset) }
            if error.code == EPIPE { throw .readerGone }
            throw .file(path: name, action: "write", reason: error.reason)
        }
        let start = offset
        offset += line.count
        if isFile, time(nil) - lastSync >= Self.syncInterval { try synchronize() }
        return start
    }

    /// Brings all lines to the disk. After a failure nothing more may be written: a second try would lie (Rebello et al., ATC 2020).
    package mutating func synchronize() throws(PipelineError) {
        guard isFile else { return }
        do {
            try file.synchronize()
        } catch {
            throw .file(path: name, action: "bring to the disk", reason: error.reason)
        }
        lastSync = time(nil)
    }

    /// The bytes of a line that was appended before.
    func line(at start: Int, length: Int) throws(PipelineError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(0, length))
        do {
            let count = try file.read(into: &bytes, at: start)
            return Array(bytes.prefix(count))
        } catch {
            throw .file(path: name, action: "read back", reason: error.reason)
        }
    }
}
