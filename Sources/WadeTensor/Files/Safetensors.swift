//! The safetensors format: an 8-byte length, a JSON header, and the tensors' bytes without holes.

/// Reads safetensors files. Opening maps the file and reads its header; a truncated or contradictory file is refused then.
package enum Safetensors {
    /// The longest header that is read, in bytes; the reference reader's limit.
    static let headerLimit = 100_000_000

    /// The tensors of one file; throws `TensorError` when the header does not describe exactly the file's bytes.
    package static func read(path: String) throws -> TensorArchive {
        let mapping = try MappedFile(path: path)
        let header = try header(of: mapping)
        let begin = mapping.count - header.dataCount
        var end = 0
        var tensors: [String: StoredTensor] = [:]
        for entry in header.content.entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) })
        {
            try check(entry, after: end, dataCount: header.dataCount, file: path)
            end = entry.end
            tensors[entry.name] = try StoredTensor(
                name: entry.name, elementType: entry.elementType, shape: entry.shape, in: mapping,
                region: begin + entry.begin..<begin + entry.end)
        }
        guard end == header.dataCount else {
            throw TensorError.malformed(
                file: path, found: "\(header.dataCount) bytes of data",
                expected: "the \(end) that the header describes")
        }
        return TensorArchive(file: path, tensors: tensors, metadata: header.content.metadata)
    }

    /// The tensors of all shards that an index (`model.safetensors.index.json`) names.
    package static func readSharded(index: String) throws -> TensorArchive {
        try CheckpointIndex(path: index).read(shard: read)
    }

    private static func header(
        of mapping: MappedFile
    ) throws -> (content: SafetensorsHeader, dataCount: Int) {
        let most = min(headerLimit, mapping.count - 8)
        guard let stated = mapping.integer(at: 0, as: UInt64.self),
            let length = Int(exactly: stated), (8...max(8, most)).contains(length),
            let json = mapping.copy(8..<8 + length)
        else {
            let stated = mapping.integer(at: 0, as: UInt64.self)
            throw TensorError.malformed(
                file: mapping.path,
                found: stated.map { "a header of \($0) bytes" } ?? "\(mapping.count) bytes",
                expected: "a header of 8 to \(max(8, most)) bytes")
        }
        guard json[0] == UInt8(ascii: "{") else {
            throw TensorError.malformed(
                file: mapping.path, found: "a header that starts with byte \(json[0])",
                expected: "\"{\"")
        }
        let content = try SafetensorsHeader(json, file: mapping.path)
        return (content, mapping.count - 8 - length)
    }

    private static func check(
        _ entry: SafetensorsHeader.Entry, after end: Int, dataCount: Int, file: String
    ) throws {
        func fault(_ found: String, _ expected: String) -> TensorError {
            .malformedTensor(file: file, name: entry.name, found: found, expected: expected)
        }
        guard entry.begin <= entry.end, entry.end <= dataCount else {
            throw fault(
                "bytes \(entry.begin) to \(entry.end)", "a range within \(dataCount) bytes of data")
        }
        let (size, overflow) = entry.shape.elementCount
            .multipliedReportingOverflow(by: entry.elementType.byteCount)
        guard !overflow, size == entry.end - entry.begin else {
            throw fault(
                "\(entry.end - entry.begin) bytes",
                "those of \(entry.elementType.rawValue) \(entry.shape)")
        }
        guard entry.begin == end else {
            throw fault(
                "bytes from \(entry.begin), which \(entry.begin < end ? "overlap" : "leave a gap")",
                "bytes from \(end), where the tensor before ends")
        }
    }
}
