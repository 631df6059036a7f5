//! A file that comes in parts, and how much of each part is here already.
internal import Glibc
internal import Synchronization

/// The bytes of a file so far, each at its place, and behind them the record of how far each part has come: so neither can be lost
/// without the other, and a process that was ended at any moment goes on where it was.
///
/// Note [What a record may claim]: a part's count is written after its bytes. After a power failure bytes may be missing that the
/// record counts; the checksum over the whole finds that, and everything is loaded anew.
final class FileInParts: Sendable {
    private static let mark: UInt64 = 0x7472_6170_6564_6177  // "wadepart", least byte first
    private static let headerWords = 3

    let path: String
    let size: Int
    let partSize: Int
    private let descriptor: Int32
    /// Bytes of each part that are here, from its beginning.
    private let done: Mutex<[Int]>

    /// Opens the file at `path`, which is made when missing; what it holds counts if it was begun with the same sizes.
    init(path: String, size: Int, partSize: Int) throws(HubError) {
        self.path = path
        self.size = size
        self.partSize = partSize
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        done = Mutex([])
        guard descriptor >= 0 else { throw Self.failure(path, "open") }
        let count = (size + partSize - 1) / partSize
        if let found = recorded(parts: count) {
            done.withLock { $0 = found }
        } else {
            try reset()
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Bytes that the file at `path` holds of a file of `size` bytes, by its record; it is not changed.
    static func bytesHere(path: String, size: Int, partSize: Int) -> Int {
        guard unsafe access(path, F_OK) == 0,
            let file = try? FileInParts(reading: path, size: size, partSize: partSize)
        else { return 0 }
        return file.recorded(parts: (size + partSize - 1) / partSize)?.reduce(0, +) ?? 0
    }

    private init(reading path: String, size: Int, partSize: Int) throws(HubError) {
        self.path = path
        self.size = size
        self.partSize = partSize
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        done = Mutex([])
        guard descriptor >= 0 else { throw Self.failure(path, "open") }
    }

    /// Parts that are not whole yet.
    var openParts: [Int] {
        done.withLock { done in done.indices.filter { done[$0] < length(of: $0) } }
    }

    /// Bytes that are here.
    var bytesHere: Int { done.withLock { $0.reduce(0, +) } }

    /// What is missing of a part, as a range of the whole file.
    func missing(of part: Int) -> Range<Int> {
        let start = part * partSize + done.withLock { $0[part] }
        return start..<part * partSize + length(of: part)
    }

    private func length(of part: Int) -> Int { min(partSize, size - part * partSize) }

    /// Appends `bytes` to what is here of a part; no more than it lacks.
    func append(_ bytes: some Collection<UInt8>, to part: Int) throws(HubError) {
        let range = missing(of: part)
        precondition(bytes.count <= range.count, "FileInParts: \(bytes.count) bytes")
        try write(Array(bytes), at: range.lowerBound)
        let count = done.withLock { done in
            done[part] += bytes.count
            return done[part]
        }
        try write(Self.words([UInt64(count)]), at: size + 8 * (Self.headerWords + part))
    }

    /// Forgets everything.
    func reset() throws(HubError) {
        let count = (size + partSize - 1) / partSize
        guard ftruncate(descriptor, 0) == 0, ftruncate(descriptor, off_t(size)) == 0 else {
            throw Self.failure(path, "write")
        }
        done.withLock { $0 = Array(repeating: 0, count: count) }
        let header = [Self.mark, UInt64(size), UInt64(partSize)]
        try write(
            Self.words(header + Array(repeating: 0, count: count)), at: size)
    }

    /// Removes the file.
    func remove() { unsafe unlink(path) }

    /// Makes it the whole file at `place`, on the disk before under its name.
    func finish(as place: String) throws(HubError) {
        precondition(openParts.isEmpty, "FileInParts: parts are missing")
        guard ftruncate(descriptor, off_t(size)) == 0, fsync(descriptor) == 0,
            unsafe rename(path, place) == 0
        else { throw Self.failure(place, "write") }
    }

    /// How far each part has come by the record; nil when there is none for these sizes.
    private func recorded(parts count: Int) -> [Int]? {
        let bytes = 8 * (Self.headerWords + count)
        var raw = stat()
        guard unsafe fstat(descriptor, &raw) == 0, raw.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        // A process that ended between the two last steps has cut the record off: everything was here, and is checked once more.
        if Int(raw.st_size) == size, size > 0 { return (0..<count).map(length) }
        guard Int(raw.st_size) == size + bytes, let words = words(count: Self.headerWords + count),
            Array(words.prefix(3)) == [Self.mark, UInt64(size), UInt64(partSize)]
        else { return nil }
        let counts = words.dropFirst(Self.headerWords).map { Int(truncatingIfNeeded: $0) }
        guard counts.indices.allSatisfy({ (0...length(of: $0)).contains(counts[$0]) }) else {
            return nil
        }
        return counts
    }

    private func words(count: Int) -> [UInt64]? {
        var bytes = [UInt8](repeating: 0, count: 8 * count)
        let (file, place) = (descriptor, off_t(size))
        let read = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(file, $0.baseAddress, $0.count, place)
        }
        guard read == bytes.count else { return nil }
        return (0..<count).map { word in
            (0..<8).reduce(0) { $0 | UInt64(bytes[8 * word + $1]) << UInt64(8 * $1) }
        }
    }

    private static func words(_ words: [UInt64]) -> [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }

    private func write(_ bytes: [UInt8], at place: Int) throws(HubError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { all in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: all[written...])
                return unsafe pwrite(
                    descriptor, rest.baseAddress, rest.count, off_t(place + written))
            }
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                throw Self.failure(path, "write")
            }
        }
    }

    private static func failure(_ path: String, _ action: String) -> HubError {
        .disk(path: path, action: action, reason: SystemReason.last)
    }
}

/// The system's words for what has just failed.
enum SystemReason {
    static var last: String { unsafe String(cString: strerror(errno)) }

    /// Whether an error, whoever made it, has the system's words for a disk or a share of one that is full.
    static func isFullDisk(_ error: any Error) -> Bool {
        [ENOSPC, EDQUOT].contains { "\(error)".contains(unsafe String(cString: strerror($0))) }
    }
}
