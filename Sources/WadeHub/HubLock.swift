//! One process at a time: the kernel's lock, which no crash can leave behind.
internal import Foundation
internal import Glibc

/// The lock of a file that says who holds it; held as long as the value lives.
struct HubLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock of the file at `path`, which is made when missing; nil when another process has it.
    init?(path: String) throws(HubError) {
        try HubCache.make(folder: (path as NSString).deletingLastPathComponent)
        let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard file >= 0 else {
            throw .disk(path: path, action: "lock", reason: SystemReason.last)
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(file)
            guard code == EWOULDBLOCK else {
                throw .disk(
                    path: path, action: "lock", reason: unsafe String(cString: strerror(code)))
            }
            return nil
        }
        descriptor = file
    }

    deinit { close(descriptor) }

    /// Takes the lock, however long another process holds it; `waiting` is called once if it does.
    static func wait(path: String, waiting: () -> Void) throws(HubError) -> HubLock {
        var isTold = false
        while true {
            if let lock = try HubLock(path: path) { return lock }
            if !isTold { waiting() }
            isTold = true
            Thread.sleep(forTimeInterval: 0.2)
        }
    }

    /// Lets it go before the value does; called at the end of what it protects, it keeps the value alive until then.
    func release() { flock(descriptor, LOCK_UN) }

    /// Writes down who holds it.
    func sign() {
        let text = Array("process \(getpid()) since \(Date().formatted(.iso8601))\n".utf8)
        guard ftruncate(descriptor, 0) == 0 else { return }
        _ = unsafe pwrite(descriptor, text, text.count, 0)
    }

    /// Who holds the lock of the file at `path`, in words.
    static func holder(path: String) -> String {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let line = text.prefix(200).trimmingCharacters(in: .whitespacesAndNewlines)
        return line.isEmpty ? "its process is not known" : line
    }
}

/// Room on a disk.
enum DiskSpace {
    /// The device that holds `path` or the nearest folder above that is there, and the bytes that a user may still write to it.
    static func free(at path: String) throws(HubError) -> (device: UInt64, bytes: Int) {
        var place = path
        while !FileManager.default.fileExists(atPath: place), place.count > 1 {
            place = (place as NSString).deletingLastPathComponent
            if place.isEmpty { place = "." }
        }
        var (space, status) = (statvfs(), stat())
        guard unsafe statvfs(place, &space) == 0, unsafe stat(place, &status) == 0 else {
            throw .disk(path: place, action: "find its free space", reason: SystemReason.last)
        }
        let (bytes, isHuge) = Int(space.f_bavail).multipliedReportingOverflow(
            by: Int(space.f_frsize))
        return (UInt64(status.st_dev), isHuge ? Int.max : bytes)
    }
}
