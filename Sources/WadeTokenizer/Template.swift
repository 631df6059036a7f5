//! The tokens put around a text, such as LLaMA's `<s>`: the `post_processor` section of `tokenizer.json`.

/// One part of what a text becomes.
enum TemplatePart: Sendable, Equatable {
    /// The ids of the text.
    case text
    /// Ids put there.
    case tokens([Int])

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
            return try field.required("single").elements().map { try readPart($0, special) }
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
