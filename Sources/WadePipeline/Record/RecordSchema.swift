//! The shipped JSON Schema and as much of JSON Schema as it uses: types, members, enumerations, patterns, ranges.
import Foundation

/// A JSON Schema (draft 2020-12, the keywords that `annotation.schema.json` uses); any other keyword is refused.
struct RecordSchema {
    /// What the whole value must be.
    let root: Rule

    /// A complaint about a value: the field, what was found, what was expected.
    struct Complaint: Equatable {
        /// The member's path, such as `video.bytes`.
        var field: String
        /// What stands there.
        var found: String
        /// What should stand there.
        var expected: String
    }

    /// What a value must be.
    indirect enum Rule {
        case kind(String, least: Int64?, most: Int64?, pattern: Pattern?)
        case words([String])
        case list(Rule)
        case members([String: Rule], required: [String])
    }

    /// A regular expression with its source for messages.
    struct Pattern {
        let source: String
        let regex: Regex<AnyRegexOutput>
    }

    /// The schema of the annotation record as it ships inside the program.
    static func annotation() throws(PipelineError) -> RecordSchema {
        try RecordSchema(bytes: PackageResources.annotation_schema_json)
    }

    /// The schema that `bytes` say; throws `record` for a keyword that is not known here.
    init(bytes: [UInt8]) throws(PipelineError) {
        do {
            root = try Self.rule(JSONReader.read(bytes), place: "schema")
        } catch let fault as JSONFault {
            throw .record(
                field: "schema byte \(fault.byte)", found: fault.found, expected: fault.expected)
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .record(field: "schema", found: "\(error)", expected: "a JSON Schema")
        }
    }

    private static func rule(_ value: JSONValue, place: String) throws -> Rule {
        if let constant = value["const"]?.text { return .words([constant]) }
        if let words = value["enum"]?.elements { return .words(words.compactMap(\.text)) }
        switch value["type"]?.text {
        case "object":
            guard case .object(let members) = value["properties"] else { break }
            var rules: [String: Rule] = [:]
            for member in members {
                rules[member.name] = try rule(member.value, place: "\(place).\(member.name)")
            }
            return .members(
                rules, required: (value["required"]?.elements ?? []).compactMap(\.text))
        case "array":
            guard let items = value["items"] else { break }
            return .list(try rule(items, place: place))
        case .some(let kind) where ["string", "integer", "number", "boolean"].contains(kind):
            let pattern = try value["pattern"]?.text.map {
                Pattern(source: $0, regex: try Regex($0))
            }
            return .kind(
                kind, least: integer(value["minimum"]), most: integer(value["maximum"]),
                pattern: pattern)
        default: break
        }
        throw PipelineError.record(
            field: place, found: value.summary, expected: "a schema of the kinds used here")
    }

    private static func integer(_ value: JSONValue?) -> Int64? {
        if case .integer(let number) = value { return number }
        return nil
    }

    /// What `value` violates, in the order of the schema's members; empty when it is valid.
    func complaints(about value: JSONValue) -> [Complaint] {
        var found: [Complaint] = []
        check(value, root, "", &found)
        return found
    }

    private func check(
        _ value: JSONValue, _ rule: Rule, _ field: String, _ found: inout [Complaint]
    ) {
        switch (rule, value) {
        case (.words(let words), .string(let text)) where words.contains(text): return
        case (.words(let words), _):
            found.append(
                Complaint(
                    field: field, found: value.summary,
                    expected: "one of " + words.map(\.shownShort).joined(separator: ", ")))
        case (.list(let rule), .array(let elements)):
            for (index, element) in elements.enumerated() {
                check(element, rule, "\(field)[\(index)]", &found)
            }
        case (.list, _):
            found.append(Complaint(field: field, found: value.summary, expected: "an array"))
        case (.members(let rules, let required), .object(let members)):
            check(members, rules, required, field, &found)
        case (.members, _):
            found.append(Complaint(field: field, found: value.summary, expected: "an object"))
        case (.kind(let kind, let least, let most, let pattern), _):
            guard !allows(value, kind, least, most, pattern) else { return }
            var expected = kind == "number" ? "number with a decimal point" : kind
            if let pattern { expected += " like \(pattern.source)" }
            if let least { expected += ", at least \(least)" }
            if let most { expected += ", at most \(most)" }
            found.append(Complaint(field: field, found: value.summary, expected: expected))
        }
    }

    private func check(
        _ members: [JSONMember], _ rules: [String: Rule], _ required: [String], _ field: String,
        _ found: inout [Complaint]
    ) {
        let prefix = field.isEmpty ? "" : field + "."
        let names = Set(members.map(\.name))
        for name in required where !names.contains(name) {
            found.append(Complaint(field: prefix + name, found: "nothing", expected: "a value"))
        }
        for member in members {
            guard let rule = rules[member.name] else {
                found.append(
                    Complaint(
                        field: prefix + member.name, found: "an unknown member",
                        expected: "only the members of the schema"))
                continue
            }
            check(member.value, rule, prefix + member.name, &found)
        }
    }

    private func allows(
        _ value: JSONValue, _ kind: String, _ least: Int64?, _ most: Int64?, _ pattern: Pattern?
    ) -> Bool {
        switch (kind, value) {
        case ("string", .string(let text)):
            guard let pattern else { return true }
            return text.firstMatch(of: pattern.regex) != nil
        case ("integer", .integer(let number)):
            return number >= least ?? .min && number <= most ?? .max
        case ("number", .number), ("boolean", .bool): return true
        default: return false
        }
    }
}
