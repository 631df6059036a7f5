//! The one owner of a file descriptor.
import Glibc

/// An open file; closed when the value goes.
package struct OpenFile: ~Copyable, Sendable {
    private let descriptor: Int32

    /// What a file is opened for.
    enum Purpose {
        /// Reading a foreign file: never waits for a pipe's other end, never becomes a controlling terminal.
        case reading
        /// Appending whole lines; made when missing.
        case appending
        /// Reading and writing in place; made when missing.
        case updating
    }

    /// Opens `path`; child processes do not inherit the descriptor.
    init(_ path: PathBytes, for purpose: Purpose) throws(SystemError) {
        let flags: Int32
        switch purpose {
        case .reading: flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        case .appending: flags = O_RDWR | O_CREAT | O_APPEND
        case .updating: flags = O_RDWR | O_CREAT
        }
        descriptor = unsafe path.withBytes { name in
            unsafe open(name, flags | O_CLOEXEC, 0o644)
        }
        guard descriptor >= 0 else { throw SystemError.last }
    }

    /// A descriptor of its own for standard output.
    static func standardOutput() throws(SystemError) -> OpenFile {
        let copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw SystemError.last }
        return OpenFile(descriptor: copy)
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// What the kernel says about the open file.
    func status() throws(SystemError) -> FileStatus {
        var raw = stat()
        guard unsafe fstat(descriptor, &raw) == 0 else { throw SystemError.last }
        return FileStatus(raw)
    }

    /// Reads at most `buffer.count` bytes at `offset`, or at the file's position when nil; 0 at the end.
    func read(into buffer: inout [UInt8], at offset: Int? = nil) throws(SystemError) -> Int {
        while true {
            let file = descriptor
            let count = unsafe buffer.withUnsafeMutableBytes { space in
                if let offset {
                    return unsafe pread(file, space.baseAddress, space.count, offset)
                }
                return unsafe Glibc.read(file, space.baseAddress, space.count)
            }
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError.last }
        }
    }

    /// Writes a part of `bytes` from `start` on, with one system call; says how much.
    func write(_ bytes: [UInt8], from start: Int) throws(SystemError) -> Int {
        precondition(start >= 0 && start <= bytes.count)
        while true {
            let count = unsafe bytes.withUnsafeBytes { all in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: all[start...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError.last }
        }
    }

    /// Cuts the file after `size` bytes.
    func truncate(to size: Int) throws(SystemError) {
        guard ftruncate(descriptor, size) == 0 else { throw SystemError.last }
    }

    /// Brings what was written to the disk; pipes and terminals have none and succeed.
    func synchronize() throws(SystemError) {
        guard fdatasync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw SystemError.last
        }
    }

    /// Takes the kernel's lock, exclusive or shared, which ends with the process; false when another holds one that excludes it.
    func lock(shared: Bool = false) throws(SystemError) -> Bool {
        if flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw SystemError.last }
        return false
    }

    /// Puts a file of `bytes` in the place of `path`, whole or not at all: written under the name `temporary` in the same folder, then
    /// renamed; brought to the disk in between and after, when `synchronizing`.
    static func replace(
        _ path: PathBytes, with bytes: [UInt8], by temporary: PathBytes, synchronizing: Bool
    ) throws(SystemError) {
        do throws(SystemError) {
            let file = try OpenFile(temporary, for: .updating)
            try file.truncate(to: 0)
            var written = 0
            while written < bytes.count { written += try file.write(bytes, from: written) }
            if synchronizing { try file.synchronize() }
            let code = unsafe temporary.withBytes { old in
                unsafe path.withBytes { new in unsafe rename(old, new) }
            }
            guard code == 0 else { throw SystemError.last }
            if synchronizing { synchronize(folder: path.folder) }
        } catch {
            _ = unsafe temporary.withBytes { unsafe unlink($0) }
            throw error
        }
    }

    /// Brings the entry of a new file in `folder` to the disk.
    static func synchronize(folder: PathBytes) {
        let path = folder.bytes.isEmpty ? PathBytes(".") : folder
        let descriptor = unsafe path.withBytes { name in
            unsafe open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
