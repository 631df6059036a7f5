//! The one file a reader may touch: opened without waiting, checked to be a plain file, read by position.
// timespec comes in through FFmpeg's headers.
internal import CFFmpeg
internal import Glibc

/// Owns a read-only descriptor of a regular, non-empty file.
struct InputFile: ~Copyable {
    let descriptor: Int32
    /// Bytes, when the file was opened.
    let size: Int
    private let modified: timespec

    /// Opens the file at `path` (bytes as the kernel knows them).
    init(path: [UInt8]) throws(VideoError) {
        let name = path.map { CChar(bitPattern: $0) } + [0]
        guard !path.isEmpty, !path.contains(0) else {
            throw VideoError(.inputOutput, "the path is empty or holds a zero byte")
        }
        let opened = unsafe open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard opened >= 0 else { throw InputFile.openFailure(name, errno) }
        try self.init(owning: opened)
    }

    /// Takes over `opened`, a descriptor open for reading.
    init(owning opened: Int32) throws(VideoError) {
        var status = stat()
        let known = unsafe fstat(opened, &status) == 0
        guard known, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            close(opened)
            guard known else { throw VideoError(.inputOutput, "could not read the file's status") }
            throw status.st_mode & S_IFMT == S_IFREG
                ? VideoError(.emptyFile, "the file has 0 bytes")
                : VideoError(.notRegularFile, "neither a plain file nor a link to one")
        }
        descriptor = opened
        size = status.st_size
        modified = status.st_mtim
    }

    deinit { close(descriptor) }

    /// Throws when size or modification time are no longer what they were at the opening.
    func checkUnchanged() throws(VideoError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw VideoError(.inputOutput, "could not read the file's status")
        }
        guard status.st_size == size, status.st_mtim.tv_sec == modified.tv_sec,
            status.st_mtim.tv_nsec == modified.tv_nsec
        else {
            throw VideoError(
                .changedWhileReading, "opened with \(size) bytes, now \(status.st_size) bytes")
        }
    }

    private static func openFailure(_ name: [CChar], _ code: Int32) -> VideoError {
        let reason = unsafe String(cString: strerror(code))
        switch code {
        case EACCES, EPERM: return VideoError(.permissionDenied, reason)
        case ELOOP: return VideoError(.symlinkLoop, reason)
        case ENXIO, ENODEV: return VideoError(.notRegularFile, reason)
        case ENOENT:
            var status = stat()
            if unsafe lstat(name, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
                return VideoError(.brokenSymlink, "the link points to nothing")
            }
            return VideoError(.inputOutput, reason)
        default: return VideoError(.inputOutput, reason)
        }
    }
}
