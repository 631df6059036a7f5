//! The sizes of each part of a Flamingo.
package import WadeImage
package import WadeTensor

/// A vision transformer as CLIP has it.
package struct VisionTransformerConfiguration: Codable, Sendable, Equatable {
    /// Side of the square input, in pixels.
    package var imageSize: Int
    /// Side of a square patch, in pixels.
    package var patchSize: Int
    package var width: Int
    package var layers: Int
    package var heads: Int
    package var mlpWidth: Int
    package var activation: Activation
    package var normEpsilon: Float
    /// Width of the contrastive embedding that RICES compares; nil when the projection is not there.
    package var projectionWidth: Int?
    /// Whether the class token is among the features (IDEFICS); nil means no.
    package var keepsClassToken: Bool?
    /// Whether a layer norm stands behind the last block (Flaminglet); nil means no.
    package var outputNorm: Bool?
    /// What is added to the patches' features (Flaminglet); nil means nothing.
    package var outputPosition: SinePosition?
    /// How a picture becomes the input.
    package var preprocessing: Preprocessing

    enum CodingKeys: String, CodingKey {
        case width, layers, heads, activation, preprocessing
        case imageSize = "image_size"
        case patchSize = "patch_size"
        case mlpWidth = "mlp_width"
        case normEpsilon = "norm_epsilon"
        case projectionWidth = "projection_width"
        case keepsClassToken = "keeps_class_token"
        case outputNorm = "output_norm"
        case outputPosition = "output_position"
    }

    /// V, the number of patches of a frame.
    package var patches: Int { (imageSize / patchSize) * (imageSize / patchSize) }

    /// The number of features of a frame.
    package var features: Int { patches + (keepsClassToken ?? false ? 1 : 0) }

    func validate() throws {
        try requirePositive([
            ("vision.image_size", imageSize), ("vision.patch_size", patchSize),
            ("vision.width", width), ("vision.layers", layers), ("vision.heads", heads),
            ("vision.mlp_width", mlpWidth), ("vision.projection_width", projectionWidth ?? 1),
        ])
        try require(
            patchSize <= imageSize, "vision.patch_size", patchSize,
            "at most image_size, \(imageSize)")
        try require(
            width % heads == 0, "vision.heads", heads, "a divisor of width, \(width)")
        try requireEpsilon("vision.norm_epsilon", normEpsilon)
        try require(
            outputPosition == nil || width % 8 == 0, "vision.width", width,
            "a multiple of 8, for output_position")
        try require(
            outputPosition?.amplitude.isFinite ?? true, "vision.output_position.amplitude",
            outputPosition?.amplitude ?? 0, "a finite number")
        try require(
            preprocessing.imageSize == imageSize, "vision.preprocessing.image_size",
            preprocessing.imageSize, "image_size, \(imageSize)")
    }
}

/// The Perceiver Resampler (§2.1 of the paper).
package struct ResamplerConfiguration: Codable, Sendable, Equatable {
    /// D of the vision encoder's features and of the visual tokens.
    package var width: Int
    /// 0: there is no resampler, and a frame's features are its visual tokens (a variant of IDEFICS).
    package var layers: Int
    package var heads: Int
    /// Width of one head.
    package var headWidth: Int
    /// R, the number of visual tokens of one media.
    package var latents: Int
    package var mlpWidth: Int
    package var activation: Activation
    /// Rows of the temporal embedding; nil when the model has none.
    package var frames: Int?
    /// What happens when a clip has another number of frames than `frames`.
    package var frameEmbedding: FrameEmbedding
    /// Rows of the embedding per media; nil when the model has none (all released ones).
    package var media: Int?
    /// IDEFICS' layer norm of every head's queries and keys; nil means none.
    package var queryKeyNorm: Bool?

    /// How frame f of F finds its temporal embedding.
    package enum FrameEmbedding: String, Codable, Sendable {
        /// Row f, as Otter does; more frames than rows are refused.
        case indexed
        /// Linear interpolation between rows, as the paper does at inference.
        case interpolated
    }

    enum CodingKeys: String, CodingKey {
        case width, layers, heads, latents, activation, frames, media
        case headWidth = "head_width"
        case mlpWidth = "mlp_width"
        case frameEmbedding = "frame_embedding"
        case queryKeyNorm = "query_key_norm"
    }

    func validate() throws {
        try requirePositive([
            ("resampler.width", width), ("resampler.heads", heads),
            ("resampler.head_width", headWidth), ("resampler.latents", latents),
            ("resampler.mlp_width", mlpWidth), ("resampler.frames", frames ?? 1),
            ("resampler.media", media ?? 1),
        ])
        try require(
            layers >= 0 && layers <= largestSize, "resampler.layers", layers,
            "0 (no resampler) or more")
    }
}

/// Gated cross-attention (§2.2 of the paper).
package struct CrossAttentionConfiguration: Codable, Sendable, Equatable {
    /// The decoder layers (0-based) that a gated block stands before.
    package var layers: [Int]
    package var heads: Int
    /// Width of one head.
    package var headWidth: Int
    package var mlpWidth: Int
    package var activation: Activation
    /// Which media a text position sees.
    package var visibility: MediaVisibility
    /// IDEFICS' RMS norm of every head's queries and keys; nil means none.
    package var queryKeyNorm: Bool?

    enum CodingKeys: String, CodingKey {
        case layers, heads, activation, visibility
        case headWidth = "head_width"
        case mlpWidth = "mlp_width"
        case queryKeyNorm = "query_key_norm"
    }

    func validate() throws {
        try requirePositive([
            ("cross_attention.heads", heads), ("cross_attention.head_width", headWidth),
            ("cross_attention.mlp_width", mlpWidth),
        ])
    }

    /// Numbers that all layers together keep of a media of `latents` visual tokens, keys and values.
    package func keyValueCount(latents: Int) -> Int {
        2 * latents * layers.count * heads * headWidth
    }
}

/// A decoder-only language model.
package struct LanguageConfiguration: Codable, Sendable, Equatable {
    package var architecture: Architecture
    /// Rows of the token embedding.
    package var vocabularySize: Int
    package var width: Int
    package var layers: Int
    package var heads: Int
    package var mlpWidth: Int
    package var normEpsilon: Float
    /// Whether the output head is the token embedding.
    package var tiedEmbedding: Bool
    /// MPT-1B's layer norm of queries and keys over the full width.
    package var queryKeyNorm = false
    /// The largest exponent of ALiBi's slopes (MPT).
    package var alibiMaximum: Float = 8
    /// MPT-7B's order of ALiBi slopes when the number of heads is no power of two.
    package var alibiInterleaved = false
    /// The part of a head's width that rotates (GPT-NeoX, LLaMA).
    package var rotaryFraction: Float = 1
    package var rotaryBase: Float = 10000
    /// GPT-NeoX's x + attention(x) + mlp(x) in place of two steps.
    package var parallelResidual = false

    /// The kinds of decoder block that Wade has.
    package enum Architecture: String, Codable, Sendable, CaseIterable {
        case mpt
        case gptNeoX = "gpt_neox"
        case llama

        /// Reads a name; the paper's own kind of language model is refused in words of its own.
        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let name = try container.decode(String.self)
            if let known = Architecture(rawValue: name) {
                self = known
                return
            }
            let expected = Self.allCases.map(\.rawValue).joined(separator: ", ")
            let reason =
                name == "chinchilla"
                ? "the blocks of Chinchilla, whose weights, position encoding and tokens were never published; expected \(expected)"
                : "decoder blocks \"\(name.prefix(100))\"; expected \(expected)"
            throw DecodingError.dataCorruptedError(in: container, debugDescription: reason)
        }
    }

    enum CodingKeys: String, CodingKey {
        case architecture, width, layers, heads
        case vocabularySize = "vocabulary_size"
        case mlpWidth = "mlp_width"
        case normEpsilon = "norm_epsilon"
        case tiedEmbedding = "tied_embedding"
        case queryKeyNorm = "query_key_norm"
        case alibiMaximum = "alibi_maximum"
        case alibiInterleaved = "alibi_interleaved"
        case rotaryFraction = "rotary_fraction"
        case rotaryBase = "rotary_base"
        case parallelResidual = "parallel_residual"
    }

    /// The number of a head's dimensions that rotate.
    package var rotatedWidth: Int { Int(Float(width / heads) * rotaryFraction) }

    func validate() throws {
        try requirePositive([
            ("language.vocabulary_size", vocabularySize), ("language.width", width),
            ("language.layers", layers), ("language.heads", heads),
            ("language.mlp_width", mlpWidth),
        ])
        try require(
            width % heads == 0, "language.heads", heads, "a divisor of width, \(width)")
        try requireEpsilon("language.norm_epsilon", normEpsilon)
        try require(
            rotaryFraction >= 0 && rotaryFraction <= 1, "language.rotary_fraction",
            rotaryFraction, "0 to 1")
        try require(
            rotatedWidth % 2 == 0, "language.rotary_fraction", rotaryFraction,
            "an even number of rotated dimensions")
        try require(
            rotaryBase.isFinite && rotaryBase > 0, "language.rotary_base", rotaryBase, "above 0")
        try require(
            alibiMaximum.isFinite && alibiMaximum > 0, "language.alibi_maximum", alibiMaximum,
            "above 0")
    }
}

/// Sizes beyond this are no model's; the bound keeps every product of two sizes far from overflow.
private let largestSize = 1 << 24

func requirePositive(_ sizes: [(String, Int)]) throws {
    for (field, size) in sizes {
        try require(
            size > 0 && size <= largestSize, field, size, "a size from 1 to \(largestSize)")
    }
}

private func requireEpsilon(_ field: String, _ epsilon: Float) throws {
    try require(epsilon.isFinite && epsilon >= 0, field, epsilon, "a small number, 0 or more")
}
