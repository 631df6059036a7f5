//! A zip archive around a pickle, so that the fuzzer need not find out how a zip archive looks.

/// A zip archive of stored entries.
struct StoredArchive {
    private var entries: [(name: String, bytes: [UInt8])] = []

    /// An archive as `torch.save` makes it: `pickle`, and two storages of 64 and 400 bytes with the keys 0 and 1.
    static func torch(pickle: [UInt8]) -> StoredArchive {
        StoredArchive(entries: [
            ("archive/data.pkl", pickle),
            ("archive/data/0", [UInt8](repeating: 1, count: 64)),
            ("archive/data/1", [UInt8](repeating: 2, count: 400)),
        ])
    }

    /// The archive's file. Checksums are zero, as nobody reads them.
    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let start = file.count
            let name = Array(entry.name.utf8)
            let sizes = field32(entry.bytes.count) + field32(entry.bytes.count)
            file += field32(0x0403_4B50) + [UInt8](repeating: 0, count: 14) + sizes
            file += field16(name.count) + field16(0) + name + entry.bytes
            directory += field32(0x0201_4B50) + [UInt8](repeating: 0, count: 16) + sizes
            directory += field16(name.count) + [UInt8](repeating: 0, count: 12)
            directory += field32(start) + name
        }
        let end = field32(0x0605_4B50) + field32(0) + field16(entries.count)
        return file + directory + end + field16(entries.count) + field32(directory.count)
            + field32(file.count) + field16(0)
    }

    private func field16(_ value: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
    }

    private func field32(_ value: Int) -> [UInt8] { field16(value) + field16(value >> 16) }
}
