//! One spelling for every value: sorted members, floats with a point, nothing that a line reader could trip over.

/// Writes JSON values as bytes; the same value always gives the same bytes.
struct JSONWriter {
    /// What has been written so far.
    private(set) var bytes: [UInt8] = []

    /// The bytes of `value`, without a line end; throws `notFinite` for NaN and infinity (RFC 8259 has neither).
    static func bytes(of value: JSONValue) throws(PipelineError) -> [UInt8] {
        var writer = JSONWriter()
        writer.bytes.reserveCapacity(2048)
        try writer.write(value, place: "")
        return writer.bytes
    }

    private mutating func write(_ value: JSONValue, place: String) throws(PipelineError) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .number(let value):
            guard value.isFinite else {
                throw .notFinite(field: place, found: "\(value)")
            }
            append(Self.spelling(of: value))
        case .string(let value): write(string: value)
        case .array(let values):
            append("[")
            for (index, element) in values.enumerated() {
                if index > 0 { append(",") }
                try write(element, place: place)
            }
            append("]")
        case .object(let members):
            append("{")
            let sorted = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { append(",") }
                write(string: member.name)
                append(":")
                try write(
                    member.value, place: place.isEmpty ? member.name : "\(place).\(member.name)")
            }
            append("}")
        }
    }

    /// The shortest decimal that reads back as `value`, always with a point: `2.0`, `1.0e-07`.
    static func spelling(of value: Double) -> String {
        let text = value.description
        guard !text.utf8.contains(UInt8(ascii: ".")) else { return text }
        guard let exponent = text.firstIndex(of: "e") else { return text + ".0" }
        return text[..<exponent] + ".0" + text[exponent...]
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Escapes what JSON demands, and also DEL, the C1 controls (terminals obey them) and U+2028/2029 (line ends to JavaScript).
    private mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in string.unicodeScalars {
            switch scalar.value {
            case 0x22: append("\\\"")
            case 0x5C: append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029:
                let digits = String(scalar.value, radix: 16)
                append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default:
                bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension String {
    /// The text in quotes with controls escaped, cut after 60 characters, for messages that may reach a terminal.
    var shownShort: String {
        let head = unicodeScalars.prefix(60).reduce(into: "") { $0 += $1.escapedForTerminal }
        return "\"\(head)\(unicodeScalars.count > 60 ? "…" : "")\""
    }
}

extension Unicode.Scalar {
    /// The scalar itself, or `\u{..}` when it could move a terminal's cursor or turn its text around.
    var escapedForTerminal: String {
        switch value {
        case 0..<0x20, 0x7F..<0xA0, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069:
            return "\\u{\(String(value, radix: 16))}"
        default: return String(self)
        }
    }
}
