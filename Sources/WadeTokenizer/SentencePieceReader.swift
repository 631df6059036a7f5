//! The messages of a SentencePiece `.model`: `ModelProto`, `TrainerSpec`, `NormalizerSpec`.

/// What a `.model` says, read field by field; fields that do not matter for encoding are passed over.
struct SentencePieceReader {
    private(set) var pieces: [SentencePieceModel.Piece] = []
    private(set) var addsDummyPrefix = true
    private(set) var fallsBackToBytes = false
    /// The id of `<s>`; nil when the model has none.
    private(set) var beginningOfText: Int?

    /// Bytes of a piece; trainers stop at 16 characters unless told otherwise, and finding the merges of a piece takes
    /// time quadratic in its length.
    private static let longestPiece = 256

    private let file: String
    private var modelType: UInt64 = 1
    private var hasCharacterMap = false
    private var removesExtraSpace = true
    private var escapesSpace = true
    private var treatsSpaceAsSuffix = false
    private var hasTrainerSpecification = false
    private var beginningIdentifier: UInt64 = 1

    /// Reads the message `bytes`.
    init(_ bytes: ArraySlice<UInt8>, file: String) throws(TokenizerError) {
        self.file = file
        var reader = ProtocolBufferReader(bytes, file: file)
        while let (field, payload) = try reader.next() {
            switch (field, payload) {
            case (1, .bytes(let message)): try readPiece(message)
            case (2, .bytes(let message)): try readTrainerSpecification(message)
            case (3, .bytes(let message)): try readNormalizerSpecification(message)
            case (1...3, _): throw malformed("field \(field)", "a number", "a message")
            default: break
            }
        }
        guard hasTrainerSpecification, !pieces.isEmpty else {
            throw malformed("model", "no pieces or no trainer_spec", "a SentencePiece model")
        }
        // -1, which the file holds as 64 ones, means that there is none.
        if let id = Int(exactly: beginningIdentifier), pieces.indices.contains(id),
            pieces[id].kind == .control
        {
            beginningOfText = id
        }
    }

    /// Throws `unsupported` when the model would encode otherwise than this room does.
    func refuseUnsupported() throws(TokenizerError) {
        let names: [UInt64: String] = [1: "unigram", 3: "word", 4: "char"]
        if modelType != 2 {
            throw unsupported(
                "trainer_spec.model_type", names[modelType] ?? "\(modelType)", "bpe")
        }
        if treatsSpaceAsSuffix {
            throw unsupported("trainer_spec.treat_whitespace_as_suffix", "true", "false")
        }
        if hasCharacterMap {
            throw unsupported(
                "normalizer_spec.precompiled_charsmap", "a character map", "the identity")
        }
        if removesExtraSpace {
            throw unsupported("normalizer_spec.remove_extra_whitespaces", "true", "false")
        }
        if !escapesSpace {
            throw unsupported("normalizer_spec.escape_whitespaces", "false", "true")
        }
    }

    private func malformed(_ place: String, _ found: String, _ expected: String) -> TokenizerError {
        .malformed(file: file, place: place, found: found, expected: expected)
    }

    private func unsupported(_ place: String, _ name: String, _ supported: String) -> TokenizerError
    {
        .unsupported(file: file, place: place, name: name, supported: supported)
    }

    private mutating func readPiece(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
        let place = "piece \(pieces.count)"
        var piece = SentencePieceModel.Piece(text: TokenText(bytes: []), score: 0, kind: .normal)
        var reader = ProtocolBufferReader(message, file: file)
        while let (field, payload) = try reader.next() {
            switch (field, payload) {
            case (1, .bytes(let text)):
                guard String(validating: text, as: UTF8.self) != nil else {
                    throw malformed(place, "bytes that are not UTF-8", "UTF-8")
                }
                piece.text = TokenText(bytes: Array(text))
            case (2, .fixed(let bits)):
                piece.score = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            case (3, .varint(let number)):
                guard let kind = SentencePieceModel.Kind(rawValue: number) else {
                    throw unsupported(
                        place, "the piece type \(number)", "normal, unknown, control or byte")
                }
                piece.kind = kind
            case (1...3, _):
                throw malformed(place, "field \(field) of another type", "text, score and type")
            default: break
            }
        }
        guard !piece.text.bytes.isEmpty, !piece.score.isNaN else {
            throw malformed(place, "no text or no score", "a piece")
        }
        guard piece.text.bytes.count <= Self.longestPiece else {
            throw malformed(
                place, "\(piece.text.bytes.count) bytes", "at most \(Self.longestPiece)")
        }
        pieces.append(piece)
    }

    private mutating func readTrainerSpecification(
        _ message: ArraySlice<UInt8>
    ) throws(TokenizerError) {
        hasTrainerSpecification = true
        var reader = ProtocolBufferReader(message, file: file)
        while let (field, payload) = try reader.next() {
            guard case .varint(let number) = payload else { continue }
            switch field {
            case 3: modelType = number
            case 24: treatsSpaceAsSuffix = number != 0
            case 35: fallsBackToBytes = number != 0
            case 41: beginningIdentifier = number
            default: break
            }
        }
    }

    private mutating func readNormalizerSpecification(
        _ message: ArraySlice<UInt8>
    ) throws(TokenizerError) {
        var reader = ProtocolBufferReader(message, file: file)
        while let (field, payload) = try reader.next() {
            switch (field, payload) {
            case (2, .bytes(let map)): hasCharacterMap = !map.isEmpty
            case (3, .varint(let number)): addsDummyPrefix = number != 0
            case (4, .varint(let number)): removesExtraSpace = number != 0
            case (5, .varint(let number)): escapesSpace = number != 0
            default: break
            }
        }
    }
}
