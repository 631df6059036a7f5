//! Files that can be made anew: kept under keys, checksummed, bounded in size, shared by runs, safe to delete at any time.
import Glibc
internal import Synchronization
import WadeVideo

/// Where a cache is and how large it may grow.
package struct CacheSettings: Sendable, Equatable {
    /// The folder; made when missing.
    package var folder: PathBytes
    /// The most bytes that its files may have together.
    package var limit: Int
    /// Whether the user named the folder. One that nobody named is done without where it cannot be had.
    package var isNamed: Bool

    /// The limit where the user gives none: some ten thousand clips of a model as wide as OpenFlamingo's.
    package static let defaultLimit = 8 << 30

    /// A cache in `folder`.
    package init(folder: PathBytes, limit: Int = CacheSettings.defaultLimit, isNamed: Bool) {
        self.folder = folder
        self.limit = limit
        self.isNamed = isNamed
    }

    /// Where the XDG Base Directory Specification wants a user's caches; nil where it cannot be told, as in a service without HOME.
    package static var defaultFolder: PathBytes? {
        func folder(_ name: String) -> PathBytes? {
            guard let value = unsafe getenv(name) else { return nil }
            let bytes = unsafe Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
            let path = PathBytes(bytes: bytes)
            return path.bytes.first == UInt8(ascii: "/") ? path : nil
        }
        let caches = folder("XDG_CACHE_HOME") ?? folder("HOME")?.appending(PathBytes(".cache"))
        return caches?.appending(PathBytes("wade/clips"))
    }
}

/// The folder of a cache. Every file is named by a key that says all that decides its content, so what is there is never out of date,
/// and two runs that write the same file write the same bytes.
///
/// Note [A cache that cannot hurt]: a file is written under another name and renamed, and ends with a hash of its key and
/// content; whatever a crash, a full disk or a bad one leaves is noticed, counted and made anew. Nothing is brought to the disk by
/// force: what a power cut takes is only work. Files that do not have a key for a name are never touched, whatever folder the user
/// names. A cache that cannot be written is complained of once and then only read.
package final class CacheFolder: Sendable {
    /// What a file holds, said by hashes.
    struct Key: Sendable, Hashable {
        /// 16 hexadecimal digits over what many files have in common; the name of their folder.
        let group: String
        /// 64 hexadecimal digits over everything that decides the content; the file's name.
        let name: String
    }

    private struct State: Sendable {
        /// Bytes of all files by the last look and what this process has written since.
        var size: Int?
        /// Bytes written since the last look.
        var added = 0
        /// Bytes that may be written until the next one.
        var pace: Int
        var damaged = 0
        var firstDamaged = ""
        var failure: String?
    }

    private let settings: CacheSettings
    private let state: Mutex<State>

    /// Bytes of the hash at the end of a file.
    private static let digestSize = 32
    /// More than any file of a cache has.
    private static let mostBytes = 1 << 30
    /// A half-written file this many seconds old was left by a process that has gone; on younger ones others may be at work.
    private static let abandonedAfter = 3600

    /// The cache that `settings` name; nil where nobody named its folder and it cannot be had, else that throws `file`.
    package static func open(_ settings: CacheSettings) throws(PipelineError) -> CacheFolder? {
        do {
            try Folder.make(settings.folder)
            return CacheFolder(settings)
        } catch {
            guard settings.isNamed else { return nil }
            throw .file(
                path: settings.folder.shown, action: "use the folder as a cache",
                reason: error.reason)
        }
    }

    private init(_ settings: CacheSettings) {
        self.settings = settings
        state = Mutex(State(pace: settings.limit / 16))
    }

    /// What is to be said about the cache at the end of a run; empty when all was well.
    package var complaints: [String] {
        state.withLock { state in
            var complaints: [String] = []
            if state.damaged > 0 {
                complaints.append(
                    "\(settings.folder.shown): \(state.damaged) damaged in the cache and made anew, first \(state.firstDamaged)"
                )
            }
            if let failure = state.failure {
                complaints.append(
                    "\(settings.folder.shown): the cache cannot be written: \(failure)")
            }
            return complaints
        }
    }

    /// Whether nothing is kept of `group`.
    func isEmpty(_ group: String) -> Bool {
        guard let folder = try? Folder(path(of: group)), let entries = try? folder.entries()
        else { return true }
        return !entries.contains { Self.isKey($0.name) }
    }

    // MARK: - Reading

    /// What was written under `key`; nil when there is nothing or it is damaged. What is read counts as used.
    func read(_ key: Key) -> [UInt8]? {
        let path = path(of: key)
        guard var bytes = try? contents(of: path) else { return nil }
        let end = bytes.count - Self.digestSize
        guard end >= 0, Self.digest(bytes[..<end], key) == Array(bytes[end...]) else {
            discard(key)
            return nil
        }
        bytes.removeLast(Self.digestSize)
        // The time of change is the time of use; where it cannot be set, the file only goes earlier than it should.
        _ = unsafe path.withBytes { unsafe utimensat(AT_FDCWD, $0, nil, 0) }
        return bytes
    }

    /// Removes what is under `key` because it is not what was written.
    private func discard(_ key: Key) {
        _ = unsafe path(of: key).withBytes { unsafe unlink($0) }
        state.withLock { state in
            if state.damaged == 0 { state.firstDamaged = "\(key.group)/\(key.name)" }
            state.damaged += 1
        }
    }

    private func contents(of path: PathBytes) throws -> [UInt8] {
        let file = try OpenFile(path, for: .reading)
        let status = try file.status()
        guard status.kind == .regular, status.size <= Self.mostBytes else { return [] }
        var bytes = [UInt8](repeating: 0, count: status.size)
        let count = try file.read(into: &bytes, at: 0)
        // Linux reads up to 2 GiB of a regular file at once; less means that the file is shorter now.
        return Array(bytes.prefix(count))
    }

    // MARK: - Writing

    /// Keeps `payload` under `key`, unless the cache is too small for it or cannot be written.
    func write(_ payload: [UInt8], under key: Key) {
        let bytes = payload + Self.digest(payload[...], key)
        guard bytes.count <= min(settings.limit, Self.mostBytes), makeRoom(for: bytes.count)
        else { return }
        do throws(SystemError) {
            do throws(SystemError) {
                try replace(key, with: bytes)
            } catch {
                // Another run may have removed the emptied folder just now.
                guard error.code == ENOENT else { throw error }
                try replace(key, with: bytes)
            }
        } catch {
            state.withLock { $0.failure = error.reason }
        }
    }

    private func replace(_ key: Key, with bytes: [UInt8]) throws(SystemError) {
        try Folder.make(path(of: key.group))
        let name = "\(key.name).\(getpid())-\(UInt64.random(in: 0 ... .max)).part"
        try OpenFile.replace(
            path(of: key), with: bytes,
            by: path(of: key.group).appending(PathBytes(name)), synchronizing: false)
    }

    /// Deletes what has not been used for longest when `count` more bytes would be too many; false when nothing can be written.
    /// Other runs may write at the same time, so the folder is looked at again now and then.
    private func makeRoom(for count: Int) -> Bool {
        state.withLock { state in
            guard state.failure == nil else { return false }
            let knows = state.size.map { $0 + count <= settings.limit } ?? false
            if !knows || state.added > state.pace {
                let expected = state.size
                let found = tidy(room: count)
                // As much as this process has written, others have written so many times over: each looks so much sooner, and
                // together they stay as near to the limit as one would.
                let writers = expected.map { 1 + max(0, found - $0) / max(state.added, 1) } ?? 1
                state.pace = settings.limit / 16 / max(1, min(writers, 4096))
                state.size = found
                state.added = 0
            }
            state.size = (state.size ?? 0) + count
            state.added += count
            return true
        }
    }

    private struct Entry {
        let path: PathBytes
        let status: FileStatus
    }

    /// Looks at all files and deletes abandoned ones, and the least recently used ones where `room` bytes more would be too many; says
    /// how many bytes are left.
    private func tidy(room: Int) -> Int {
        var entries: [Entry] = []
        for group in names(in: settings.folder) where Self.isHexadecimal(group.bytes, digits: 16) {
            for name in names(in: path(of: group.text)) {
                let path = path(of: group.text).appending(name)
                guard Self.isKey(name) || Self.isTemporary(name),
                    let status = try? FileStatus.of(path, followingLinks: false),
                    status.kind == .regular
                else { continue }
                let isAbandoned = time(nil) - status.modifiedSeconds > Self.abandonedAfter
                if Self.isTemporary(name), isAbandoned {
                    _ = unsafe path.withBytes { unsafe unlink($0) }
                } else {
                    entries.append(Entry(path: path, status: status))
                }
            }
        }
        let size = entries.reduce(0) { $0 + $1.status.size }
        guard size + room > settings.limit else { return size }
        return evict(entries, size: size, downTo: settings.limit - room)
    }

    /// Deletes the least recently used files, an eighth more than needed, so that this is not done for every file.
    private func evict(_ entries: [Entry], size: Int, downTo most: Int) -> Int {
        var size = size
        let target = min(most, settings.limit - settings.limit / 8)
        func time(_ entry: Entry) -> (Int, Int) {
            (entry.status.modifiedSeconds, entry.status.modifiedNanoseconds)
        }
        for entry in entries.sorted(by: { time($0) < time($1) }) where size > target {
            guard Self.isKey(entry.path.name),
                unsafe entry.path.withBytes({ unsafe unlink($0) }) == 0 || errno == ENOENT
            else { continue }
            size -= entry.status.size
            // The last file of a model or a pipeline that is no longer used; a folder with files in it stays.
            _ = unsafe entry.path.folder.withBytes { unsafe rmdir($0) }
        }
        return size
    }

    private func names(in folder: PathBytes) -> [PathBytes] {
        guard let folder = try? Folder(folder), let entries = try? folder.entries() else {
            return []
        }
        return entries.map(\.name)
    }

    // MARK: - Names

    private func path(of group: String) -> PathBytes {
        settings.folder.appending(PathBytes(group))
    }

    private func path(of key: Key) -> PathBytes {
        path(of: key.group).appending(PathBytes(key.name))
    }

    private static func digest(_ payload: ArraySlice<UInt8>, _ key: Key) -> [UInt8] {
        Hexadecimal.sha256([Array(key.group.utf8), Array(key.name.utf8), Array(payload)])
    }

    private static func isKey(_ name: PathBytes) -> Bool {
        isHexadecimal(name.bytes, digits: 64)
    }

    private static func isTemporary(_ name: PathBytes) -> Bool {
        isHexadecimal(name.bytes.prefix(64), digits: 64)
            && name.bytes.suffix(5).elementsEqual(".part".utf8)
    }

    private static func isHexadecimal(_ name: some Collection<UInt8>, digits: Int) -> Bool {
        name.count == digits && Hexadecimal.bytes(name) != nil
    }
}
