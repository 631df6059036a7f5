//! What a second pass needs of a line about a shot, read without decoding it.
internal import WadeVideo

/// The few members of a record that say which shot it is about and what was answered. The scan trusts lines that Wade wrote, as
/// `LedgerLine` does; others are read in full and spelled anew.
struct ShotLine {
    /// The record's `recipe_id`, by its digits.
    private(set) var recipe: UInt64 = 0
    /// Hash of the content; `none` when it could not be read.
    private(set) var content = LedgerKey.none
    /// Position among the file's clips, and their number.
    private(set) var index = 0, count = 1
    /// Number of the line.
    private(set) var sequence = 0
    /// Whether it is about the task that is meant; another one's id is in `otherTask`.
    private(set) var isOfTask = false
    private(set) var otherTask = ""
    /// Hash of the file's path, size and time of last change, as `PathIdentity` computes it; 0 for another task.
    private(set) var place: UInt64 = 0
    /// Whether there is an answer that says something.
    private(set) var isAnswer = false
    /// Whether the line takes a record back.
    private(set) var isRemoved = false
    /// Hash of all that a prompt takes of the record: the span, the question and the answer. 0 for another task: what nobody asks
    /// for is not hashed.
    private(set) var digest: UInt64 = 0

    private static let none = 0..<0

    /// What the line that `scan` stands at the start of says about the task with the id `task`; throws `record` when it is no annotation
    /// record.
    init(_ scan: LineScan, task: String) throws(PipelineError) {
        if let line = ShotLine(spelled: scan, task) {
            self = line
            return
        }
        let record = try AnnotationRecord(line: scan.all)
        let spelled = try record.line().dropLast()
        let line = unsafe spelled.withUnsafeBufferPointer { buffer in
            ShotLine(spelled: unsafe LineScan(buffer), task)
        }
        guard let line else {
            throw .record(
                field: "key", found: "another spelling", expected: "a record as wade writes it")
        }
        self = line
    }

    private init?(spelled line: LineScan, _ wanted: String) {
        var scan = line
        var seen = 0
        var parts: [Range<Int>] = []
        var text = Self.none
        var id = Self.none
        var file = File()
        var isGood = false
        guard scan.accept(0x7B) else { return nil }
        while let name = scan.name() {
            if scan.equals(name, "clip") {
                let start = scan.position
                readClip(&scan)
                parts.append(start..<scan.position)
                seen += 1
            } else if scan.equals(name, "output") {
                scan.members { name, scan in
                    guard scan.equals(name, "text"), let found = scan.string() else {
                        return scan.skipValue()
                    }
                    text = found
                }
                parts.append(text)
                seen += 1
            } else if scan.equals(name, "recipe_id") {
                guard let place = scan.string() else { return nil }
                recipe = scan.hash(place)
                seen += 1
            } else if scan.equals(name, "run") {
                scan.members { name, scan in
                    guard scan.equals(name, "seq"), let number = scan.integer() else {
                        return scan.skipValue()
                    }
                    sequence = number
                }
                seen += 1
            } else if scan.equals(name, "schema") {
                guard let place = scan.string(), scan.equals(place, "wade.annotation/1") else {
                    return nil
                }
                seen += 1
            } else if scan.equals(name, "status") {
                guard let place = scan.string() else { return nil }
                isGood = scan.equals(place, "ok") || scan.equals(place, "degraded")
                isRemoved = scan.equals(place, "removed")
                seen += 1
            } else if scan.equals(name, "task") {
                let start = scan.position
                scan.members { name, scan in
                    guard scan.equals(name, "id"), let found = scan.string() else {
                        return scan.skipValue()
                    }
                    id = found
                }
                parts.append(start..<scan.position)
                seen += 1
            } else if scan.equals(name, "video") {
                readVideo(&scan, &file)
                seen += 1
            } else {
                scan.skipValue()
            }
            guard scan.accept(0x2C) else { break }
        }
        guard seen == 8, scan.accept(0x7D), scan.isAtEnd, (0..<Segmentation.mostSpans) ~= index,
            index < count
        else { return nil }
        isOfTask = scan.spells(wanted, at: id)
        guard isOfTask else {
            otherTask = scan.text(at: id)
            return
        }
        isAnswer = isGood && !text.isEmpty
        place = PathIdentity(scan, path: file.path, escaped: file.escaped)
            .placeHash(bytes: file.bytes) { scan.hash(file.modified, into: &$0) }
        let hash = Hexadecimal.sha256(parts.map { scan.bytes(at: $0) })
        digest = hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func readClip(_ scan: inout LineScan) {
        scan.members { name, scan in
            if scan.equals(name, "index") {
                index = scan.integer() ?? -1
            } else if scan.equals(name, "count") {
                count = scan.integer() ?? 0
            } else {
                scan.skipValue()
            }
        }
    }

    /// Where the line tells of the file.
    private struct File {
        var path = ShotLine.none, escaped = ShotLine.none, modified = ShotLine.none
        var bytes = 0
    }

    private mutating func readVideo(_ scan: inout LineScan, _ file: inout File) {
        scan.members { name, scan in
            if scan.equals(name, "bytes"), let count = scan.integer() {
                file.bytes = count
            } else if scan.equals(name, "content_id"), let text = scan.string() {
                content = text.count == 71 ? scan.key(text.dropFirst(7)) ?? .none : .none
            } else if scan.equals(name, "mtime"), let text = scan.string() {
                file.modified = text
            } else if scan.equals(name, "path"), let text = scan.string() {
                file.path = text
            } else if scan.equals(name, "path_bytes_b64"), let text = scan.string() {
                file.escaped = text
            } else {
                scan.skipValue()
            }
        }
    }
}

extension LineScan {
    /// What the string whose bytes stand at `place` means; empty when it cannot be read.
    fileprivate func text(at place: Range<Int>) -> String {
        let quoted = [0x22] + bytes(at: place) + [0x22]
        return (try? JSONReader.read(quoted))?.text ?? ""
    }

    /// Whether the string whose bytes stand at `place` means `text`; only escapes make that hard to tell.
    fileprivate func spells(_ text: String, at place: Range<Int>) -> Bool {
        let spelled = bytes(at: place)
        guard !spelled.contains(0x5C) else { return self.text(at: place) == text }
        return spelled.elementsEqual(text.utf8)
    }
}
