//! What the kernel says about a file, and the errors it gives.
import Glibc

/// An error number of the system with the words for it.
struct SystemError: Error, Equatable {
    /// `errno` after the call.
    let code: Int32

    /// The error of the call that has just failed.
    static var last: SystemError { SystemError(code: errno) }

    /// The system's words, such as `No such file or directory`.
    var reason: String { unsafe String(cString: strerror(code)) }

    /// The record's code for this error when a clip's file gives it.
    var failureCode: FailureCode {
        switch code {
        case EACCES, EPERM: return .permissionDenied
        case ELOOP: return .symlinkLoop
        default: return .inputOutput
        }
    }
}

/// Size, times and identity of a file.
package struct FileStatus: Sendable, Equatable {
    /// What kind of thing a name stands for.
    package enum Kind: Sendable, Equatable {
        case regular, folder, link, other
    }

    /// What it is.
    package var kind: Kind
    /// Size in bytes.
    package var size: Int
    /// Seconds of the last change since 1970.
    package var modifiedSeconds: Int
    /// Nanoseconds beyond `modifiedSeconds`.
    package var modifiedNanoseconds: Int
    /// The device that holds it.
    package var device: UInt64
    /// Its number on the device.
    package var inode: UInt64

    init(_ raw: stat) {
        switch raw.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .folder
        case S_IFLNK: kind = .link
        default: kind = .other
        }
        size = Int(raw.st_size)
        modifiedSeconds = raw.st_mtim.tv_sec
        modifiedNanoseconds = raw.st_mtim.tv_nsec
        device = UInt64(raw.st_dev)
        inode = UInt64(raw.st_ino)
    }

    /// The status of `path`, of the link itself when `followingLinks` is false.
    static func of(_ path: PathBytes, followingLinks: Bool) throws(SystemError) -> FileStatus {
        var raw = stat()
        let code = unsafe path.withBytes { name in
            unsafe followingLinks ? stat(name, &raw) : lstat(name, &raw)
        }
        guard code == 0 else { throw SystemError.last }
        return FileStatus(raw)
    }

    /// Whether nothing has the name `path`, as far as can be told.
    static func isMissing(_ path: PathBytes) -> Bool {
        do {
            _ = try of(path, followingLinks: false)
            return false
        } catch {
            return error.code == ENOENT || error.code == ENOTDIR
        }
    }

    /// The time of last change as RFC 3339 in UTC with nanoseconds, which are part of a file's identity.
    package var modified: String {
        Timestamp.text(seconds: modifiedSeconds, nanoseconds: modifiedNanoseconds)
    }
}

extension PathBytes {
    /// Runs `body` with the path as the kernel takes it.
    func withBytes<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
        return unsafe terminated.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return unsafe body("") }
            return unsafe body(base)
        }
    }

    /// The current folder of the process.
    static func current() throws(SystemError) -> PathBytes {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = buffer.count
        guard unsafe getcwd(&buffer, count) != nil else { throw SystemError.last }
        return PathBytes(bytes: buffer.map { UInt8(bitPattern: $0) })
    }
}
