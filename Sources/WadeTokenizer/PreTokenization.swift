//! How text is cut into the words that byte-pair encoding sees: the `pre_tokenizer` section of `tokenizer.json`.

/// One step of a pre-tokeniser; words are scalar values.
enum PreTokenizationStep: Sendable {
    /// Where a metaspace is put before text.
    enum PrependScheme: String, Sendable {
        /// Before every segment.
        case always
        /// Before the segment that starts the text.
        case first
        /// Nowhere.
        case never
    }

    /// GPT-2's words, written in the byte alphabet.
    case byteLevel(addsPrefixSpace: Bool, splitsWords: Bool)
    /// Spaces written as a visible character, which starts each word when `splitsWords`.
    case metaspace(replacement: UInt32, scheme: PrependScheme, splitsWords: Bool)

    /// The words of `word`; `isFirst` says that it starts the text.
    func apply(to word: [UInt32], isFirst: Bool) -> [[UInt32]] {
        switch self {
        case .byteLevel(let addsPrefixSpace, let splitsWords):
            let text = addsPrefixSpace && word.first != 0x20 ? [0x20] + word : word
            guard splitsWords else { return [inByteAlphabet(text[...])] }
            var start = 0
            return wordLengths(of: text).map { length in
                defer { start += length }
                return inByteAlphabet(text[start..<(start + length)])
            }
        case .metaspace(let replacement, let scheme, let splitsWords):
            var text = word.map { $0 == 0x20 ? replacement : $0 }
            let prepends = scheme == .always || (scheme == .first && isFirst)
            if prepends, text.first != replacement { text.insert(replacement, at: 0) }
            return splitsWords ? split(text, before: replacement) : [text]
        }
    }

    private func inByteAlphabet(_ scalars: ArraySlice<UInt32>) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        for value in scalars {
            guard let scalar = Unicode.Scalar(value), let units = UTF8.encode(scalar) else {
                continue
            }
            for unit in units { result.append(ByteAlphabet.scalars[Int(unit)]) }
        }
        return result
    }

    private func split(_ text: [UInt32], before mark: UInt32) -> [[UInt32]] {
        var words: [[UInt32]] = []
        for scalar in text {
            if scalar == mark || words.isEmpty { words.append([]) }
            words[words.count - 1].append(scalar)
        }
        return words
    }

    /// How many times longer, in scalars, the step can make a word: bytes for scalars, a space before it.
    private var growth: Int {
        switch self {
        case .byteLevel: return 5
        case .metaspace: return 2
        }
    }

    /// The steps of the section `field`; throws `unsupported` for any other kind of pre-tokeniser, and for steps that together
    /// lengthen words without measure.
    static func read(_ field: JSONField?) throws -> [PreTokenizationStep] {
        guard let field else { return [] }
        let steps = try readSteps(field)
        try field.refuseGrowth(steps.map(\.growth))
        return steps
    }

    private static func readSteps(_ field: JSONField) throws -> [PreTokenizationStep] {
        let kind = try field.text("type").string
        switch kind {
        case "Sequence":
            return try field.required("pretokenizers").elements().flatMap { try readSteps($0) }
        case "ByteLevel":
            let step = PreTokenizationStep.byteLevel(
                addsPrefixSpace: try field.boolean("add_prefix_space", absent: true),
                splitsWords: try field.boolean("use_regex", absent: true))
            return [step]
        case "Metaspace":
            let (replacement, scheme) = try readMetaspace(field)
            let splitsWords = try field.boolean("split", absent: true)
            return [
                .metaspace(replacement: replacement, scheme: scheme, splitsWords: splitsWords)
            ]
        default:
            throw field.unsupported(
                "the pre-tokenizer \(kind)",
                supported: "ByteLevel, Metaspace or a Sequence of them")
        }
    }

    /// The character and the scheme of a `Metaspace`; old files say `add_prefix_space` for the scheme.
    static func readMetaspace(
        _ field: JSONField
    ) throws -> (replacement: UInt32, scheme: PrependScheme) {
        let replacement = try field.required("replacement")
        guard let scalar = try replacement.text().onlyScalar else {
            throw replacement.malformed(expected: "one character")
        }
        if try !field.boolean("add_prefix_space", absent: true) { return (scalar, .never) }
        guard let named = try field.optional("prepend_scheme") else { return (scalar, .always) }
        guard let scheme = PrependScheme(rawValue: try named.text().string) else {
            throw named.malformed(expected: "always, first or never")
        }
        return (scalar, scheme)
    }
}
