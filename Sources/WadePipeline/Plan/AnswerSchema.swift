//! JSON Schema, as much of it as can be kept while an answer is written byte by byte.
import WadeFlamingo

/// A schema of JSON values that some value fits.
package indirect enum AnswerSchema: Sendable, Equatable {
    /// The listed members in their order, of which only those that are required must be there, and no others.
    case object([Member])
    /// At least `least` elements, at most `most`.
    case array(AnswerSchema, least: Int, most: Int?)
    /// At least `least` characters, at most `most`.
    case string(least: Int, most: Int?)
    /// A number.
    case number(NumberRange)
    /// `true` or `false`.
    case boolean
    /// One of these values.
    case values([JSONConstant])

    /// A member of an object.
    package struct Member: Sendable, Equatable {
        var name: String
        var schema: AnswerSchema
        var isRequired: Bool
    }

    /// Whether `value` fits.
    func admits(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.object(let members), .object(let found)):
            let names = found.map(\.name)
            return found.allSatisfy { member in
                members.contains { $0.name == member.name && $0.schema.admits(member.value) }
            } && members.allSatisfy { !$0.isRequired || names.contains($0.name) }
        case (.array(let element, let least, let most), .array(let found)):
            return found.count >= least && found.count <= most ?? .max
                && found.allSatisfy(element.admits)
        case (.string(let least, let most), .string(let text)):
            let count = text.unicodeScalars.count
            return count >= least && count <= most ?? .max
        case (.number(let range), _): return range.admits(value)
        case (.boolean, .bool): return true
        case (.values(let values), _):
            return values.contains { $0.spelling == JSONConstant(value)?.spelling }
        default: return false
        }
    }

    /// What a recipe says about it.
    var description: JSONValue {
        switch self {
        case .object(let members):
            return [
                "object": .array(
                    members.map {
                        [
                            "name": .string($0.name), "schema": $0.schema.description,
                            "required": .bool($0.isRequired),
                        ]
                    })
            ]
        case .array(let element, let least, let most):
            return [
                "array": element.description, "least": .integer(least),
                "most": .integer(most ?? -1),
            ]
        case .string(let least, let most):
            return ["string": ["least": .integer(least), "most": .integer(most ?? -1)]]
        case .number(let range): return ["number": range.description]
        case .boolean: return .string("boolean")
        case .values(let values): return ["values": .strings(values.map(\.spelling))]
        }
    }
}

/// A JSON value by its one spelling.
package struct JSONConstant: Sendable, Equatable {
    /// The spelling, as records have it.
    let spelling: String

    /// The spelling of `value`; nil for a number that JSON cannot spell.
    init?(_ value: JSONValue) {
        guard let bytes = try? JSONWriter.bytes(of: value) else { return nil }
        spelling = String(decoding: bytes, as: UTF8.self)
    }
}

// MARK: - Bytes

extension AnswerSchema {
    /// The spellings of the values that fit: members in the schema's order, at most one space after a colon or a comma, strings with the
    /// escapes `\"`, `\\`, `\n` and `\t` and no control characters.
    var pattern: BytePattern {
        switch self {
        case .object(let members): return Self.object(members)
        case .array(let element, let least, let most):
            return Self.array(element.pattern, least, most)
        case .string(let least, let most):
            return .sequence([
                .text("\""), .repeated(Self.character, least: least, most: most), .text("\""),
            ])
        case .number(let range): return range.pattern
        case .boolean: return .choice([.text("true"), .text("false")])
        case .values(let values): return .choice(values.map { .text($0.spelling) })
        }
    }

    private static let space = BytePattern.optional(.text(" "))
    private static let comma = BytePattern.sequence([.text(","), space])

    private static func array(_ element: BytePattern, _ least: Int, _ most: Int?) -> BytePattern {
        let empty = BytePattern.text("[]")
        guard most != 0 else { return empty }
        let filled = BytePattern.sequence([
            .text("["), element,
            .repeated(
                .sequence([comma, element]), least: max(least - 1, 0), most: most.map { $0 - 1 }),
            .text("]"),
        ])
        return least > 0 ? filled : .choice([empty, filled])
    }

    private static func object(_ members: [Member]) -> BytePattern {
        func spelling(_ member: Member) -> BytePattern {
            let name = JSONConstant(.string(member.name))?.spelling ?? ""
            return .sequence([.text(name), .text(":"), space, member.schema.pattern])
        }
        // Whatever comes first has no comma before it; everything behind that has one.
        var firsts: [BytePattern] = []
        for (place, member) in members.enumerated() {
            let others = members[(place + 1)...].map { other in
                let next = BytePattern.sequence([comma, spelling(other)])
                return other.isRequired ? next : .optional(next)
            }
            firsts.append(.sequence([spelling(member)] + others))
            if member.isRequired { break }
        }
        if members.allSatisfy({ !$0.isRequired }) { firsts.append(.bytes([])) }
        return .sequence([.text("{"), .choice(firsts), .text("}")])
    }

    /// A character within a string: UTF-8 without controls (U+0000 to U+001F, U+007F to U+009F), or an escape.
    private static let character: BytePattern = {
        let more: ClosedRange<UInt8> = 0x80...0xBF
        func wide(_ ranges: ClosedRange<UInt8>...) -> BytePattern {
            .sequence(ranges.map { .oneOf([$0]) })
        }
        return .choice([
            .oneOf([0x20...0x21, 0x23...0x5B, 0x5D...0x7E]),
            .sequence([.text("\\"), .oneOf([0x22...0x22, 0x5C...0x5C, 0x6E...0x6E, 0x74...0x74])]),
            wide(0xC2...0xC2, 0xA0...0xBF), wide(0xC3...0xDF, more),
            wide(0xE0...0xE0, 0xA0...0xBF, more), wide(0xE1...0xEC, more, more),
            wide(0xED...0xED, 0x80...0x9F, more), wide(0xEE...0xEF, more, more),
            wide(0xF0...0xF0, 0x90...0xBF, more, more), wide(0xF1...0xF3, more, more, more),
            wide(0xF4...0xF4, 0x80...0x8F, more, more),
        ])
    }()
}
