//! Records as rows of a table: the members of objects become columns, lists become JSON texts, so that no type is ever guessed.

/// The columns of a flat record, in the order of the schema.
struct FlatTable: Sendable {
    private let columns: [SchemaReader.Column]

    /// The table of the record's schema.
    init() throws { columns = try SchemaReader.columns() }

    /// The columns' names as a line of CSV.
    var header: [UInt8] { Self.row(columns.map(\.name)) }

    /// `line`, a record, as a line of CSV.
    func csv(_ line: [UInt8]) throws -> [UInt8] {
        Self.row(
            try values(line).map { value in
                switch value {
                case .string(let text): text
                case .integer(let number): String(number)
                case .number(let number): JSONWriter.spelling(of: number)
                case .bool(let flag): flag ? "true" : "false"
                default: ""
                }
            })
    }

    /// `line`, a record, as one flat JSON object with a line end.
    func json(_ line: [UInt8]) throws -> [UInt8] {
        let members = zip(columns, try values(line)).map { JSONMember($0.name, $1) }
        return try JSONWriter.bytes(of: .object(members)) + [0x0A]
    }

    private func values(_ line: [UInt8]) throws -> [JSONValue] {
        let record = try JSONReader.read(line)
        return try columns.map { column in
            let value = column.path.reduce(Optional(record)) { $0?[$1] }
            switch value {
            case .array?, .object?, .null?:
                return .string(
                    String(decoding: try JSONWriter.bytes(of: value ?? .null), as: UTF8.self))
            case let value?: return value
            case nil:
                throw PipelineError.record(
                    field: column.path.joined(separator: "."), found: "nothing",
                    expected: "a value")
            }
        }
    }

    /// Fields with commas between them and CR LF at the end (RFC 4180).
    private static func row(_ fields: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += quoted(field)
        }
        return bytes + [0x0D, 0x0A]
    }

    private static func quoted(_ field: String) -> [UInt8] {
        let bytes = Array(field.utf8)
        let needsQuotes =
            bytes.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
            || bytes.first == 0x20 || bytes.last == 0x20
        guard needsQuotes else { return bytes }
        return [0x22] + bytes.flatMap { $0 == 0x22 ? [$0, $0] : [$0] } + [0x22]
    }
}
