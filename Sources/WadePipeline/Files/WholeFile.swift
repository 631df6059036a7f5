//! A file of ours that appears whole or not at all: written beside its place under another name, then renamed.
import Glibc

/// A file being written. Let go without `commit()`, it is removed, and whatever stood in its place stays.
package struct WholeFile: ~Copyable {
    private let path: PathBytes
    private let temporary: PathBytes
    private let file: OpenFile
    private var isCommitted = false
    private var pending: [UInt8] = []
    /// Bytes written so far.
    private(set) var count = 0

    /// Bytes that are gathered before the system is called.
    private static let blockSize = 1 << 18

    /// Starts a file for `path`, in the same folder so that it can be renamed; only a regular file is ever replaced.
    init(_ path: PathBytes) throws(PipelineError) {
        if let status = try? FileStatus.of(path, followingLinks: true), status.kind != .regular {
            throw .file(
                path: path.shown, action: "write", reason: "it is there and is no regular file")
        }
        let temporary = PathBytes(bytes: path.bytes + Array(".\(getpid()).part".utf8))
        do {
            let file = try OpenFile(temporary, for: .updating)
            try file.truncate(to: 0)
            self.init(path, temporary, file)
        } catch {
            throw .file(path: path.shown, action: "write", reason: error.reason)
        }
    }

    private init(_ path: PathBytes, _ temporary: PathBytes, _ file: consuming OpenFile) {
        self.path = path
        self.temporary = temporary
        self.file = file
    }

    deinit {
        if !isCommitted { _ = unsafe temporary.withBytes { unsafe unlink($0) } }
    }

    /// Appends all of `bytes`.
    mutating func write(_ bytes: [UInt8]) throws(PipelineError) {
        count += bytes.count
        pending += bytes
        if pending.count >= Self.blockSize { try flush() }
    }

    /// Appends `text` in UTF-8.
    mutating func write(_ text: String) throws(PipelineError) { try write(Array(text.utf8)) }

    private mutating func flush() throws(PipelineError) {
        do {
            var written = 0
            while written < pending.count { written += try file.write(pending, from: written) }
            pending.removeAll(keepingCapacity: true)
        } catch {
            throw .file(path: path.shown, action: "write", reason: error.reason)
        }
    }

    /// Puts the file in its place, on the disk before under its name.
    consuming func commit() throws(PipelineError) {
        try flush()
        do throws(SystemError) {
            try file.synchronize()
            let code = unsafe temporary.withBytes { old in
                unsafe path.withBytes { new in unsafe rename(old, new) }
            }
            guard code == 0 else { throw SystemError.last }
        } catch {
            throw .file(path: path.shown, action: "write", reason: error.reason)
        }
        isCommitted = true
        OpenFile.synchronize(folder: path.folder)
    }

    /// Writes `bytes` as the whole file at `path`.
    package static func replace(_ path: PathBytes, with bytes: [UInt8]) throws(PipelineError) {
        var file = try WholeFile(path)
        try file.write(bytes)
        try file.commit()
    }

    /// Makes the folder at `path` and those above it, as far as they are missing; the current one for an empty path.
    static func makeFolder(_ path: PathBytes) throws(PipelineError) {
        guard !path.bytes.isEmpty, FileStatus.isMissing(path) else { return }
        try makeFolder(path.folder)
        let code = unsafe path.withBytes { unsafe mkdir($0, 0o777) }
        guard code == 0 || errno == EEXIST else {
            throw .file(
                path: path.shown, action: "make the folder", reason: SystemError.last.reason)
        }
    }
}
