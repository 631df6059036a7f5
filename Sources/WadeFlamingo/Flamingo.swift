//! The map of the model: pixels → vision encoder → resampler → gated decoder → logits.

package import WadeTensor

/// A visual language model after Alayrac et al., "Flamingo" (arXiv 2204.14198). Immutable; every state is an argument.
package struct Flamingo: Sendable {
    package let configuration: FlamingoConfiguration
    /// Frames to patch features; frozen.
    package let vision: CLIPVisionTransformer
    /// A clip's features to its visual tokens; trained.
    package let resampler: PerceiverResampler
    /// Text that sees visual tokens; frozen but for the gated layers.
    package let language: LanguageModel

    /// Builds the model from canonically named weights; a missing, unread or misshapen tensor is an error.
    package init(
        _ weights: Weights, _ configuration: FlamingoConfiguration, arithmetic: Arithmetic
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        vision = try CLIPVisionTransformer(
            weights["vision"], configuration.vision, arithmetic: arithmetic)
        resampler = try PerceiverResampler(
            weights["resampler"], configuration.resampler, arithmetic: arithmetic)
        language = try LanguageModel(weights, configuration, arithmetic: arithmetic)
        try weights.requireAllRead()
    }

    /// One clip's normalised pixels (F, 3, S, S) to its visual tokens (R, D).
    package func visualTokens(_ pixels: Tensor) throws -> Tensor {
        try resampler(try vision(pixels))
    }

    /// What the gated layers keep of one or more media's visual tokens, (R, D) each, in prompt order.
    package func media(_ visualTokens: [Tensor]) -> Media {
        guard !visualTokens.isEmpty else { return Media(pieces: [], count: 0) }
        let pieces = [language.keysAndValues(of: Tensor.concatenated(visualTokens))]
        return Media(pieces: pieces, count: visualTokens.count)
    }

    /// Tokens that follow `sequence` to their final hidden states (T, D); the sequence then includes them.
    package func callAsFunction(
        _ ids: [Int], sequence: inout TextSequence, observe: (String, Tensor) -> Void = { _, _ in }
    ) throws -> Tensor {
        for id in ids where id < 0 || id >= language.vocabularySize {
            throw FlamingoError.tokenOutOfRange(id: id, vocabularySize: language.vocabularySize)
        }
        let isMedia = ids.map { $0 == configuration.tokens.image }
        let mask = MediaMask(
            isMedia: isMedia, mediaBefore: sequence.mediaSeen,
            visibility: configuration.crossAttention.visibility)
        let windows =
            sequence.blind
            ? ids.map { _ in KeyWindow.nothing }
            : mask.windows(
                mediaCount: sequence.media.count, latents: configuration.resampler.latents)
        sequence.mediaSeen = mask.lastMedia.last ?? sequence.mediaSeen
        return language(
            ids, media: sequence.media.pieces, windows: windows, cache: &sequence.cache,
            observe: observe)
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

    /// These media followed by others, without copying.
    package func followed(by other: Media) -> Media {
        Media(pieces: pieces + other.pieces, count: count + other.count)
    }
}

/// A text in the making: what the language model has seen, which media it may see, and how many `<image>` tokens went by.
package struct TextSequence: Sendable {
    var cache: KeyValueCache
    package let media: Media
    var mediaSeen = 0
    /// Whether cross-attention is closed: Otter's generated tokens in the original's cached mode, and the control without a clip.
    package var blind = false

    /// The number of positions seen.
    package var length: Int { cache.length }

    /// The next sequence of a shared prompt prefix: the same past, without copying it, and one more piece of media.
    package func continued(with media: Media) -> TextSequence {
        TextSequence(
            cache: cache.continued(), media: self.media.followed(by: media), mediaSeen: mediaSeen)
    }
}
