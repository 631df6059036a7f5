//! The tokens put around a text, such as LLaMA's `<s>`: the `post_processor` section of `tokenizer.json`.

/// One part of what a text becomes.
enum TemplatePart: Sendable, Equatable {
    /// The ids of the text.
    case text
    /// Ids put there.
    case tokens([Int])

    /// Texts and tokens in one template; a section can name the same list of tokens again and again.
    private static let mostParts = 256

    /// The parts of the section `field` for a single text; throws `unsupported` for any other kind.
    static func read(_ field: JSONField?) throws -> [TemplatePart] {
        guard let field else { return [.text] }
        let kind = try field.text("type").string
        switch kind {
        case "ByteLevel":
            return [.text]
        case "Sequence":
            let templates = try field.required("processors").elements().map { try read($0) }
            let changing = templates.filter { $0 != [.text] }
            guard changing.count <= 1 else {
                throw field.unsupported("several templates", supported: "one")
            }
            return changing.first ?? [.text]
        case "TemplateProcessing":
            let special = try field.required("special_tokens")
            var parts: [TemplatePart] = []
            var count = 0
            for part in try field.required("single").elements() {
                let read = try readPart(part, special)
                if case .tokens(let ids) = read { count += ids.count } else { count += 1 }
                guard count <= mostParts else {
                    throw field.malformed(expected: "at most \(mostParts) tokens around a text")
                }
                parts.append(read)
            }
            return parts
        default:
            throw field.unsupported(
                "the post-processor \(kind)",
                supported: "ByteLevel, TemplateProcessing or a Sequence of them")
        }
    }

    private static func readPart(_ part: JSONField, _ special: JSONField) throws -> TemplatePart {
        if let sequence = try part.optional("Sequence") {
            guard try sequence.text("id").string == "A" else {
                throw sequence.malformed(expected: "the sequence A")
            }
            return .text
        }
        let name = try part.required("SpecialToken").text("id").string
        let ids = try special.required(name).required("ids").elements()
        return .tokens(try ids.map { try $0.identifier() })
    }
}
