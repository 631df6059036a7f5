//! Text to ids and back, as the `tokenizers` library does it from a `tokenizer.json`.

/// A byte-pair tokenizer: GPT-NeoX's byte-level kind or LLaMA's with byte fallback.
package struct Tokenizer: Sendable {
    /// The file that it came from, for messages.
    let file: String
    /// What happens to text between added tokens.
    let normalizer: [NormalizationStep]
    /// How that is cut into words.
    let preTokenizer: [PreTokenizationStep]
    /// How words become ids.
    let model: BytePairModel
    /// The tokens put around a text.
    let template: [TemplatePart]
    /// How tokens become text; nil joins them by spaces.
    let decoder: [DecodingStep]?

    /// The added tokens by text.
    private(set) var addedTokens: [TokenText: AddedToken] = [:]
    /// The text of every id.
    private var texts: [Int: TokenText] = [:]
    private var specialIdentifiers: Set<Int> = []
    private var rawMatcher = AddedTokenMatcher([])
    private var normalizedMatcher = AddedTokenMatcher([])

    /// A tokenizer of these parts; throws `malformed` when an added token contradicts the model's vocabulary.
    init(
        file: String, normalizer: [NormalizationStep], preTokenizer: [PreTokenizationStep],
        model: BytePairModel, template: [TemplatePart], decoder: [DecodingStep]?,
        addedTokens: [AddedToken]
    ) throws(TokenizerError) {
        self.file = file
        self.normalizer = normalizer
        self.preTokenizer = preTokenizer
        self.model = model
        self.template = template
        self.decoder = decoder
        texts.reserveCapacity(model.identifiers.count + addedTokens.count)
        for (text, id) in model.identifiers { texts[Int(id)] = text }
        for token in addedTokens { try insert(token) }
        for case .tokens(let ids) in template {
            for id in ids where texts[id] == nil {
                throw .malformed(
                    file: file, place: "post_processor", found: "the id \(id)",
                    expected: "an id of the vocabulary")
            }
        }
        rebuildMatchers()
    }

    /// The number of tokens, the added ones included.
    package var vocabularyCount: Int { texts.count }

    /// The ids of the special tokens.
    package var specialTokenIdentifiers: Set<Int> { specialIdentifiers }

    /// The id of the token whose text is exactly `token`; nil when there is none.
    package func id(of token: String) -> Int? {
        let text = TokenText(token)
        return addedTokens[text]?.id ?? model.identifiers[text].map(Int.init)
    }

    /// The token's text as the vocabulary spells it, such as `Ġthe` or `▁the`; nil when no token has this id.
    package func token(of id: Int) -> String? {
        texts[id]?.string
    }

    /// The tokenizer with `tokens` added as special tokens in this order, each with the next free id; a token
    /// that exists keeps its id and becomes special. They are matched before normalisation, spaces untouched.
    package func addingSpecialTokens(_ tokens: [String]) -> Tokenizer {
        var result = self
        var next = model.identifiers.count
        if let highest = addedTokens.values.map(\.id).max(), highest >= next { next = highest + 1 }
        for token in tokens where !token.isEmpty {
            var id = result.id(of: token)
            if id == nil {
                while result.texts[next] != nil { next += 1 }
                id = next
            }
            result.place(
                AddedToken(id: id ?? next, content: TokenText(token), isSpecial: true))
        }
        result.rebuildMatchers()
        return result
    }

    /// The ids of `text`. With `applyingTemplate` the post-processor's tokens, such as `<s>`, are put around them;
    /// without `recognizingSpecialTokens` the text of a special token, such as `<image>`, is ordinary text.
    package func encode(
        _ text: String, applyingTemplate: Bool, recognizingSpecialTokens: Bool = true
    ) -> [Int] {
        let ids = encodeBody(Array(text.utf8), recognizesSpecial: recognizingSpecialTokens)
        guard applyingTemplate else { return ids }
        return template.flatMap { part in
            switch part {
            case .text: return ids
            case .tokens(let tokens): return tokens
            }
        }
    }

    /// The text of `ids`; throws `unknownIdentifier` when one of them is no token's. `cleanUpSpaces` is
    /// `transformers`' `clean_up_tokenization_spaces`. Special tokens are skipped by id, so those with
    /// `"normalized": true` (files of LLaMA 1) too, as in `tokenizers` 0.13; 0.23 keeps these.
    package func decode(
        _ ids: [Int], skipSpecialTokens: Bool, cleanUpSpaces: Bool = false
    ) throws(TokenizerError) -> String {
        var decoding = TextDecoding(steps: decoder)
        var bytes: [UInt8] = []
        for id in ids {
            let token = try text(of: id)
            if skipSpecialTokens, isSpecial(id) { continue }
            bytes += decoding.append(token.bytes)
        }
        bytes += decoding.finish()
        let text = String(decoding: bytes, as: UTF8.self)
        return cleanUpSpaces ? cleaningUpSpaces(in: text) : text
    }

    /// The text of token `id`; throws `unknownIdentifier` when there is none.
    func text(of id: Int) throws(TokenizerError) -> TokenText {
        guard let text = texts[id] else {
            throw .unknownIdentifier(id, vocabularyCount: vocabularyCount)
        }
        return text
    }

    /// Whether token `id` is special.
    func isSpecial(_ id: Int) -> Bool {
        specialIdentifiers.contains(id)
    }

    private func encodeBody(_ text: [UInt8], recognizesSpecial: Bool) -> [Int] {
        var ids: [Int] = []
        for part in rawMatcher.split(text[...], recognizesSpecial: recognizesSpecial) {
            switch part {
            case .token(let id):
                ids.append(id)
            case .text(let segment):
                let isFirst = segment.startIndex == 0
                let normalized = normalizer.reduce(Array(segment)) { $1.apply(to: $0) }
                encodeSegment(normalized, isFirst, recognizesSpecial, into: &ids)
            }
        }
        return ids
    }

    private func encodeSegment(
        _ segment: [UInt8], _ isFirst: Bool, _ recognizesSpecial: Bool, into ids: inout [Int]
    ) {
        for part in normalizedMatcher.split(segment[...], recognizesSpecial: recognizesSpecial) {
            switch part {
            case .token(let id):
                ids.append(id)
            case .text(let piece):
                let startsText = isFirst && piece.startIndex == 0
                var words = [scalarValues(of: piece)]
                for step in preTokenizer {
                    words = words.enumerated().flatMap { index, word in
                        step.apply(to: word, isFirst: startsText && index == 0)
                    }
                }
                for word in words { model.encode(word, into: &ids) }
            }
        }
    }

    private mutating func insert(_ token: AddedToken) throws(TokenizerError) {
        if let known = id(of: token.content.string), known != token.id {
            throw .malformed(
                file: file, place: "added_tokens", found: "\(shown(token.content)) as \(token.id)",
                expected: "its id \(known) in the vocabulary")
        }
        if let other = texts[token.id], other != token.content {
            throw .malformed(
                file: file, place: "added_tokens",
                found: "the id \(token.id) for \(shown(token.content))",
                expected: "an id that is not \(shown(other))'s")
        }
        place(token)
    }

    private mutating func place(_ token: AddedToken) {
        addedTokens[token.content] = token
        texts[token.id] = token.content
        if token.isSpecial { specialIdentifiers.insert(token.id) }
    }

    private mutating func rebuildMatchers() {
        let tokens = addedTokens.values.sorted { $0.id < $1.id }
        rawMatcher = AddedTokenMatcher(
            tokens.filter { !$0.isNormalized }.map { ($0.content.bytes, $0) })
        normalizedMatcher = AddedTokenMatcher(
            tokens.filter(\.isNormalized).map { token in
                (normalizer.reduce(token.content.bytes) { $1.apply(to: $0) }, token)
            })
    }
}
