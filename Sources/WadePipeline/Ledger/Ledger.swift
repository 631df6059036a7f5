//! What the output already holds; the output itself is the ledger, so no second file can disagree with it.

import Glibc

/// The state of every key in an output, read once at the start of a run.
package struct Ledger: Sendable {
    /// The state of one key.
    struct Entry: Sendable {
        /// Where its latest line begins in the file.
        var offset: Int
        /// Bytes of that line without the newline.
        var length: Int
        /// `run.seq` of that line.
        var sequence: Int
        /// Clips that the file was cut into.
        var clipCount: Int
        /// Latest lines in a row that say the same error and were written by the same version of Wade.
        var failures: Int
        /// The error's number in `FailureCode.allCases`; nil without one.
        var failure: UInt8?
        /// Hash of the version that wrote the latest line.
        var version: UInt64
        /// Whether the latest line says an error.
        var isError: Bool
        /// Whether that error may go away.
        var isRetryable: Bool
        /// Whether the latest line takes the record back.
        var isRemoved: Bool
        /// Where the file was.
        var path: UInt64
        /// Hash of `demos.set_id`: what stood before the question.
        var set: UInt64
        /// When that line was written, as a number that orders times.
        var created: Int
        /// Which of two files' lines about one key counts: an answer more than that a record was taken back, and that more than an
        /// error; of errors the one that was met more often.
        var weight: Int { isRemoved ? .max - 1 : isError ? failures : .max }
        /// The file that holds the line: 0 for the output, else the place in `others`, from 1.
        var source: Int32 = 0

        /// Whether this line of another file counts more than `own`. Of two answers behind different shots of a video the later one does:
        /// the shots have changed meanwhile.
        func counts(moreThan own: Entry) -> Bool {
            let areAnswers = weight == .max && own.weight == .max
            return areAnswers && set != own.set ? created > own.created : weight > own.weight
        }
    }

    private(set) var entries: [LedgerKey: Entry] = [:]
    /// The other files whose lines count as done: parts that a folder was done in before, and what they were merged into.
    private(set) var others: [PathBytes] = []
    /// What the others hold about which file: an answer's key mixed with the file's path, since files of one content may all have
    /// been the first of it in their parts.
    private var answeredElsewhere: Set<UInt64> = []
    private var contents: [UInt64: LedgerKey] = [:]
    /// Where files were, with size and time, that took too long to read, by the keys of their latest records.
    private var unread: [LedgerKey: UInt64] = [:]
    /// Whether any record is about a file whose content could not be read.
    private(set) var holdsUnreadable = false
    /// The greatest `run.seq`; -1 in an empty output.
    package private(set) var lastSequence = -1
    /// Whole lines that are no annotation records.
    package private(set) var badLines = 0
    /// Whole lines.
    package private(set) var lines = 0
    /// Bytes of the whole lines; what follows is torn.
    package private(set) var wholeBytes = 0
    /// The bytes after the last newline.
    package private(set) var torn: [UInt8] = []

    /// The ledger of no output.
    package init() {}

    /// Reads the output at `path`; an output that is not there yet is empty. Throws `file` when it cannot be read, or when it
    /// holds lines and none is an annotation record: a run must never append to, or cut, somebody's other file.
    package init(readingFrom path: PathBytes) throws(PipelineError) {
        do {
            let file = try OpenFile(path, for: .reading)
            let size = try file.status().size
            var reader = LineReader(file)
            let rest = try reader.forEachLine { offset, scan in
                add(scan, at: offset)
                if lines == 1000 { reserve(offset > 0 ? 1000 * (size / offset) : 0) }
            }
            wholeBytes = rest.offset
            torn = rest.bytes
        } catch {
            guard error.code != ENOENT else { return }
            throw .file(path: path.shown, action: "read the output", reason: error.reason)
        }
        let opening = Array("{\"clip\":{".utf8)
        let tornIsOurs = zip(torn, opening).allSatisfy(==)
        guard badLines < lines || lines == 0, lines > 0 || tornIsOurs else {
            throw .file(
                path: path.shown, action: "use as output",
                reason: "found a file that holds no annotation records, expected none or ours")
        }
    }

    /// Makes room for so many lines, within reason: growing step by step copies everything each time.
    private mutating func reserve(_ count: Int) {
        let count = min(count + count / 8, 1 << 22)
        entries.reserveCapacity(count)
        contents.reserveCapacity(count)
    }

    private mutating func add(_ scan: LineScan, at offset: Int) {
        lines += 1
        guard let line = LedgerLine(scan) ?? LedgerLine(respelling: scan.all) else {
            badLines += 1
            return
        }
        add(line, offset: offset, length: scan.count)
    }

    /// Notes a line; of two lines with one key the later `run.seq` wins.
    mutating func add(_ line: LedgerLine, offset: Int, length: Int) {
        lastSequence = max(lastSequence, line.sequence)
        if line.content != .none { contents[line.place] = line.content }
        if line.content == .none { holdsUnreadable = true }
        let old = entries[line.key]
        if let old, old.sequence > line.sequence { return }
        if line.content == .none { unread[line.key] = line.isUnread ? line.place : nil }
        let isSame = old?.version == line.version && old?.failure == line.failure
        let earlier = isSame ? old?.failures ?? 0 : 0
        entries[line.key] = Entry(
            offset: offset, length: length, sequence: line.sequence, clipCount: line.clipCount,
            failures: line.isError ? earlier + 1 : 0, failure: line.failure, version: line.version,
            isError: line.isError, isRetryable: line.isRetryable,
            isRemoved: line.isRemoved, path: line.path, set: line.set, created: line.created)
    }

    /// Adds what the output at `path`, which is another part or what parts were merged into, holds about files at `paths`. Nothing is
    /// ever written to it; its torn end, if it has one, is its own run's matter. Throws `file` when it cannot be read.
    mutating func add(other path: PathBytes, about paths: Set<UInt64>) throws(PipelineError) {
        var other = Ledger()
        do {
            var reader = LineReader(try OpenFile(path, for: .reading))
            _ = try reader.forEachLine { offset, scan in
                guard let line = LedgerLine(scan) ?? LedgerLine(respelling: scan.all),
                    paths.contains(line.path)
                else { return }
                other.add(line, offset: offset, length: scan.count)
            }
        } catch {
            guard error.code != ENOENT else { return }
            throw .file(path: path.shown, action: "read the part", reason: error.reason)
        }
        guard !other.entries.isEmpty else { return }
        others.append(path)
        contents.merge(other.contents) { own, _ in own }
        unread.merge(other.unread) { own, _ in own }
        if other.holdsUnreadable { holdsUnreadable = true }
        for (key, var entry) in other.entries {
            if !entry.isRemoved, !(entry.isError && entry.isRetryable) {
                answeredElsewhere.insert(key.words.0 ^ entry.path)
            }
            if let own = entries[key], !entry.counts(moreThan: own) { continue }
            entry.source = Int32(truncatingIfNeeded: others.count)
            entries[key] = entry
        }
    }

    /// Whether another part, or what parts were merged into, holds the record under `key` as that of the file at `path`.
    func isAnsweredElsewhere(_ key: LedgerKey, _ path: PathBytes) -> Bool {
        guard !answeredElsewhere.isEmpty else { return false }
        return answeredElsewhere.contains(key.words.0 ^ PathIdentity(path).pathHash)
    }

    /// The hash of the content that the file at `path` had when it had this size and time; nil when no record says.
    func content(of path: PathBytes, status: FileStatus) -> [UInt8]? {
        let identity = PathIdentity(path, modified: status.modified)
        return contents[identity.placeHash(bytes: status.size)]?.bytes
    }

    /// Whether any file's bytes took too long to read.
    var holdsUnread: Bool { !unread.isEmpty }

    /// Whether the record under `key` says that the bytes of the file at `path` took too long to read when it had this size and time.
    func isUnread(_ key: LedgerKey, path: PathBytes, status: FileStatus) -> Bool {
        guard let place = unread[key] else { return false }
        return place
            == PathIdentity(path, modified: status.modified).placeHash(bytes: status.size)
    }

    /// Whether there is a current record under `key`.
    func holds(_ key: LedgerKey) -> Bool {
        entries[key].map { !$0.isRemoved } ?? false
    }

    /// What is to be done about `key`.
    func verdict(on key: LedgerKey, retries: Int) -> Verdict {
        guard let entry = entries[key], !entry.isRemoved else { return .missing }
        guard entry.isError, entry.isRetryable else { return .done }
        // Another version may have learned to do it.
        guard entry.version == LedgerLine.currentVersion else { return .failed }
        return entry.failures <= retries ? .failed : .parked
    }

    /// Why `key` is parked: how often it failed and how; nil without a record.
    func reasonForParking(_ key: LedgerKey) -> String? {
        guard let entry = entries[key] else { return nil }
        let codes = FailureCode.allCases
        let code = entry.failure.flatMap { codes.indices.contains(Int($0)) ? codes[Int($0)] : nil }
        return "parked: failed \(entry.failures) times with this version of wade"
            + (code.map { " (\($0.rawValue))" } ?? "")
    }

    /// What the ledger says about a key.
    enum Verdict: Sendable, Equatable {
        /// Nothing is known: to be done.
        case missing
        /// An answer, or an error that the same bytes would give again.
        case done
        /// An error that may go away.
        case failed
        /// Failed the same way more often than the run retries, with this version; stays so until the file or the version changes.
        case parked
    }

    /// Puts the torn rest of the output at `path` into `path.torn` and cuts it off. The lock must be held.
    package mutating func cutTornLine(of path: PathBytes) throws(PipelineError) {
        guard !torn.isEmpty else { return }
        do {
            let kept = try OpenFile(
                PathBytes(bytes: path.bytes + Array(".torn".utf8)), for: .appending)
            var written = 0
            let bytes = torn + [0x0A]
            while written < bytes.count { written += try kept.write(bytes, from: written) }
            try kept.synchronize()
            let output = try OpenFile(path, for: .updating)
            try output.truncate(to: wholeBytes)
            try output.synchronize()
        } catch {
            throw .file(path: path.shown, action: "cut the torn last line", reason: error.reason)
        }
        torn = []
    }
}
