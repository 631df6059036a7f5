//! A SentencePiece `.model` of the BPE kind (LLaMA's), read without the library.

/// The pieces of a `.model` and what it says about text; see `sentencepiece_model.proto` of google/sentencepiece.
package struct SentencePieceModel: Sendable {
    /// The kinds of piece that a BPE model of LLaMA's family has, with their numbers in the file.
    enum Kind: UInt64, Sendable {
        case normal = 1
        case unknown = 2
        case control = 3
        case byte = 6
    }

    /// One entry of the vocabulary; its id is its place.
    struct Piece: Sendable {
        /// The piece's text, with `▁` for a space.
        var text: TokenText
        /// The higher, the earlier the piece is made.
        var score: Float
        /// What the piece is.
        var kind: Kind
    }

    /// A pair of pieces that spells a third.
    struct Merge: Sendable {
        var left: Int
        var right: Int
        var result: Int
        /// Pieces of the same score have the same rank: SentencePiece then merges leftmost first.
        var rank: Int
    }

    /// The file's name for messages.
    let file: String
    /// All pieces in the order of their ids.
    let pieces: [Piece]
    /// The merges by rank, and within a rank as `transformers` writes them.
    let merges: [Merge]
    /// Whether text gets a `▁` in front.
    let addsDummyPrefix: Bool
    /// Whether unknown text becomes byte pieces.
    let fallsBackToBytes: Bool
    /// The id of `<s>`; nil when the model has none.
    let beginningOfText: Int?

    /// The model in the file at `path`; throws `TokenizerError`.
    package init(path: String) throws {
        try self.init(bytes: try readTokenizerFile(path), file: path)
    }

    /// The model whose file holds `bytes`; throws `unsupported` for unigram, word and character models, for text
    /// normalisation other than identity and for user-defined or unused pieces.
    package init(bytes: [UInt8], file: String) throws {
        let reader = try SentencePieceReader(bytes[...], file: file)
        try reader.refuseUnsupported()
        self.file = file
        pieces = reader.pieces
        addsDummyPrefix = reader.addsDummyPrefix
        fallsBackToBytes = reader.fallsBackToBytes
        beginningOfText = reader.beginningOfText
        merges = Self.merges(of: reader.pieces)
    }

    /// Every way to spell a normal piece by two others, best score first.
    private static func merges(of pieces: [Piece]) -> [Merge] {
        var identifiers: [TokenText: Int] = [:]
        for (id, piece) in pieces.enumerated() where piece.kind == .normal {
            identifiers[piece.text] = id
        }
        let scores = Set(pieces.filter { $0.kind == .normal }.map(\.score)).sorted(by: >)
        var ranks: [Float: Int] = [:]
        for (rank, score) in scores.enumerated() { ranks[score] = rank }
        var merges: [Merge] = []
        for (id, piece) in pieces.enumerated() where piece.kind == .normal {
            let bytes = piece.text.bytes
            for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
                guard let left = identifiers[TokenText(bytes: Array(bytes[..<cut]))],
                    let right = identifiers[TokenText(bytes: Array(bytes[cut...]))]
                else { continue }
                merges.append(
                    Merge(left: left, right: right, result: id, rank: ranks[piece.score] ?? 0))
            }
        }
        let lengths = pieces.map(\.text.string.unicodeScalars.count)
        // transformers' order: score, then the longer left side, then the longer right side, then ids.
        return merges.sorted { one, other in
            (one.rank, lengths[other.left], lengths[other.right], one.result, one.left, one.right)
                < (
                    other.rank, lengths[one.left], lengths[one.right], other.result, other.left,
                    other.right
                )
        }
    }

    /// The tokenizer that encodes as the SentencePiece library does; encoding without recognising special tokens is
    /// that library's own behaviour. Throws `malformed` when the pieces contradict each other.
    package func tokenizer() throws -> Tokenizer {
        var identifiers: [TokenText: Int32] = [:]
        for (id, piece) in pieces.enumerated() {
            guard let small = Int32(exactly: id),
                identifiers.updateValue(small, forKey: piece.text) == nil
            else {
                throw TokenizerError.malformed(
                    file: file, place: "piece \(id)", found: "\(shown(piece.text)) a second time",
                    expected: "each piece once")
            }
        }
        var table: [UInt64: BytePairModel.Merge] = [:]
        for merge in merges {
            let pair = BytePairModel.pair(Int32(merge.left), Int32(merge.right))
            table[pair] = .init(rank: Int32(merge.rank), result: Int32(merge.result))
        }
        let unknown = pieces.firstIndex { $0.kind == .unknown }
        let options = BytePairModel.Options(
            unknown: unknown.map(Int32.init), fusesUnknown: true,
            fallsBackToBytes: fallsBackToBytes, ignoresMerges: false)
        return try Tokenizer(
            file: file, normalizer: normalizer, preTokenizer: [],
            model: BytePairModel(identifiers: identifiers, merges: table, options: options),
            template: (beginningOfText.map { [.tokens([$0])] } ?? []) + [.text],
            decoder: decoder, addedTokens: specialTokens)
    }

    /// The unknown and the control pieces, which are special tokens.
    var specialTokens: [AddedToken] {
        pieces.enumerated().compactMap { id, piece in
            guard piece.kind == .unknown || piece.kind == .control else { return nil }
            return AddedToken(id: id, content: piece.text, isSpecial: true)
        }
    }

    private var normalizer: [NormalizationStep] {
        let mark = Array("▁".utf8)
        let replacement = NormalizationStep.replace(pattern: [0x20], content: mark)
        return addsDummyPrefix ? [.prepend(mark), replacement] : [replacement]
    }

    private var decoder: [DecodingStep] {
        let steps: [DecodingStep] = [
            .replace(pattern: Array("▁".utf8), content: [0x20]), .byteFallback, .fuse,
        ]
        return addsDummyPrefix ? steps + [.strip(content: 0x20, count: 1)] : steps
    }
}
