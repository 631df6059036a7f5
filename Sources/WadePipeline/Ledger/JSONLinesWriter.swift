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
    private let path: PathBytes
    private var lastSync = ContinuousClock.now

    /// A writer at the end of the file at `path`, which is made when missing. A last line without its newline gets one, so that
    /// what follows is never glued to it; a run cuts such a line off its output before it makes the writer.
    package init(path: PathBytes) throws(PipelineError) {
        do {
            let file = try OpenFile(path, for: .appending)
            var size = try file.status().size
            var last: [UInt8] = [0x0A]
            if size > 0, try file.read(into: &last, at: size - 1) == 1, last != [0x0A] {
                size += try file.write([0x0A], from: 0)
            }
            OpenFile.synchronize(folder: path.folder)
            self.init(file, path: path, isFile: true, offset: size)
        } catch {
            throw .file(path: path.shown, action: "open for appending", reason: error.reason)
        }
    }

    private init(_ file: consuming OpenFile, path: PathBytes, isFile: Bool, offset: Int) {
        self.file = file
        self.path = path
        name = isFile ? path.shown : "standard output"
        self.isFile = isFile
        self.offset = offset
    }

    /// A writer to standard output.
    package static func standardOutput() throws(PipelineError) -> JSONLinesWriter {
        do {
            return JSONLinesWriter(
                try OpenFile.standardOutput(), path: PathBytes("-"), isFile: false, offset: 0)
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
        if ContinuousClock.now - lastSync >= .seconds(Self.syncInterval) { try synchronize() }
        return start
    }

    /// Brings all lines to the disk. After a failure nothing more may be written: a second try would lie (Rebello et al., ATC 2020).
    /// Throws as well when the output's name has gone or means another file now, because then nobody would find the lines.
    package mutating func synchronize() throws(PipelineError) {
        do {
            try file.synchronize()
        } catch {
            throw .file(path: name, action: "bring to the disk", reason: error.reason)
        }
        lastSync = .now
        guard isFile else { return }
        let own = try? file.status()
        let named = try? FileStatus.of(path, followingLinks: true)
        guard let own, let named, own.device == named.device, own.inode == named.inode else {
            let reason = named == nil ? "its name has gone" : "its name means another file now"
            throw .file(path: name, action: "go on with the output", reason: reason)
        }
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
