//! The map of the model: pixels → vision encoder → resampler → gated decoder → logits.

package import WadeTensor

/// A visual language model after Alayrac et al., "Flamingo" (arXiv 2204.14198). Immutable; every state is an argument.
package struct Flamingo: Sendable {
    package let configuration: FlamingoConfiguration
    /// Frames to features; frozen.
    package let vision: VisionEncoder
    /// A clip's features to its visual tokens; trained. Nil where the features are the visual tokens.
    package let resampler: PerceiverResampler?
    /// Text that sees visual tokens; frozen but for the gated layers.
    package let language: LanguageModel

    /// Builds the model from canonically named weights; a missing, unread or misshapen tensor is an error.
    package init(
        _ weights: Weights, _ configuration: FlamingoConfiguration, arithmetic: Arithmetic
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        vision = try VisionEncoder(
            weights["vision"], configuration.vision, arithmetic: arithmetic.ofSeeing)
        resampler =
            configuration.resampler.layers == 0
            ? nil
            : try PerceiverResampler(
                weights["resampler"], configuration.resampler, arithmetic: arithmetic.ofSeeing)
        language = try LanguageModel(weights, configuration, arithmetic: arithmetic)
        try weights.requireAllRead()
    }

    /// One clip's normalised pixels (F, 3, S, S) to its visual tokens (R, D); in IDEFICS every frame is a media of its own,
    /// and its visual tokens follow those of the frame before, (F·R, D).
    package func visualTokens(_ pixels: Tensor) throws -> Tensor {
        try visualTokens(ofFeatures: features(pixels))
    }

    /// One clip's normalised pixels (F, 3, S, S) to its frames' features (F, V, D).
    package func features(_ pixels: Tensor) throws -> Tensor {
        try encodingDistinctFrames(of: pixels) { try vision($0) }
    }

    /// One clip's features (F, V, D) to its visual tokens.
    package func visualTokens(ofFeatures features: Tensor) throws -> Tensor {
        let count = configuration.mediaCount(ofFrames: features.shape[0])
        let frames = features.shape[0] / count
        return Tensor.concatenated(
            try (0..<count).map { media in
                let seen = features[media * frames..<(media + 1) * frames]
                return try resampler?(seen) ?? seen[0]
            })
    }

    /// What the gated layers keep of one or more clips' visual tokens, in prompt order.
    package func media(_ visualTokens: [Tensor]) -> Media {
        guard !visualTokens.isEmpty else { return .none }
        let tokens = Tensor.concatenated(visualTokens)
        return Media(
            pieces: [language.keysAndValues(of: tokens)],
            count: tokens.rows / configuration.resampler.latents)
    }

    /// Tokens that follow `sequence` to their final hidden states (T, D); the sequence then includes them.
    package func callAsFunction(
        _ ids: [Int], sequence: inout TextSequence, observe: (String, Tensor) -> Void = { _, _ in }
    ) throws -> Tensor {
        try requireTokens(ids)
        let windows = windows(of: ids, in: &sequence)
        return language(
            ids, media: sequence.media.pieces, windows: windows, cache: &sequence.cache,
            observe: observe)
    }

    /// The next tokens of each of several sequences to their final hidden states (T, D), one sequence after the other, computed
    /// together; a row of it is the same in any company.
    package func advance(_ texts: [[Int]], sequences: inout [TextSequence]) throws -> Tensor {
        precondition(texts.count == sequences.count, "advance: one text per sequence")
        for ids in texts { try requireTokens(ids) }
        var rows: [TextRows] = []
        for (index, ids) in texts.enumerated() {
            let windows = windows(of: ids, in: &sequences[index])
            var cache = KeyValueCache(layers: [])
            swap(&cache, &sequences[index].cache)
            rows.append(
                TextRows(
                    ids: ids, media: sequences[index].media.pieces, windows: windows, cache: cache))
        }
        let hidden = language(&rows, rows: .apart)
        for index in rows.indices { swap(&rows[index].cache, &sequences[index].cache) }
        return hidden
    }

    /// Throws for no tokens, and for one outside the vocabulary.
    func requireTokens(_ ids: [Int]) throws {
        guard !ids.isEmpty else {
            throw FlamingoError.request(found: "no tokens", expected: "at least one")
        }
        for id in ids where id < 0 || id >= language.vocabularySize {
            throw FlamingoError.tokenOutOfRange(id: id, vocabularySize: language.vocabularySize)
        }
    }

    /// The visual tokens that each of `ids` sees; the sequence then knows which media have gone by.
    private func windows(of ids: [Int], in sequence: inout TextSequence) -> [KeyWindow] {
        if sequence.blind { return ids.map { _ in .nothing } }
        if let settled = sequence.settledWindow { return ids.map { _ in settled } }
        let mask = MediaMask(
            isMedia: ids.map { $0 == configuration.tokens.image },
            mediaBefore: sequence.mediaSeen,
            endsText: ids.map { $0 == configuration.tokens.endOfText },
            afterEndOfText: sequence.textHasEnded,
            visibility: configuration.crossAttention.visibility)
        let windows = mask.windows(
            mediaCount: sequence.media.count, latents: configuration.resampler.latents)
        sequence.mediaSeen = mask.mediaSeen
        sequence.textHasEnded = mask.textHasEnded
        sequence.lastWindow = windows.last ?? sequence.lastWindow
        return windows
    }

    /// Tells the sequence that what follows is generated: in IDEFICS it sees what the prompt's last token saw.
    package func beginGenerating(_ sequence: inout TextSequence) {
        guard configuration.crossAttention.visibility == .lastMediaOfText else { return }
        sequence.settledWindow = sequence.lastWindow
    }

    /// Bytes of the keys and values that `sequence` holds, of text and of media.
    package func bytes(of sequence: TextSequence) -> Int {
        let text = sequence.length * configuration.language.layers * configuration.language.width
        let media =
            sequence.media.count
            * configuration.crossAttention.keyValueCount(latents: configuration.resampler.latents)
        return MemoryLayout<Float>.size * (2 * text + media)
    }

    /// A sequence that has seen no text yet and will see the given media.
    package func sequence(media: Media) -> TextSequence {
        TextSequence(cache: language.emptyCache(), media: media)
    }
}

/// The media of a prompt as the gated layers see them: pieces that count as one row of media.
package struct Media: Sendable {
    /// Keys and values by decoder layer; the demonstrations' piece is shared by all clips.
    let pieces: [[Int: MediaKeysAndValues]]
    /// M
    package let count: Int

    /// No media: what a prompt's media begin with.
    package static let none = Media(pieces: [], count: 0)

    /// These media followed by others, without copying.
    package func followed(by other: Media) -> Media {
        Media(pieces: pieces + other.pieces, count: count + other.count)
    }
}

/// A text in the making: what the language model has seen, which media it may see, and how many `<image>` tokens went by.
package struct TextSequence: Sendable {
    var cache: KeyValueCache
    package fileprivate(set) var media: Media
    var mediaSeen = 0
    /// Whether a text has ended and no media has come since.
    var textHasEnded = false
    /// What the last position saw.
    var lastWindow = KeyWindow.nothing
    /// What every further position sees, once that is settled.
    var settledWindow: KeyWindow?
    /// Whether cross-attention is closed: Otter's generated tokens in the original's cached mode, and the control without a clip.
    package var blind = false

    /// The number of positions seen.
    package var length: Int { cache.length }

    /// Makes one more piece of media known, for the `<image>` tokens that come.
    package mutating func append(_ media: Media) { self.media = self.media.followed(by: media) }

    /// Forgets the positions from `length` on; none of them may have been an `<image>`.
    package mutating func truncate(to length: Int) { cache.truncate(to: length) }

    /// The next sequence of a shared prompt prefix: the same past, without copying it, and one more piece of media.
    package func continued(with media: Media) -> TextSequence {
        var next = self
        next.cache = cache.continued()
        next.media = self.media.followed(by: media)
        return next
    }
}
