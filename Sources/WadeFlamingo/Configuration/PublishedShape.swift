//! The sizes of published models, for whoever wants a model of such a size without its weights.

internal import WadeImage
internal import WadeTensor

/// A model of which nothing but the sizes is known here.
package enum PublishedShape: String, Sendable, CaseIterable {
    /// OpenFlamingo-3B: CLIP ViT-L/14 and MPT-1B-RedPajama-200B, a gated block before every layer.
    case openFlamingo3B = "openflamingo-3b-vitl-mpt1b"
    /// OpenFlamingo-4B: CLIP ViT-L/14 and RedPajama-INCITE-3B, a gated block before every second layer.
    case openFlamingo4B = "openflamingo-4b-vitl-rpj3b"
    /// OpenFlamingo-9B: CLIP ViT-L/14 and MPT-7B, a gated block before every fourth layer.
    case openFlamingo9B = "openflamingo-9b-vitl-mpt7b"
    /// The paper's Flamingo-3B: NFNet-F6 and 1.4 billion parameters of language model, a gated block before every layer.
    case flamingo3B = "flamingo-3b"
    /// The paper's Flamingo-9B: 7 billion of language model, a gated block before every fourth layer.
    case flamingo9B = "flamingo-9b"
    /// The paper's Flamingo: 70 billion of language model, a gated block before every seventh layer.
    case flamingo80B = "flamingo-80b"

    /// The configuration that an import of the published files gives, or, for the paper's, what the paper says.
    package func configuration() throws -> FlamingoConfiguration {
        let configuration = try isOfThePaper ? papersConfiguration() : openFlamingoConfiguration()
        try configuration.validate()
        return configuration
    }

    private var isOfThePaper: Bool {
        switch self {
        case .openFlamingo3B, .openFlamingo4B, .openFlamingo9B: false
        case .flamingo3B, .flamingo9B, .flamingo80B: true
        }
    }

    private func openFlamingoConfiguration() throws -> FlamingoConfiguration {
        FlamingoConfiguration(
            name: rawValue, family: .openFlamingo,
            vision: .transformer(
                VisionTransformerConfiguration(
                    imageSize: 224, patchSize: 14, width: 1024, layers: 24, heads: 16,
                    mlpWidth: 4096, activation: .quickGELU, normEpsilon: 1e-5,
                    projectionWidth: 768,
                    preprocessing: try Preprocessing.clip(
                        imageSize: 224, fit: .shorterSideTorchvision))),
            resampler: ResamplerConfiguration(
                width: 1024, layers: 6, heads: 8, headWidth: 64, latents: 64, mlpWidth: 4096,
                activation: .gelu, frames: nil, frameEmbedding: .indexed, media: nil),
            crossAttention: CrossAttentionConfiguration(
                layers: Array(stride(from: spacing - 1, to: language.layers, by: spacing)),
                heads: 8, headWidth: 64, mlpWidth: 4 * language.width, activation: .gelu,
                visibility: .lastMedia),
            language: language, tokens: tokens)
    }

    /// NFNet-F6's last stage at 320 pixels, squared-ReLU feed-forwards, eight temporal embeddings, gated blocks from the first layer on.
    private func papersConfiguration() throws -> FlamingoConfiguration {
        guard let network = NFNetConfiguration.published(6, rule: .deepMind, tap: .lastStage) else {
            throw FlamingoError.configuration(
                field: "vision", found: "no NFNet-F6", expected: "the paper's encoder")
        }
        let width = network.featureWidth
        return FlamingoConfiguration(
            name: rawValue, family: .openFlamingo,
            vision: .nfnet(
                NFNetVisionConfiguration(
                    network: network,
                    // The aspect ratio is kept and the rest is filled with the mean; which mean the unpublished encoder had is not
                    // known, ImageNet's is that of the published networks.
                    preprocessing: try Preprocessing(
                        imageSize: 320, fit: .padded, mean: Preprocessing.imageNetMean,
                        standardDeviation: Preprocessing.imageNetDeviation))),
            resampler: ResamplerConfiguration(
                width: width, layers: 6, heads: 16, headWidth: 96, latents: 64,
                mlpWidth: 4 * width, activation: .squaredReLU, frames: 8,
                frameEmbedding: .interpolated, media: nil),
            crossAttention: CrossAttentionConfiguration(
                layers: Array(stride(from: 0, to: language.layers, by: spacing)),
                heads: language.heads, headWidth: 128, mlpWidth: 4 * language.width,
                activation: .squaredReLU, visibility: .lastMedia),
            language: language, tokens: tokens)
    }

    /// The last two tokens of the vocabulary steer.
    private var tokens: SpecialTokens {
        let count = language.vocabularySize
        return SpecialTokens(image: count - 2, endOfChunk: count - 1, endOfText: 0)
    }

    /// A gated block stands before every so many layers.
    private var spacing: Int {
        switch self {
        case .openFlamingo3B, .flamingo3B: 1
        case .openFlamingo4B: 2
        case .openFlamingo9B, .flamingo9B: 4
        case .flamingo80B: 7
        }
    }

    private var language: LanguageConfiguration {
        switch self {
        case .openFlamingo3B:
            LanguageConfiguration(
                architecture: .mpt, vocabularySize: Self.neoXVocabularySize, width: 2048,
                layers: 24, heads: 16, mlpWidth: 8192, normEpsilon: 1e-5, tiedEmbedding: true,
                queryKeyNorm: true)
        case .openFlamingo4B:
            LanguageConfiguration(
                architecture: .gptNeoX, vocabularySize: Self.neoXVocabularySize, width: 2560,
                layers: 32, heads: 32, mlpWidth: 10240, normEpsilon: 1e-5, tiedEmbedding: false)
        case .openFlamingo9B:
            LanguageConfiguration(
                architecture: .mpt, vocabularySize: Self.neoXVocabularySize, width: 4096,
                layers: 32, heads: 32, mlpWidth: 16384, normEpsilon: 1e-5, tiedEmbedding: true,
                alibiInterleaved: true)
        case .flamingo3B: Self.likeChinchilla(width: 2048, layers: 24, heads: 16)
        case .flamingo9B: Self.likeChinchilla(width: 4096, layers: 40, heads: 32)
        case .flamingo80B: Self.likeChinchilla(width: 8192, layers: 80, heads: 64)
        }
    }

    /// GPT-NeoX's tokens, and OpenFlamingo's two or three of its own.
    private static let neoXVocabularySize = 50280

    /// Chinchilla's sizes with the blocks of MPT, which stand in for Chinchilla's: those are not described closely enough to be built.
    /// The number of tokens is not told either; 32,000 and the two that steer are an assumption.
    private static func likeChinchilla(width: Int, layers: Int, heads: Int)
        -> LanguageConfiguration
    {
        LanguageConfiguration(
            architecture: .mpt, vocabularySize: 32002, width: width, layers: layers,
            heads: heads, mlpWidth: 4 * width, normEpsilon: 1e-5, tiedEmbedding: true)
    }
}
