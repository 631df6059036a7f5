//! JSON as the records need it: integers and floats told apart, members in the order of the file.

/// One JSON value. `2` is an integer and `2.0` a number, because readers infer a column's type from the spelling.
indirect enum JSONValue: Sendable, Equatable {
    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A number spelled without point and exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object's members; the reader keeps the file's order, the writer sorts.
    case object([JSONMember])

    /// What the value is, in words for a message.
    var summary: String {
        switch self {
        case .null: return "null"
        case .bool(let value): return "\(value)"
        case .integer(let value): return "the integer \(value)"
        case .number(let value): return "the number \(value)"
        case .string(let value): return "the string \(value.shownShort)"
        case .array(let values): return "an array of \(values.count)"
        case .object(let members): return "an object of \(members.count)"
        }
    }

    /// The value of the last member called `name`; nil when there is none or this is no object.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    /// The text of a string, else nil.
    var text: String? {
        if case .string(let value) = self { return value }
        return nil
    }

    /// The elements of an array, else nil.
    var elements: [JSONValue]? {
        if case .array(let values) = self { return values }
        return nil
    }
}

/// A name and its value in an object.
struct JSONMember: Sendable, Equatable {
    /// The member's name.
    var name: String
    /// Its value.
    var value: JSONValue

    /// A member called `name`.
    init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONMember($0.0, $0.1) })
    }
}

extension JSONValue {
    /// An array of strings.
    static func strings(_ values: [String]) -> JSONValue { .array(values.map(JSONValue.string)) }

    /// An array of floats.
    static func numbers(_ values: [Double]) -> JSONValue { .array(values.map(JSONValue.number)) }

    /// A whole number.
    static func integer(_ value: Int) -> JSONValue { .integer(Int64(value)) }
}
