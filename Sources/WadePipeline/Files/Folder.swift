//! The one owner of a directory stream.
import Glibc

/// The entries of one folder.
@safe struct Folder: ~Copyable {
    /// A name in a folder and what the folder says about it; `unknown` on file systems that do not say.
    struct Entry {
        /// The name's bytes.
        var name: PathBytes
        /// What it stands for.
        var kind: FileStatus.Kind?
    }

    private let stream: OpaquePointer

    /// Opens the folder at `path`.
    init(_ path: PathBytes) throws(SystemError) {
        guard let stream = unsafe path.withBytes({ name in unsafe opendir(name) }) else {
            throw SystemError.last
        }
        unsafe self.stream = unsafe stream
    }

    deinit {
        unsafe closedir(stream)
    }

    /// Makes the folder at `path`, and those above it, where they are missing.
    static func make(_ path: PathBytes) throws(SystemError) {
        if (try? FileStatus.of(path, followingLinks: true))?.kind == .folder { return }
        let above = path.folder
        if !above.bytes.isEmpty, above != path { try make(above) }
        let isMade = unsafe path.withBytes { unsafe mkdir($0, 0o755) } == 0
        guard !isMade else { return }
        // Another process may make it at the same time.
        guard errno == EEXIST else { throw SystemError.last }
        let kind = try FileStatus.of(path, followingLinks: true).kind
        guard kind == .folder else { throw SystemError(code: ENOTDIR) }
    }

    /// The file numbers that tell this folder from every other.
    func status() throws(SystemError) -> FileStatus {
        var raw = stat()
        guard unsafe fstat(dirfd(stream), &raw) == 0 else { throw SystemError.last }
        return FileStatus(raw)
    }

    /// All entries except `.` and `..`, in the order of the file system.
    func entries() throws(SystemError) -> [Entry] {
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let raw = unsafe readdir(stream) else {
                guard errno == 0 else { throw SystemError.last }
                return entries
            }
            let name = unsafe Self.name(of: raw)
            guard name != [0x2E], name != [0x2E, 0x2E] else { continue }
            let kind: FileStatus.Kind?
            switch Int(unsafe raw.pointee.d_type) {
            case Int(DT_REG): kind = .regular
            case Int(DT_DIR): kind = .folder
            case Int(DT_LNK): kind = .link
            case Int(DT_UNKNOWN): kind = nil
            default: kind = .other
            }
            entries.append(Entry(name: PathBytes(bytes: name), kind: kind))
        }
    }

    /// The name stands at the end of a record that may be shorter than the type's size, so the field is never copied whole.
    private static func name(of raw: UnsafeMutablePointer<dirent>) -> [UInt8] {
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return [] }
        let start = unsafe UnsafeRawPointer(raw).advanced(by: offset)
        let length = unsafe strlen(start.assumingMemoryBound(to: CChar.self))
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: length))
    }
}
