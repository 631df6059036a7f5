//! What joining parts needs of a line.
import Foundation

/// The members of a record by which lines of several files are ordered and compared.
struct MergeLine {
    var key = LedgerKey.none
    /// The key of the record that the answer was taken from; `none` for an original.
    var sameAs = LedgerKey.none
    /// The path's bytes, below the root.
    var path: [UInt8] = []
    var clipIndex = 0
    var clipCount = 1
    var task: [UInt8] = []
    var recipe: [UInt8] = []
    /// `run.seq`.
    var sequence = 0
    /// `run.created_at` as a number that orders times.
    var created = 0
    /// Hash of `demos.set_id`: what stood before the question.
    var set: UInt64 = 0
    var isError = false
    var isRemoved = false
    /// Whether the content could be read.
    var hasContent = false
    /// Where the value of `output` stands.
    var output = 0..<0

    /// The key under which the first file with the content has its answer.
    var original: LedgerKey { sameAs == .none ? key : sameAs }

    /// What the record on `line` says, in the one spelling that `JSONWriter` gives; nil for another spelling or no record.
    init?(_ line: LineScan) {
        var scan = line
        var seen = 0
        guard scan.accept(0x7B) else { return nil }
        while let name = scan.name() {
            switch true {
            case scan.equals(name, "clip"):
                scan.members { name, scan in
                    if scan.equals(name, "count") {
                        clipCount = scan.integer() ?? 1
                    } else if scan.equals(name, "index") {
                        clipIndex = scan.integer() ?? 0
                    } else {
                        scan.skipValue()
                    }
                }
            case scan.equals(name, "demos"):
                scan.members { name, scan in
                    guard scan.equals(name, "set_id"), let text = scan.string() else {
                        return scan.skipValue()
                    }
                    set = scan.hash(text)
                }
            case scan.equals(name, "key"):
                guard let text = scan.string(), let key = scan.key(text) else { return nil }
                self.key = key
                seen += 1
            case scan.equals(name, "same_as"):
                guard let text = scan.string() else { return nil }
                if let key = scan.key(text) { sameAs = key }
            case scan.equals(name, "recipe_id"):
                guard let text = scan.text() else { return nil }
                recipe = text
                seen += 1
            case scan.equals(name, "status"):
                guard let text = scan.string() else { return nil }
                isError = scan.equals(text, "error")
                isRemoved = scan.equals(text, "removed")
                seen += 1
            case scan.equals(name, "output"):
                let start = scan.position
                scan.skipValue()
                output = start..<scan.position
            case scan.equals(name, "task"):
                scan.members { name, scan in
                    if scan.equals(name, "id"), let text = scan.text() {
                        task = text
                        seen += 1
                    } else {
                        scan.skipValue()
                    }
                }
            case scan.equals(name, "run"): seen += readRun(&scan)
            case scan.equals(name, "video"): seen += readVideo(&scan)
            default: scan.skipValue()
            }
            guard scan.accept(0x2C) else { break }
        }
        guard seen == 6, scan.accept(0x7D), scan.isAtEnd else { return nil }
    }

    private mutating func readRun(_ scan: inout LineScan) -> Int {
        var found = 0
        scan.members { name, scan in
            if scan.equals(name, "seq"), let number = scan.integer() {
                sequence = number
                found = 1
            } else if scan.equals(name, "created_at"), let text = scan.string() {
                created = scan.time(at: text)
            } else {
                scan.skipValue()
            }
        }
        return found
    }

    private mutating func readVideo(_ scan: inout LineScan) -> Int {
        var found = 0
        var escaped: [UInt8] = []
        scan.members { name, scan in
            if scan.equals(name, "content_id") {
                guard let text = scan.string() else { return }
                hasContent = !text.isEmpty
            } else if scan.equals(name, "path"), let text = scan.text() {
                path = text
                found = 1
            } else if scan.equals(name, "path_bytes_b64"), let text = scan.text() {
                escaped = text
            } else {
                scan.skipValue()
            }
        }
        if !escaped.isEmpty, let bytes = Data(base64Encoded: Data(escaped)) { path = Array(bytes) }
        return found
    }

    /// Where the number of `run.seq` stands in `line`; nil when it is nowhere.
    static func sequencePlace(in line: LineScan) -> Range<Int>? {
        var scan = line
        var place: Range<Int>?
        scan.members { name, scan in
            guard scan.equals(name, "run") else { return scan.skipValue() }
            scan.members { name, scan in
                let start = scan.position
                guard scan.equals(name, "seq"), scan.integer() != nil else {
                    scan.position = start
                    return scan.skipValue()
                }
                place = start..<scan.position
            }
        }
        return place
    }
}

extension LineScan {
    /// The bytes that the string here means; nil when no string stands here or it cannot be read, and nothing is passed over then.
    fileprivate mutating func text() -> [UInt8]? {
        let start = position
        guard let place = string() else {
            position = start
            return nil
        }
        let spelled = unsafe Array(bytes[place])
        guard spelled.contains(0x5C) else { return spelled }
        guard let value = try? JSONReader.read([0x22] + spelled + [0x22]), let text = value.text
        else {
            position = start
            return nil
        }
        return Array(text.utf8)
    }
}
