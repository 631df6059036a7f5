//! How tokens become text again: the `decoder` section of `tokenizer.json`.

/// One step of a decoder; a step sees the tokens in order.
enum DecodingStep: Sendable {
    /// Replaces every occurrence of a text in a token.
    case replace(pattern: [UInt8], content: [UInt8])
    /// Turns runs of tokens such as `<0xE2>` into what their bytes spell, or as many U+FFFD.
    case byteFallback
    /// Joins all tokens into one.
    case fuse
    /// Drops up to `count` scalars `content` from the start of every token.
    case strip(content: UInt32, count: Int)
    /// Turns tokens in the byte alphabet into bytes and all of them into one token.
    case byteLevel
    /// Turns a visible character into a space, or into nothing in the first token.
    case metaspace(replacement: [UInt8], dropsInFirst: Bool)

    /// Whether tokens are one after this step.
    private var joinsTokens: Bool {
        switch self {
        case .fuse, .byteLevel: return true
        default: return false
        }
    }

    /// Whether the step can work on a joined token that arrives in parts.
    private var worksInParts: Bool {
        switch self {
        case .fuse, .strip: return true
        default: return false
        }
    }

    /// The steps of the section `field`; throws `unsupported` for other kinds and for steps that need the whole
    /// text after its tokens were joined, which could not be streamed.
    static func read(_ field: JSONField) throws -> [DecodingStep] {
        let steps = try readSteps(field)
        try field.refuseGrowth(
            steps.map { step in
                guard case .replace(let pattern, let content) = step else { return 1 }
                return replacementGrowth(pattern, content)
            })
        if let joined = steps.firstIndex(where: \.joinsTokens),
            !steps[(joined + 1)...].allSatisfy(\.worksInParts)
        {
            throw field.unsupported(
                "a step after the tokens are joined", supported: "only Strip there")
        }
        return steps
    }

    private static func readSteps(_ field: JSONField) throws -> [DecodingStep] {
        let kind = try field.text("type").string
        switch kind {
        case "Sequence":
            return try field.required("decoders").elements().flatMap { try readSteps($0) }
        case "Replace":
            let pattern = try NormalizationStep.readPattern(of: field)
            return [.replace(pattern: pattern, content: try field.text("content").bytes)]
        case "ByteFallback":
            return [.byteFallback]
        case "Fuse":
            return [.fuse]
        case "Strip":
            return [try readStrip(field)]
        case "ByteLevel":
            return [.byteLevel]
        case "Metaspace":
            let (scalar, scheme) = try PreTokenizationStep.readMetaspace(field)
            let text = Unicode.Scalar(scalar).map { Array(String($0).utf8) } ?? []
            return [.metaspace(replacement: text, dropsInFirst: scheme != .never)]
        default:
            throw field.unsupported(
                "the decoder \(kind)",
                supported: "ByteLevel, Replace, ByteFallback, Fuse, Strip or Metaspace")
        }
    }

    private static func readStrip(_ field: JSONField) throws -> DecodingStep {
        let content = try field.required("content")
        guard let scalar = try content.text().onlyScalar else {
            throw content.malformed(expected: "one character")
        }
        let stop = try field.required("stop")
        guard try stop.identifier() == 0 else {
            throw stop.unsupported("stripping at the end", supported: "0")
        }
        return .strip(content: scalar, count: try field.required("start").identifier())
    }
}
