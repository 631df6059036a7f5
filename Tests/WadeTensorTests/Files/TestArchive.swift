//! Writers of small zip archives and pickles, right and wrong ones, for tests of the PyTorch reader.

/// A zip archive of stored entries, with the fields that a test wants wrong.
struct TestArchive {
    var entries: [(name: String, bytes: [UInt8])] = []
    /// Bytes of padding in the local headers' extra field, as PyTorch aligns its tensors.
    var padding = 0
    /// Whether sizes and positions stand in zip64 records only.
    var usesZip64 = false
    var method: UInt16 = 0
    var flags: UInt16 = 0
    /// Makes every entry but the first point to the first one's local header.
    var pointsToFirst = false
    var comment: [UInt8] = []

    /// An archive as `torch.save` makes it.
    static func torch(_ pickle: [UInt8], data: [String: [UInt8]] = [:]) -> TestArchive {
        var archive = TestArchive()
        archive.entries = [
            ("archive/data.pkl", pickle), ("archive/byteorder", Array("little".utf8)),
        ]
        for key in data.keys.sorted() {
            archive.entries.append(("archive/data/\(key)", data[key] ?? []))
        }
        return archive
    }

    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let start = pointsToFirst ? 0 : file.count
            file += field32(0x0403_4B50) + field16(45) + field16(flags) + field16(method)
            // Time, date, checksum and sizes: zero, as with bit 3 of the flags.
            file += [UInt8](repeating: 0, count: 16) + field16(entry.name.utf8.count)
            file += field16(padding) + Array(entry.name.utf8)
            file += [UInt8](repeating: 0x5A, count: padding) + entry.bytes
            directory += listing(entry, start: start)
        }
        let begin = file.count
        file += directory
        if usesZip64 {
            let record = file.count
            file += field32(0x0606_4B50) + field64(44) + field16(45) + field16(45)
            file += field32(0) + field32(0) + field64(entries.count) + field64(entries.count)
            file += field64(directory.count) + field64(begin)
            file += field32(0x0706_4B50) + field32(0) + field64(record) + field32(1)
        }
        let count = usesZip64 ? 0xFFFF : entries.count
        file += field32(0x0605_4B50) + field32(0) + field16(count) + field16(count)
        file += field32(usesZip64 ? 0xFFFF_FFFF : directory.count)
        file += field32(usesZip64 ? 0xFFFF_FFFF : begin)
        return file + field16(comment.count) + comment
    }

    private func listing(_ entry: (name: String, bytes: [UInt8]), start: Int) -> [UInt8] {
        let size = usesZip64 ? 0xFFFF_FFFF : entry.bytes.count
        var extra: [UInt8] = []
        if usesZip64 {
            extra = field16(0x9999) + field16(2) + field16(0) + field16(1) + field16(24)
            extra += field64(entry.bytes.count) + field64(entry.bytes.count) + field64(start)
        }
        var record = field32(0x0201_4B50) + field16(45) + field16(45) + field16(flags)
        record += field16(method) + field32(0) + field32(0) + field32(size) + field32(size)
        record += field16(entry.name.utf8.count) + field16(extra.count) + field16(0)
        record += field16(0) + field16(0) + field32(0)
        record += field32(usesZip64 ? 0xFFFF_FFFF : start)
        return record + Array(entry.name.utf8) + extra
    }

    private func field16(_ value: some BinaryInteger) -> [UInt8] {
        littleEndianBytes(UInt16(truncatingIfNeeded: value))
    }

    private func field32(_ value: some BinaryInteger) -> [UInt8] {
        littleEndianBytes(UInt32(truncatingIfNeeded: value))
    }

    private func field64(_ value: Int) -> [UInt8] { littleEndianBytes(UInt64(value)) }
}

/// Opcodes of Python pickles, named as `pickletools` names them.
enum Pickle {
    /// A whole pickle of protocol 2.
    static func whole(_ body: [UInt8]) -> [UInt8] { [0x80, 2] + body + [UInt8(ascii: ".")] }

    static let mark: [UInt8] = [UInt8(ascii: "(")]
    static let emptyDictionary: [UInt8] = [UInt8(ascii: "}")]
    static let emptyTuple: [UInt8] = [UInt8(ascii: ")")]
    static let reduce: [UInt8] = [UInt8(ascii: "R")]
    static let build: [UInt8] = [UInt8(ascii: "b")]
    static let newObject: [UInt8] = [0x81]

    static func global(_ module: String, _ name: String) -> [UInt8] {
        [UInt8(ascii: "c")] + Array("\(module)\n\(name)\n".utf8)
    }

    static func text(_ text: String) -> [UInt8] {
        [UInt8(ascii: "X")] + littleEndianBytes(UInt32(text.utf8.count)) + Array(text.utf8)
    }

    static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + littleEndianBytes(Int64(value)) }

    static func put(_ key: UInt8) -> [UInt8] { [UInt8(ascii: "q"), key] }

    static func get(_ key: UInt8) -> [UInt8] { [UInt8(ascii: "h"), key] }

    static func tuple(_ items: [[UInt8]]) -> [UInt8] {
        mark + items.flatMap { $0 } + [UInt8(ascii: "t")]
    }

    static func list(_ items: [[UInt8]]) -> [UInt8] {
        [UInt8(ascii: "]")] + mark + items.flatMap { $0 } + [UInt8(ascii: "e")]
    }

    static func dictionary(_ items: [(String, [UInt8])]) -> [UInt8] {
        emptyDictionary + mark + items.flatMap { text($0.0) + $0.1 } + [UInt8(ascii: "u")]
    }

    static func storage(_ type: String, key: String, count: Int) -> [UInt8] {
        tuple([
            text("storage"), global("torch", type), text(key), text("cpu"), integer(count),
        ]) + [UInt8(ascii: "Q")]
    }

    /// `torch._utils._rebuild_tensor_v2` of a storage.
    static func tensor(
        _ storage: [UInt8], first: Int = 0, sizes: [Int], strides: [Int]
    ) -> [UInt8] {
        global("torch._utils", "_rebuild_tensor_v2")
            + tuple([
                storage, integer(first), tuple(sizes.map(integer)), tuple(strides.map(integer)),
                [0x89], global("collections", "OrderedDict") + emptyTuple + reduce,
            ]) + reduce
    }
}
