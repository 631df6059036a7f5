//! Checked reads of a zip archive's records.

/// Reads numbers at byte positions; every read outside the file is a `TensorError.malformed`.
struct ZipReader {
    /// The archive's file.
    let mapping: MappedFile

    /// An error in the name of the file.
    func fault(_ found: String, _ expected: String) -> TensorError {
        .malformed(file: mapping.path, found: found, expected: expected)
    }

    /// The little-endian number at `position`.
    func integer<Integer: FixedWidthInteger>(
        at position: Int, as type: Integer.Type
    ) throws -> Integer {
        guard let value = mapping.integer(at: position, as: type) else {
            throw fault("a zip record that reaches byte \(position)", "\(mapping.count) bytes")
        }
        return value
    }

    /// The 64-bit size or position at `position`, which must not exceed the file's size.
    func offset(at position: Int) throws -> Int {
        let value = try integer(at: position, as: UInt64.self)
        guard let offset = Int(exactly: value), offset <= mapping.count else {
            throw fault("the zip size or position \(value)", "at most \(mapping.count)")
        }
        return offset
    }

    /// The stored size of a listed entry and the position of its local header, from the listing at `position` and its
    /// zip64 extra field (header id 1), which holds those of three numbers that do not fit 32 bits, in fixed order.
    func sizeAndHeader(at position: Int, extra: Range<Int>) throws -> (size: Int, header: Int) {
        let stored = try integer(at: position + 20, as: UInt32.self)
        let original = try integer(at: position + 24, as: UInt32.self)
        let start = try integer(at: position + 42, as: UInt32.self)
        var size = Int(stored)
        var header = Int(start)
        guard [stored, original, start].contains(.max) else { return (size, header) }
        var field = extra.lowerBound
        while field + 4 <= extra.upperBound {
            let id = try integer(at: field, as: UInt16.self)
            let end = field + 4 + Int(try integer(at: field + 2, as: UInt16.self))
            guard end <= extra.upperBound else { break }
            if id == 1 {
                var next = field + 4
                func number() throws -> Int {
                    guard next + 8 <= end else { throw fault("a short zip64 field", "a whole one") }
                    defer { next += 8 }
                    return try offset(at: next)
                }
                if original == .max { _ = try number() }
                if stored == .max { size = try number() }
                if start == .max { header = try number() }
                return (size, header)
            }
            field = end
        }
        throw fault("a zip entry of 4 GiB or more without a zip64 field", "one")
    }

    /// The bytes of an entry's contents. The local header has extra fields of its own (PyTorch pads them so that tensors
    /// start at multiples of 64) and, with bit 3 of the flags, no sizes: only its lengths and its name are used.
    func data(
        header: Int, signature: UInt32, name: [UInt8], size: Int
    ) throws -> Range<Int> {
        guard try integer(at: header, as: UInt32.self) == signature else {
            throw fault("no zip entry at byte \(header)", "one")
        }
        let nameCount = Int(try integer(at: header + 26, as: UInt16.self))
        let extraCount = Int(try integer(at: header + 28, as: UInt16.self))
        let begin = header + 30 + nameCount + extraCount
        guard mapping.copy(header + 30..<header + 30 + nameCount) == name else {
            throw fault("another name at byte \(header) than in the zip directory", "the same")
        }
        guard begin <= mapping.count, size <= mapping.count - begin else {
            throw fault("a zip entry of \(size) bytes at \(begin)", "\(mapping.count) bytes in all")
        }
        return begin..<begin + size
    }
}
