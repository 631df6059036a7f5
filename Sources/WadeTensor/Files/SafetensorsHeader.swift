//! The JSON header of a safetensors file. Parsed here rather than by a JSON library because libraries keep only one of
//! two equal names; the grammar is fixed and three levels deep, so hostile nesting is refused at its first bracket.

/// What a header says, not yet checked against the size of the data.
struct SafetensorsHeader {
    /// What it says of one tensor; offsets count bytes from the end of the header.
    struct Entry {
        let name: String
        let elementType: ElementType
        let shape: Shape
        let begin: Int
        let end: Int
    }

    /// The tensors in the order of the header; names are unique.
    private(set) var entries: [Entry] = []
    /// The `__metadata__` object.
    private(set) var metadata: [String: String] = [:]

    /// Parses `json`; throws `TensorError` in the name of `file`.
    init(_ json: [UInt8], file: String) throws {
        var scanner = HeaderScanner(json, file: file)
        var names = Set<String>()
        try scanner.object { scanner, name in
            guard names.insert(name).inserted else {
                throw scanner.failure(found: "\(printable(name)) twice", expected: "once")
            }
            if name == "__metadata__" {
                metadata = try SafetensorsHeader.metadata(&scanner)
            } else {
                entries.append(try SafetensorsHeader.entry(&scanner, name: name, file: file))
            }
        }
        try scanner.end()
    }

    private static func metadata(_ scanner: inout HeaderScanner) throws -> [String: String] {
        var metadata: [String: String] = [:]
        try scanner.object { scanner, key in
            guard metadata.updateValue(try scanner.string(), forKey: key) == nil else {
                throw scanner.failure(found: "metadata \(printable(key)) twice", expected: "once")
            }
        }
        return metadata
    }

    private static func entry(
        _ scanner: inout HeaderScanner, name: String, file: String
    ) throws -> Entry {
        func fault(_ found: String, _ expected: String) -> TensorError {
            .malformedTensor(file: file, name: name, found: found, expected: expected)
        }
        var typeName: String?
        var sizes: [Int]?
        var offsets: [Int]?
        try scanner.object { scanner, key in
            switch key {
            case "dtype" where typeName == nil: typeName = try scanner.string()
            case "shape" where sizes == nil: sizes = try scanner.naturals()
            case "data_offsets" where offsets == nil: offsets = try scanner.naturals()
            default:
                throw fault("the key \(printable(key))", "dtype, shape and data_offsets once each")
            }
        }
        guard let typeName, let sizes, let offsets else {
            throw fault("an entry without them all", "dtype, shape and data_offsets")
        }
        guard let elementType = ElementType(rawValue: typeName) else {
            throw fault("dtype \(printable(typeName))", "a known element type")
        }
        guard let shape = Shape(checking: sizes) else {
            throw fault("a shape beyond any memory", "a shape whose element count fits 63 bits")
        }
        guard offsets.count == 2 else {
            throw fault("\(offsets.count) data_offsets", "a begin and an end")
        }
        return Entry(
            name: name, elementType: elementType, shape: shape, begin: offsets[0], end: offsets[1])
    }
}
