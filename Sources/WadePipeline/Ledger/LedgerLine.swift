//! What the ledger needs of a line, read without decoding it: a million lines must not take longer than a coffee.

/// The few members of a record that say whether its work is done. The scan trusts lines that Wade wrote (sorted members,
/// no spaces); other spellings, which only other programs write, are read in full and spelled anew.
struct LedgerLine {
    /// The record's key.
    var key = LedgerKey.none
    /// Hash of the content; `none` when it could not be read.
    var content = LedgerKey.none
    /// Hash of the path with what escapes it, as `PathIdentity` computes it.
    var path: UInt64 = 0
    /// Hash of path, size and time of last change.
    var place: UInt64 = 0
    /// Hash of `demos.set_id`, as `PathIdentity.hash` computes it.
    var set: UInt64 = 0
    /// Number of clips that the file was cut into.
    var clipCount = 1
    /// Number of the line.
    var sequence = 0
    /// `run.created_at` as a number that orders times; 0 without one.
    var created = 0
    /// Hash of the version of Wade that wrote the line, as `LineScan` computes it.
    var version: UInt64 = 0
    /// Number of the error's code in the closed list; nil without one.
    var failure: UInt8?
    /// Whether the line says an error.
    var isError = false
    /// Whether that error may go away.
    var isRetryable = false
    /// Whether the line takes a record back.
    var isRemoved = false
    /// Whether the line says that the file's bytes took too long to read.
    var isUnread: Bool { isError && content == .none && failure == Self.timeout }

    /// The line that `line` stands at the start of; nil when it is no annotation record.
    init?(_ line: LineScan) {
        var scan = line
        var seen = 0
        guard scan.accept(0x7B) else { return nil }
        while let name = scan.name() {
            if scan.equals(name, "key") {
                guard let digits = scan.string(), let key = scan.key(digits) else { return nil }
                self.key = key
                seen += 1
            } else if scan.equals(name, "status") {
                guard let status = scan.string() else { return nil }
                isError = scan.equals(status, "error")
                isRemoved = scan.equals(status, "removed")
                seen += 1
            } else if scan.equals(name, "run") {
                seen += readRun(&scan)
            } else if scan.equals(name, "clip") {
                seen += readClip(&scan)
            } else if scan.equals(name, "error") {
                readError(&scan)
            } else if scan.equals(name, "demos") {
                readDemonstrations(&scan)
            } else if scan.equals(name, "video") {
                seen += readVideo(&scan)
            } else {
                scan.skipValue()
            }
            guard scan.accept(0x2C) else { break }
        }
        guard seen == 5, scan.accept(0x7D), scan.isAtEnd else { return nil }
    }

    /// The line that `bytes` spell in any way JSON allows (spaces, `\r` at the end, any order); nil when it is no annotation record.
    init?(respelling bytes: [UInt8]) {
        guard let value = try? JSONReader.read(bytes),
            let spelled = try? JSONWriter.bytes(of: value), spelled != bytes
        else { return nil }
        let line = unsafe spelled.withUnsafeBufferPointer { buffer in
            LedgerLine(unsafe LineScan(buffer))
        }
        guard let line else { return nil }
        self = line
    }

    private mutating func readRun(_ scan: inout LineScan) -> Int {
        var found = 0
        scan.members { name, scan in
            if scan.equals(name, "seq") {
                guard let value = scan.integer() else { return }
                sequence = value
                found = 1
            } else if scan.equals(name, "created_at") {
                guard let text = scan.string() else { return scan.skipValue() }
                created = scan.time(at: text)
            } else if scan.equals(name, "wade_version") {
                if let text = scan.string() {
                    version =
                        scan.equals(text, Self.currentVersionText)
                        ? Self.currentVersion : scan.hash(text)
                }
            } else {
                scan.skipValue()
            }
        }
        return found
    }

    private mutating func readClip(_ scan: inout LineScan) -> Int {
        var found = 0
        scan.members { name, scan in
            guard scan.equals(name, "count") else { return scan.skipValue() }
            guard let value = scan.integer() else { return }
            clipCount = value
            found = 1
        }
        return found
    }

    private mutating func readDemonstrations(_ scan: inout LineScan) {
        scan.members { name, scan in
            guard scan.equals(name, "set_id"), let text = scan.string() else {
                return scan.skipValue()
            }
            set = scan.hash(text)
        }
    }

    private mutating func readError(_ scan: inout LineScan) {
        scan.members { name, scan in
            if scan.equals(name, "retryable") {
                isRetryable = scan.flag()
            } else if scan.equals(name, "code") {
                guard let code = scan.string() else { return }
                failure = Self.number(of: code, scan)
            } else {
                scan.skipValue()
            }
        }
    }

    /// The number of the code that stands at `place`; nil when it is empty or not on the list.
    private static func number(of place: Range<Int>, _ scan: LineScan) -> UInt8? {
        guard !place.isEmpty else { return nil }
        let hash = scan.hash(place)
        return codes.firstIndex(of: hash).map { UInt8(truncatingIfNeeded: $0) }
    }

    private static let timeout = FailureCode.allCases.firstIndex(of: .timeout).map {
        UInt8(truncatingIfNeeded: $0)
    }

    /// Hashes of the error codes, in the order of the list.
    private static let codes = FailureCode.allCases.map { Self.hash(of: $0.rawValue) }

    private static let currentVersionText = Array(Program.version.utf8)
    /// The hash of the version that runs.
    static let currentVersion = hash(of: Program.version)

    private static func hash(of text: String) -> UInt64 {
        PathIdentity.hash(Array(text.utf8))
    }

    private mutating func readVideo(_ scan: inout LineScan) -> Int {
        let nothing = 0..<0
        var (path, escaped, modified) = (nothing, nothing, nothing)
        var bytes = 0
        var found = 0
        scan.members { name, scan in
            if scan.equals(name, "bytes") {
                bytes = scan.integer() ?? 0
            } else if scan.equals(name, "content_id") {
                guard let text = scan.string(), text.count == 71 else { return }
                content = scan.key(text.dropFirst(7)) ?? .none
            } else if scan.equals(name, "mtime") {
                modified = scan.string() ?? nothing
            } else if scan.equals(name, "path") {
                guard let text = scan.string() else { return }
                path = text
                found = 1
            } else if scan.equals(name, "path_bytes_b64") {
                escaped = scan.string() ?? nothing
            } else {
                scan.skipValue()
            }
        }
        let identity = PathIdentity(scan, path: path, escaped: escaped)
        self.path = identity.pathHash
        place = identity.placeHash(bytes: bytes) { scan.hash(modified, into: &$0) }
        return found
    }
}

/// Hashes of where a file is, equal for a record's members and for the file itself; valid in one process only.
struct PathIdentity {
    /// After the record's `path` as it is spelled on the line, and `path_bytes_b64`.
    private var hasher = Hasher()
    private var modified: [UInt8] = []

    /// The identity of the file at `relativePath` that was changed last at `modified`.
    init(_ relativePath: PathBytes, modified: String = "") {
        let spelled = (try? JSONWriter.bytes(of: .string(relativePath.text))) ?? []
        Self.add(Array(spelled.dropFirst().dropLast()), to: &hasher)
        Self.add(Array(relativePath.base64WhenLossy.utf8), to: &hasher)
        self.modified = Array(modified.utf8)
    }

    /// The identity that `line` says with the texts at these places.
    init(_ line: LineScan, path: Range<Int>, escaped: Range<Int>) {
        line.hash(path, into: &hasher)
        line.hash(escaped, into: &hasher)
    }

    private static func add(_ bytes: [UInt8], to hasher: inout Hasher) {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            let scan = unsafe LineScan(buffer)
            scan.hash(0..<scan.count, into: &hasher)
        }
    }

    static func hash(_ bytes: [UInt8]) -> UInt64 {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            let scan = unsafe LineScan(buffer)
            return scan.hash(0..<scan.count)
        }
    }

    /// The hash of the path alone.
    var pathHash: UInt64 {
        let hasher = hasher
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The hash of path, time of last change and size.
    func placeHash(bytes: Int) -> UInt64 {
        placeHash(bytes: bytes) { Self.add(modified, to: &$0) }
    }

    /// The same with the time that `addTime` adds.
    func placeHash(bytes: Int, addTime: (inout Hasher) -> Void) -> UInt64 {
        var hasher = hasher
        addTime(&hasher)
        hasher.combine(bytes)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// A SHA-256, kept in four words because a ledger holds millions.
struct LedgerKey: Hashable, Sendable {
    /// Eight bytes each, most significant first.
    var words: (UInt64, UInt64, UInt64, UInt64)

    /// What stands for a missing hash.
    static let none = LedgerKey(words: (0, 0, 0, 0))

    init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// The key of 32 bytes; `none` for another number.
    init(_ digest: [UInt8]) {
        guard digest.count == 32 else {
            self = .none
            return
        }
        let words = (0..<4).map { word in
            digest[(8 * word)..<(8 * word + 8)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// The 32 bytes.
    var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
    }

    static func == (one: LedgerKey, other: LedgerKey) -> Bool {
        one.words.0 == other.words.0 && one.words.1 == other.words.1
            && one.words.2 == other.words.2 && one.words.3 == other.words.3
    }

    /// One word is enough: a SHA-256 is even already.
    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
    }
}
