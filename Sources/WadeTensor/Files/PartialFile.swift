//! A file that appears whole or not at all: written beside its place under another name, then renamed.

#if canImport(Glibc)
    internal import Glibc
#endif

/// A file being written. Let go without `commit()`, it is removed, and whatever stood in its place stays.
struct PartialFile: ~Copyable {
    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var isCommitted = false

    /// Starts a file for `path`, in the same folder so that it can be renamed; throws `TensorError.unwritable`.
    static func create(for path: String) throws -> PartialFile {
        let temporaryPath = "\(path).partial-\(getpid())"
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
        let descriptor = unsafe open(temporaryPath, flags, 0o666)
        guard descriptor >= 0 else {
            throw TensorError.unwritable(file: path, reason: systemError())
        }
        return PartialFile(path: path, temporaryPath: temporaryPath, descriptor: descriptor)
    }

    private init(path: String, temporaryPath: String, descriptor: Int32) {
        self.path = path
        self.temporaryPath = temporaryPath
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        if !isCommitted { unsafe _ = unlink(temporaryPath) }
    }

    /// Appends all of `bytes`.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let written = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                throw TensorError.unwritable(file: path, reason: systemError())
            }
            done += written
        }
    }

    /// Puts the file in its place, on the disk before under its name.
    consuming func commit() throws {
        guard fsync(descriptor) == 0, unsafe rename(temporaryPath, path) == 0 else {
            throw TensorError.unwritable(file: path, reason: systemError())
        }
        isCommitted = true
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "."
        let directory = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        // Some file systems cannot sync a folder; the file itself is safe then too.
        fsync(directory)
        close(directory)
    }
}
