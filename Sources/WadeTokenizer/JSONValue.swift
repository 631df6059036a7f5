//! JSON as a tokenizer needs it: keys kept byte for byte, in the file's order, with the place of every value.

/// One JSON value; texts are bytes, because Foundation's dictionaries merge canonically equivalent keys.
indirect enum JSONValue: Sendable {
    /// `null`
    case null
    /// `true` or `false`
    case boolean(Bool)
    /// A number written as an integer that fits.
    case integer(Int)
    /// Any other number, as written.
    case number(String)
    /// A string.
    case text(TokenText)
    /// An array.
    case array([JSONValue])
    /// An object's members in the file's order.
    case object([(key: TokenText, value: JSONValue)])

    /// What the value is, in words for an error message.
    var summary: String {
        switch self {
        case .null: return "null"
        case .boolean(let value): return "\(value)"
        case .integer(let value): return "the number \(value)"
        case .number(let text): return "the number \(text)"
        case .text(let text): return "the string \(shown(text))"
        case .array(let values): return "an array of \(values.count)"
        case .object(let members): return "an object of \(members.count)"
        }
    }
}

/// A token's text in quotes for an error message, cut short when long.
func shown(_ text: TokenText) -> String {
    let scalars = text.string.unicodeScalars
    var result = "\""
    for scalar in scalars.prefix(40) {
        result += scalar.escaped(asASCII: false)
    }
    return result + (scalars.count > 40 ? "…\"" : "\"")
}

/// A JSON value with the file and the place it was read from, so that a complaint can name them.
struct JSONField: Sendable {
    /// The value itself.
    let value: JSONValue
    /// The file's name for messages.
    let file: String
    /// The path of keys that led here, such as `model.merges[3]`; empty at the top.
    let place: String

    /// The error that `expected` was not found here.
    func malformed(expected: String) -> TokenizerError {
        .malformed(
            file: file, place: place.isEmpty ? "top level" : place, found: value.summary,
            expected: expected)
    }

    /// The error that what is named here is not supported.
    func unsupported(_ name: String, supported: String) -> TokenizerError {
        .unsupported(file: file, place: place, name: name, supported: supported)
    }

    /// The members of an object; throws when the value is another kind.
    func members() throws -> [(key: TokenText, value: JSONValue)] {
        guard case .object(let members) = value else { throw malformed(expected: "an object") }
        return members
    }

    /// The member called `key`; nil when it is missing or null. Throws when the value is no object.
    func optional(_ key: String) throws -> JSONField? {
        let wanted = TokenText(key)
        guard let member = try members().last(where: { $0.key == wanted }) else { return nil }
        if case .null = member.value { return nil }
        let inner = place.isEmpty ? key : "\(place).\(key)"
        return JSONField(value: member.value, file: file, place: inner)
    }

    /// The member called `key`, which must be there.
    func required(_ key: String) throws -> JSONField {
        guard let field = try optional(key) else {
            let inner = place.isEmpty ? key : "\(place).\(key)"
            throw TokenizerError.malformed(
                file: file, place: inner, found: "nothing", expected: "a value")
        }
        return field
    }

    /// The elements of an array, each with its place.
    func elements() throws -> [JSONField] {
        guard case .array(let values) = value else { throw malformed(expected: "an array") }
        return values.enumerated().map { index, value in
            JSONField(value: value, file: file, place: "\(place)[\(index)]")
        }
    }

    /// The value as text.
    func text() throws -> TokenText {
        guard case .text(let text) = value else { throw malformed(expected: "a string") }
        return text
    }

    /// The value as a flag.
    func boolean() throws -> Bool {
        guard case .boolean(let flag) = value else { throw malformed(expected: "true or false") }
        return flag
    }

    /// The value as a token id, which fits 31 bits.
    func identifier() throws -> Int {
        guard case .integer(let id) = value, (0...Int(Int32.max)).contains(id) else {
            throw malformed(expected: "an id from 0 to \(Int32.max)")
        }
        return id
    }

    /// The text of member `key`, which must be there.
    func text(_ key: String) throws -> TokenText {
        try required(key).text()
    }

    /// The flag called `key`, or `absent` when it is missing.
    func boolean(_ key: String, absent: Bool) throws -> Bool {
        try optional(key)?.boolean() ?? absent
    }
}
