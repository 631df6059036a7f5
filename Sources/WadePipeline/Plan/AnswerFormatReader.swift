//! Reads what a task's `answer` says: a word, named bounds, or a JSON Schema.

/// A reader of answers' forms; paths start from `folder`, the folder of the pipeline file.
struct AnswerFormatReader {
    /// The folder of the pipeline file.
    let folder: PathBytes

    /// Schemas within each other; more than any answer of a sensible size has.
    private static let deepest = 16
    private static let kinds =
        "yes_no, integer, number, or `choices:`, `integer:`, `number:`, `schema:`"

    /// The form in `field`.
    func read(_ field: YAMLField) throws(PipelineError) -> AnswerFormat {
        guard field.isMapping else {
            switch try field.text() {
            case "yes_no": return .yesNo
            case "integer": return .number(try range(field, [:], decimals: 0))
            case "number": return .number(try range(field, [:], decimals: nil))
            default: throw field.wrong("one of \(Self.kinds)")
            }
        }
        let members = try field.members(["choices", "integer", "number", "schema"])
        guard members.count == 1, let kind = members.first else {
            throw field.wrong("one of \(Self.kinds)")
        }
        switch kind.key {
        case "choices": return .choices(try readChoices(kind.value))
        case "integer":
            let bounds = try kind.value.members(["minimum", "maximum"])
            return .number(try range(kind.value, bounds, decimals: 0))
        case "number":
            let bounds = try kind.value.members(["minimum", "maximum", "decimals"])
            let decimals = try bounds["decimals"]?.integer(in: 1...12)
            return .number(try range(kind.value, bounds, decimals: decimals))
        default: return .schema(try readSchema(kind.value))
        }
    }

    private func readChoices(_ field: YAMLField) throws(PipelineError) -> [String] {
        var choices: [String] = []
        for element in try field.elements() {
            let choice = try element.text()
            guard !choice.isEmpty, !choices.contains(choice), choice.first?.isWhitespace == false,
                choice.last?.isWhitespace == false
            else { throw element.wrong("each choice once, not empty, without space around it") }
            choices.append(choice)
        }
        guard choices.count >= 2 else { throw field.wrong("at least two choices") }
        return choices
    }

    /// The bounds among `members`, which may have those of JSON Schema.
    private func range(
        _ field: YAMLField, _ members: [String: YAMLField], decimals: Int?
    ) throws(PipelineError) -> NumberRange {
        func bound(_ name: String, _ excluding: String) throws(PipelineError) -> NumberRange.Bound?
        {
            if let field = members[name], members[excluding] != nil {
                throw field.wrong("`\(name)` or `\(excluding)`, not both")
            }
            let value = try (members[name] ?? members[excluding])?.number(in: -1e14...1e14)
            return value.map { .init(value: $0, isExcluded: members[name] == nil) }
        }
        let range = NumberRange(
            minimum: try bound("minimum", "exclusiveMinimum"),
            maximum: try bound("maximum", "exclusiveMaximum"), decimals: decimals)
        guard let range else {
            throw field.wrong(
                "bounds that some \(decimals == 0 ? "whole number" : "number") of at most 15 digits is within"
            )
        }
        return range
    }

    // MARK: - JSON Schema

    private func readSchema(_ field: YAMLField) throws(PipelineError) -> AnswerSchema {
        guard !field.isMapping else { return try schema(field, depth: 0) }
        let path = PathBytes(try field.text()).absolute(below: folder)
        guard (try? FileStatus.of(path, followingLinks: true))?.kind == .regular else {
            throw field.wrong(
                "a JSON Schema or the path of one", found: "\(path.shown), which is not there")
        }
        // JSON is YAML, whose reader knows the place of every value.
        return try schema(try YAMLField.read(file: path), depth: 0)
    }

    /// What only explains.
    private static let annotations = [
        "$schema", "$id", "$comment", "title", "description", "default", "examples",
    ]
    /// The keywords of each type.
    private static let keywords: [String: [String]] = [
        "object": ["properties", "required", "additionalProperties"],
        "array": ["items", "minItems", "maxItems"],
        "string": ["minLength", "maxLength"],
        "integer": ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
        "number": ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
        "boolean": [],
    ]

    private func schema(_ field: YAMLField, depth: Int) throws(PipelineError) -> AnswerSchema {
        guard depth < Self.deepest else {
            throw field.wrong("at most \(Self.deepest) schemas within each other")
        }
        guard field.isMapping else { throw field.wrong("a JSON Schema, an object") }
        let members = try known(field)
        guard let type = members["type"] else {
            guard members["enum"] != nil || members["const"] != nil else {
                throw field.wrong(
                    "a schema with `type`, `enum` or `const`",
                    found: "a schema that admits anything")
            }
            return .values(try values(members, field, fitting: nil))
        }
        let typed = try typed(try type.text(), type, members, field, depth: depth)
        guard members["enum"] != nil || members["const"] != nil else { return typed }
        return .values(try values(members, field, fitting: typed))
    }

    /// The members of a schema, all of which must be known and belong to its type.
    private func known(_ field: YAMLField) throws(PipelineError) -> [String: YAMLField] {
        let typed = Set(Self.keywords.values.joined())
        var members: [String: YAMLField] = [:]
        for (name, value) in try field.anyMembers() {
            let keyword = try name.text()
            if Self.annotations.contains(keyword) { continue }
            guard ["type", "enum", "const"].contains(keyword) || typed.contains(keyword) else {
                throw name.wrong(
                    "what can be kept while an answer is written: type, enum, const, "
                        + typed.sorted().joined(separator: ", "),
                    found: "the keyword \(keyword.shownShort)")
            }
            members[keyword] = value
        }
        if let type = members["type"] {
            guard let own = Self.keywords[try type.text()] else {
                throw type.wrong("one of " + Self.keywords.keys.sorted().joined(separator: ", "))
            }
            for (keyword, value) in members.sorted(by: { $0.key < $1.key })
            where typed.contains(keyword) && !own.contains(keyword) {
                throw value.wrong(
                    "keywords of the type \(try type.text())", found: "the keyword \(keyword)")
            }
        }
        return members
    }

    private func typed(
        _ name: String, _ type: YAMLField, _ members: [String: YAMLField], _ field: YAMLField,
        depth: Int
    ) throws(PipelineError) -> AnswerSchema {
        switch name {
        case "object": return try object(members, field, depth: depth)
        case "array":
            guard let items = members["items"] else {
                throw field.wrong("`items`", found: "an array without them")
            }
            let (least, most) = try counts(members, "minItems", "maxItems", field)
            return .array(try schema(items, depth: depth + 1), least: least, most: most)
        case "string":
            let (least, most) = try counts(members, "minLength", "maxLength", field)
            return .string(least: least, most: most)
        case "boolean": return .boolean
        default:
            return .number(try range(field, members, decimals: name == "integer" ? 0 : nil))
        }
    }

    private func counts(
        _ members: [String: YAMLField], _ least: String, _ most: String, _ field: YAMLField
    ) throws(PipelineError) -> (Int, Int?) {
        let low = try members[least]?.integer(in: 0...100_000) ?? 0
        let high = try members[most]?.integer(in: 0...100_000)
        if let high, high < low, let place = members[most] {
            throw place.wrong("at least `\(least)`, \(low)")
        }
        return (low, high)
    }

    private func object(
        _ members: [String: YAMLField], _ field: YAMLField, depth: Int
    ) throws(PipelineError) -> AnswerSchema {
        if let additional = members["additionalProperties"] { _ = try additional.flag() }
        guard let properties = members["properties"] else {
            throw field.wrong("`properties`", found: "an object without them")
        }
        var read: [AnswerSchema.Member] = []
        for (name, value) in try properties.anyMembers() {
            read.append(
                AnswerSchema.Member(
                    name: try name.text(), schema: try schema(value, depth: depth + 1),
                    isRequired: false))
        }
        for name in try members["required"]?.elements() ?? [] {
            let text = try name.text()
            guard let place = read.firstIndex(where: { $0.name == text }) else {
                throw name.wrong(
                    "one of the properties: " + read.map(\.name).joined(separator: ", "))
            }
            read[place].isRequired = true
        }
        return .object(read)
    }

    /// The values of `enum` and `const` that fit the rest of the schema.
    private func values(
        _ members: [String: YAMLField], _ field: YAMLField, fitting schema: AnswerSchema?
    ) throws(PipelineError) -> [JSONConstant] {
        var values: [JSONValue]?
        if let list = members["enum"] {
            values = []
            for element in try list.elements() { values?.append(try element.constant()) }
        }
        if let constant = try members["const"]?.constant() {
            values = values?.filter { JSONConstant($0) == JSONConstant(constant) } ?? [constant]
        }
        var spellings: [JSONConstant] = []
        for value in values ?? [] where schema?.admits(value) ?? true {
            guard let constant = JSONConstant(value), !spellings.contains(constant) else {
                continue
            }
            spellings.append(constant)
        }
        guard !spellings.isEmpty else {
            throw (members["enum"] ?? members["const"] ?? field).wrong(
                "at least one value that fits the rest of the schema")
        }
        return spellings
    }
}

extension YAMLField {
    /// The JSON value that stands here, as YAML 1.2's JSON schema reads plain words: what is quoted is a text.
    func constant(depth: Int = 0) throws(PipelineError) -> JSONValue {
        guard depth < 16 else { throw wrong("at most 16 values within each other") }
        if isMapping {
            var members: [JSONMember] = []
            for (name, value) in try anyMembers() {
                members.append(JSONMember(try name.text(), try value.constant(depth: depth + 1)))
            }
            return .object(members)
        }
        if let elements = try? elements() {
            var values: [JSONValue] = []
            for element in elements { values.append(try element.constant(depth: depth + 1)) }
            return .array(values)
        }
        guard let plain = plainText else { return .string(try text()) }
        switch plain {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "", "~", "null": throw wrong("a value that is not null")
        default:
            return (try? JSONReader.read(Array(plain.utf8))) ?? .string(plain)
        }
    }
}
