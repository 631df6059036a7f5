//! The record's schema in the words of the tools that read the output, so that no tool has to guess a type from a few lines.

/// Who reads the schema.
package enum SchemaReader: String, CaseIterable, Sendable {
    /// JSON Schema, draft 2020-12.
    case jsonSchema = "json-schema"
    /// The dictionary that `datasets.Features.from_dict` takes.
    case huggingFace = "huggingface"
    /// The `columns` of DuckDB's `read_json`.
    case duckDB = "duckdb"
    /// The columns of `wade export --to parquet-ready` and `--to csv`, each with its Arrow type.
    case parquetReady = "parquet-ready"

    /// The schema as this reader takes it, with a line end.
    package func schema() throws -> String {
        let bytes = PackageResources.annotation_schema_json
        guard self != .jsonSchema else { return String(decoding: bytes, as: UTF8.self) }
        if self == .parquetReady {
            let columns = try Self.columns().map { JSONMember($0.name, .string($0.type)) }
            return String(decoding: try JSONWriter.bytes(of: .object(columns)), as: UTF8.self)
                + "\n"
        }
        let schema = try JSONReader.read(bytes)
        guard case .object(let members) = schema["properties"] else {
            throw PipelineError.record(
                field: "schema", found: "no properties", expected: "properties")
        }
        let columns = try members.map { member in
            JSONMember(
                member.name,
                self == .huggingFace
                    ? try feature(member.value) : .string(try column(member.value)))
        }
        return String(decoding: try JSONWriter.bytes(of: .object(columns)), as: UTF8.self) + "\n"
    }

    /// A member of the record as a column of a table.
    struct Column: Sendable, Equatable {
        /// The member's names with `_` between them, such as `video_path`.
        let name: String
        /// The member's names.
        let path: [String]
        /// Its type as Arrow names it; lists are texts, since an empty one has no type.
        let type: String
    }

    /// All members of the record as columns, in the order of their names.
    static func columns() throws -> [Column] {
        let schema = try JSONReader.read(PackageResources.annotation_schema_json)
        return try columns(schema, path: []).sorted { $0.name < $1.name }
    }

    private static func columns(_ rule: JSONValue, path: [String]) throws -> [Column] {
        switch try Kind(rule) {
        case .members(let members):
            return try members.flatMap { try columns($0.value, path: path + [$0.name]) }
        case .list:
            return [Column(name: path.joined(separator: "_"), path: path, type: "string")]
        case .value(let value):
            return [Column(name: path.joined(separator: "_"), path: path, type: value.arrow)]
        }
    }

    /// A type as `datasets` spells it; a list is written as a list of one element, which every version reads.
    private func feature(_ rule: JSONValue) throws -> JSONValue {
        switch try Kind(rule) {
        case .members(let members):
            return .object(try members.map { JSONMember($0.name, try feature($0.value)) })
        case .list(let element): return .array([try feature(element)])
        case .value(let value):
            return .object([
                JSONMember("_type", .string("Value")), JSONMember("dtype", .string(value.arrow)),
            ])
        }
    }

    /// A type as DuckDB spells it.
    private func column(_ rule: JSONValue) throws -> String {
        switch try Kind(rule) {
        case .members(let members):
            let fields = try members.map { "\"\($0.name)\" \(try column($0.value))" }
            return "STRUCT(\(fields.joined(separator: ", ")))"
        case .list(let element): return try column(element) + "[]"
        case .value(let value): return value.sql
        }
    }

    /// A rule of the schema, as far as types go.
    private enum Kind {
        case members([JSONMember])
        case list(JSONValue)
        case value(Value)

        init(_ rule: JSONValue) throws {
            if case .object(let members) = rule["properties"] {
                self = .members(members)
            } else if let items = rule["items"] {
                self = .list(items)
            } else if rule["enum"] != nil || rule["const"] != nil {
                self = .value(.text)
            } else if let name = rule["type"]?.text, let value = Value(name, rule) {
                self = .value(value)
            } else {
                throw PipelineError.record(
                    field: "schema", found: rule.summary, expected: "a rule with a type")
            }
        }
    }

    private enum Value {
        case text, flag, number, small, large

        init?(_ name: String, _ rule: JSONValue) {
            switch name {
            case "string": self = .text
            case "boolean": self = .flag
            case "number": self = .number
            case "integer": self = rule["maximum"] == .integer(2_147_483_647) ? .small : .large
            default: return nil
            }
        }

        var arrow: String {
            switch self {
            case .text: "string"
            case .flag: "bool"
            case .number: "float64"
            case .small: "int32"
            case .large: "int64"
            }
        }

        var sql: String {
            switch self {
            case .text: "VARCHAR"
            case .flag: "BOOLEAN"
            case .number: "DOUBLE"
            case .small: "INTEGER"
            case .large: "BIGINT"
            }
        }
    }
}
