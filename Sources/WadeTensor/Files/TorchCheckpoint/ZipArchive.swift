//! The table of contents of a zip archive (APPNOTE 6.3: zip and zip64), as `torch.save` writes it.

/// Where the entries of a mapped archive lie. Nothing is decompressed: compressed entries can be listed, not read.
struct ZipArchive {
    /// One file in the archive.
    struct Entry {
        /// The bytes of the contents, as stored in the archive's file.
        let range: Range<Int>
        /// Whether those bytes are the contents themselves: neither compressed nor encrypted.
        let isStored: Bool
    }

    /// The archive's file.
    let mapping: MappedFile
    /// The entries by their names in the archive.
    let entries: [String: Entry]

    /// What the central directory says of one entry.
    private struct Listing {
        let name: String
        let header: Int
        let data: Range<Int>
        let isStored: Bool
    }

    private static let endSignature: UInt32 = 0x0605_4B50
    private static let zip64LocatorSignature: UInt32 = 0x0706_4B50
    private static let zip64EndSignature: UInt32 = 0x0606_4B50
    private static let listingSignature: UInt32 = 0x0201_4B50
    private static let headerSignature: UInt32 = 0x0403_4B50

    /// Reads the central directory; throws when it contradicts the file, names an entry twice or has entries overlap.
    init(_ mapping: MappedFile) throws {
        self.mapping = mapping
        let reader = ZipReader(mapping: mapping)
        let directory = try ZipArchive.directory(reader)
        var position = directory.range.lowerBound
        var listings: [Listing] = []
        var entries: [String: Entry] = [:]
        for _ in 0..<directory.count {
            let listing = try ZipArchive.listing(reader, &position, end: directory.range.upperBound)
            let entry = Entry(range: listing.data, isStored: listing.isStored)
            guard entries.updateValue(entry, forKey: listing.name) == nil else {
                throw reader.fault("the entry \(printable(listing.name)) twice", "it once")
            }
            listings.append(listing)
        }
        guard position == directory.range.upperBound else {
            throw reader.fault(
                "\(directory.range.upperBound - position) bytes more in the zip directory",
                "\(directory.count) entries")
        }
        var end = 0
        for listing in listings.sorted(by: { $0.header < $1.header }) {
            guard listing.header >= end, listing.data.upperBound <= directory.range.lowerBound
            else {
                throw reader.fault(
                    "the entry \(printable(listing.name)) over another", "entries side by side")
            }
            end = listing.data.upperBound
        }
        self.entries = entries
    }

    /// Finds the central directory and the number of its entries from the record at the end of the file.
    private static func directory(_ reader: ZipReader) throws -> (range: Range<Int>, count: Int) {
        let end = try endRecord(reader)
        var count = Int(try reader.integer(at: end + 10, as: UInt16.self))
        var size = Int(try reader.integer(at: end + 12, as: UInt32.self))
        var begin = Int(try reader.integer(at: end + 16, as: UInt32.self))
        var limit = end
        let locator = end - 20
        let signature = reader.mapping.integer(at: locator, as: UInt32.self)
        if signature == zip64LocatorSignature {
            let record = try reader.offset(at: locator + 8)
            guard try reader.integer(at: record, as: UInt32.self) == zip64EndSignature else {
                throw reader.fault("no zip64 record where its locator points", "one")
            }
            count = try reader.offset(at: record + 32)
            size = try reader.offset(at: record + 40)
            begin = try reader.offset(at: record + 48)
            limit = record
        }
        guard begin <= limit, size <= limit - begin, count <= size / 46 else {
            throw reader.fault(
                "a zip directory of \(count) entries in \(size) bytes at \(begin)",
                "one before byte \(limit), with at least 46 bytes an entry")
        }
        return (begin..<begin + size, count)
    }

    /// The position of the end record; a comment of up to 65,535 bytes may follow it.
    private static func endRecord(_ reader: ZipReader) throws -> Int {
        let count = reader.mapping.count
        for back in stride(from: 22, through: min(count, 22 + 0xFFFF), by: 1) {
            let position = count - back
            if reader.mapping.integer(at: position, as: UInt32.self) == endSignature,
                reader.mapping.integer(at: position + 20, as: UInt16.self) == UInt16(back - 22)
            {
                return position
            }
        }
        throw reader.fault("no zip directory at the end", "a whole zip archive")
    }

    /// Reads the central directory's record at `position` and moves on to the next one.
    private static func listing(
        _ reader: ZipReader, _ position: inout Int, end: Int
    ) throws -> Listing {
        guard try reader.integer(at: position, as: UInt32.self) == listingSignature else {
            throw reader.fault("no entry at byte \(position) of the zip directory", "one")
        }
        let flags = try reader.integer(at: position + 8, as: UInt16.self)
        let method = try reader.integer(at: position + 10, as: UInt16.self)
        let nameCount = Int(try reader.integer(at: position + 28, as: UInt16.self))
        let extraCount = Int(try reader.integer(at: position + 30, as: UInt16.self))
        let commentCount = Int(try reader.integer(at: position + 32, as: UInt16.self))
        let nameStart = position + 46
        let extraStart = nameStart + nameCount
        let next = extraStart + extraCount + commentCount
        guard next <= end, let nameBytes = reader.mapping.copy(nameStart..<extraStart),
            let name = String(validating: nameBytes, as: UTF8.self)
        else {
            throw reader.fault(
                "an entry without a UTF-8 name at byte \(position) of the zip directory", "one")
        }
        let (size, header) = try reader.sizeAndHeader(
            at: position, extra: extraStart..<extraStart + extraCount)
        let data = try reader.data(
            header: header, signature: headerSignature, name: nameBytes, size: size)
        position = next
        // Bits 0, 6 and 13 of the flags stand for encryption.
        let isStored = method == 0 && flags & 0x2041 == 0
        return Listing(name: name, header: header, data: data, isStored: isStored)
    }

    /// The entry `name`; throws when it is absent or its bytes are not the contents themselves.
    func entry(_ name: String) throws -> Range<Int> {
        guard let entry = entries[name] else {
            throw ZipReader(mapping: mapping).fault("no entry \(printable(name))", "one")
        }
        guard entry.isStored else {
            throw ZipReader(mapping: mapping).fault(
                "the entry \(printable(name)) compressed or encrypted", "it stored as it is")
        }
        return entry.range
    }
}
