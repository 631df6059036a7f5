//! The shape of Flaminglet: which parts a model that Wade trains from nothing is made of.
internal import WadeImage
internal import WadeTensor

/// Sizes by the names of the recipe.
package struct FlamingletConfiguration {
    let vision: [String: Int]
    let resampler: [String: Int]
    let crossAttention: [String: Int]
    let language: [String: Int]

    /// The names are `vision`: image_size, patch_size, width, layers, heads, projection_width; `resampler`: layers, heads,
    /// head_width, latents, frames; `cross_attention`: heads, head_width, blocks; `language`: vocabulary_size, width, layers, heads,
    /// mlp_width. What is missing is 0, which no valid model has.
    package init(
        vision: [String: Int], resampler: [String: Int], crossAttention: [String: Int],
        language: [String: Int]
    ) {
        self.vision = vision
        self.resampler = resampler
        self.crossAttention = crossAttention
        self.language = language
    }

    /// A ViT with an output norm and a position table, a resampler with temporal embeddings, gated blocks before the first
    /// `blocks` decoder layers, a LLaMA-type decoder. Cross-attention stays out of the last layer: with it the model reads the clip
    /// too late for the frozen layers that match and copy.
    package func configuration(name: String) throws -> FlamingoConfiguration {
        func size(_ part: [String: Int], _ name: String) -> Int { part[name] ?? 0 }
        let width = size(vision, "width")
        let textWidth = size(language, "width")
        return FlamingoConfiguration(
            name: name, family: .flaminglet,
            vision: .transformer(
                VisionTransformerConfiguration(
                    imageSize: size(vision, "image_size"), patchSize: size(vision, "patch_size"),
                    width: width, layers: size(vision, "layers"), heads: size(vision, "heads"),
                    mlpWidth: 4 * width, activation: .geluTanh, normEpsilon: 1e-5,
                    projectionWidth: size(vision, "projection_width"), outputNorm: true,
                    outputPosition: SinePosition(amplitude: 0.7),
                    preprocessing: try Preprocessing(
                        imageSize: size(vision, "image_size"), fit: .squash, filter: .bilinear,
                        mean: [0.5, 0.5, 0.5], standardDeviation: [0.25, 0.25, 0.25]))),
            resampler: ResamplerConfiguration(
                width: width, layers: size(resampler, "layers"), heads: size(resampler, "heads"),
                headWidth: size(resampler, "head_width"), latents: size(resampler, "latents"),
                mlpWidth: 4 * width, activation: .geluTanh, frames: size(resampler, "frames"),
                frameEmbedding: .interpolated, media: nil),
            crossAttention: CrossAttentionConfiguration(
                layers: Array(0..<size(crossAttention, "blocks")),
                heads: size(crossAttention, "heads"),
                headWidth: size(crossAttention, "head_width"), mlpWidth: 4 * textWidth,
                activation: .geluTanh, visibility: .lastMedia),
            language: LanguageConfiguration(
                architecture: .llama, vocabularySize: size(language, "vocabulary_size"),
                width: textWidth, layers: size(language, "layers"),
                heads: size(language, "heads"), mlpWidth: size(language, "mlp_width"),
                normEpsilon: 1e-5, tiedEmbedding: false),
            tokens: SpecialTokens(
                image: FlamingletTokens.image, endOfChunk: FlamingletTokens.endOfChunk,
                endOfText: FlamingletTokens.endOfText,
                beginningOfText: FlamingletTokens.endOfText, padding: FlamingletTokens.padding))
    }
}

/// The special tokens, which come first in the vocabulary.
package enum FlamingletTokens {
    package static let texts = ["<|endoftext|>", "<image>", "<|endofchunk|>", "<PAD>"]
    package static let (endOfText, image, endOfChunk, padding) = (0, 1, 2, 3)
}
