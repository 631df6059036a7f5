//! What happens to text before it is split: the `normalizer` section of `tokenizer.json`.

/// One step of a normaliser; steps see one segment between added tokens at a time.
enum NormalizationStep: Sendable {
    /// Unicode's canonical composition.
    case composition
    /// Puts a text before every segment that is not empty.
    case prepend([UInt8])
    /// Replaces every occurrence of a text.
    case replace(pattern: [UInt8], content: [UInt8])

    /// `bytes` (UTF-8) after this step.
    func apply(to bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .composition: return canonicallyComposed(bytes)
        case .prepend(let prefix): return bytes.isEmpty ? bytes : prefix + bytes
        case .replace(let pattern, let content):
            return replacing(pattern, with: content, in: bytes)
        }
    }

    /// How many times longer, in bytes, the step can make a text.
    private var growth: Int {
        switch self {
        case .composition: return 3
        case .prepend(let prefix): return 1 + prefix.count
        case .replace(let pattern, let content): return replacementGrowth(pattern, content)
        }
    }

    /// The steps of the section `field`; throws `unsupported` for any other kind of normaliser, and for steps that together
    /// lengthen texts without measure.
    static func read(_ field: JSONField?) throws -> [NormalizationStep] {
        guard let field else { return [] }
        let steps = try readSteps(field)
        try field.refuseGrowth(steps.map(\.growth))
        return steps
    }

    private static func readSteps(_ field: JSONField) throws -> [NormalizationStep] {
        let kind = try field.text("type").string
        switch kind {
        case "Sequence":
            return try field.required("normalizers").elements().flatMap { try readSteps($0) }
        case "NFC":
            return [.composition]
        case "Prepend":
            return [.prepend(try field.text("prepend").bytes)]
        case "Replace":
            let pattern = try readPattern(of: field)
            return [.replace(pattern: pattern, content: try field.text("content").bytes)]
        default:
            throw field.unsupported(
                "the normalizer \(kind)", supported: "NFC, Prepend, Replace or a Sequence of them")
        }
    }

    /// The literal pattern of a `Replace`, in a normaliser or a decoder; regular expressions are refused.
    static func readPattern(of field: JSONField) throws -> [UInt8] {
        let pattern = try field.required("pattern")
        guard let text = try pattern.optional("String") else {
            throw pattern.unsupported("a regular expression", supported: "a String pattern")
        }
        let bytes = try text.text().bytes
        guard !bytes.isEmpty else { throw text.malformed(expected: "a string that is not empty") }
        return bytes
    }
}
