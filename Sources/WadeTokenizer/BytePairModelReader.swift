//! The `model` section of `tokenizer.json`.

/// Builds a byte-pair model from JSON, refusing what it would encode wrongly.
struct BytePairModelReader {
    /// The model of the section `field`; merges may be strings "a b" or pairs ["a", "b"].
    /// Throws `unsupported` for other kinds of model and `malformed` for contradictions.
    static func read(_ field: JSONField) throws -> BytePairModel {
        let kind = try field.optional("type")?.text().string ?? "BPE"
        guard kind == "BPE" else {
            throw field.unsupported("the model type \(kind)", supported: "BPE")
        }
        try refuseUnsupportedOptions(field)
        let identifiers = try readVocabulary(try field.required("vocab"))
        let merges = try readMerges(try field.required("merges"), identifiers: identifiers)
        var unknown: Int32?
        if let token = try field.optional("unk_token") {
            unknown = identifiers[try token.text()]
            guard unknown != nil else { throw token.malformed(expected: "a token of model.vocab") }
        }
        let options = BytePairModel.Options(
            unknown: unknown,
            fusesUnknown: try field.boolean("fuse_unk", absent: false),
            fallsBackToBytes: try field.boolean("byte_fallback", absent: false),
            ignoresMerges: try field.boolean("ignore_merges", absent: false))
        return BytePairModel(identifiers: identifiers, merges: merges, options: options)
    }

    private static func refuseUnsupportedOptions(_ field: JSONField) throws {
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            guard let affix = try field.optional(key) else { continue }
            if try !affix.text().bytes.isEmpty {
                throw affix.unsupported(affix.value.summary, supported: "null or an empty string")
            }
        }
        if let dropout = try field.optional("dropout") {
            switch dropout.value {
            case .integer(0), .number("0.0"): break
            default: throw dropout.unsupported(dropout.value.summary, supported: "null or 0")
            }
        }
    }

    private static func readVocabulary(_ field: JSONField) throws -> [TokenText: Int32] {
        let members = try field.members()
        var identifiers: [TokenText: Int32] = [:]
        identifiers.reserveCapacity(members.count)
        var seen: Set<Int32> = []
        seen.reserveCapacity(members.count)
        for (text, value) in members {
            guard case .integer(let number) = value, number >= 0, let id = Int32(exactly: number)
            else {
                throw TokenizerError.malformed(
                    file: field.file, place: "\(field.place)[\(shown(text))]",
                    found: value.summary, expected: "an id from 0 to \(Int32.max)")
            }
            guard identifiers.updateValue(id, forKey: text) == nil, seen.insert(id).inserted else {
                throw TokenizerError.malformed(
                    file: field.file, place: "\(field.place)[\(shown(text))]",
                    found: "the id \(id) a second time, or the token a second time",
                    expected: "one id for one token")
            }
        }
        return identifiers
    }

    private static func readMerges(
        _ field: JSONField, identifiers: [TokenText: Int32]
    ) throws -> [UInt64: BytePairModel.Merge] {
        guard case .array(let values) = field.value else {
            throw field.malformed(expected: "an array")
        }
        var merges: [UInt64: BytePairModel.Merge] = [:]
        merges.reserveCapacity(values.count)
        var rank: Int32 = 0
        let versionMark = Array("#version".utf8)
        for (index, value) in values.enumerated() {
            // The first line of a merges.txt, which old exports carried along.
            if case .text(let text) = value, text.bytes.starts(with: versionMark) { continue }
            let sides = try sides(of: value, at: index, in: field)
            let merged = TokenText(bytes: sides.left.bytes + sides.right.bytes)
            let left = try identifier(of: sides.left, in: identifiers, at: index, field)
            let right = try identifier(of: sides.right, in: identifiers, at: index, field)
            let result = try identifier(of: merged, in: identifiers, at: index, field)
            merges[BytePairModel.pair(left, right)] = .init(rank: rank, result: result)
            rank += 1
        }
        return merges
    }

    private static func sides(
        of value: JSONValue, at index: Int, in field: JSONField
    ) throws -> (left: TokenText, right: TokenText) {
        switch value {
        case .text(let text):
            let parts = text.bytes.split(
                separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            if parts.count == 2 {
                return (TokenText(bytes: Array(parts[0])), TokenText(bytes: Array(parts[1])))
            }
        case .array(let values):
            if values.count == 2, case .text(let left) = values[0],
                case .text(let right) = values[1]
            {
                return (left, right)
            }
        default:
            break
        }
        throw TokenizerError.malformed(
            file: field.file, place: "\(field.place)[\(index)]", found: value.summary,
            expected: "two tokens, as \"a b\" or [\"a\", \"b\"]")
    }

    private static func identifier(
        of text: TokenText, in identifiers: [TokenText: Int32], at index: Int, _ field: JSONField
    ) throws -> Int32 {
        guard let id = identifiers[text] else {
            throw TokenizerError.malformed(
                file: field.file, place: "\(field.place)[\(index)]", found: shown(text),
                expected: "a token of model.vocab")
        }
        return id
    }
}
