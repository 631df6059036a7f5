//! The sizes of published models, for whoever wants a model of such a size without its weights.

internal import WadeImage
internal import WadeTensor

/// A released model of which nothing but the sizes is known here.
package enum PublishedShape: String, Sendable, CaseIterable {
    /// OpenFlamingo-3B: CLIP ViT-L/14 and MPT-1B-RedPajama-200B, a gated block before every layer.
    case openFlamingo3B = "openflamingo-3b-vitl-mpt1b"
    /// OpenFlamingo-4B: CLIP ViT-L/14 and RedPajama-INCITE-3B, a gated block before every second layer.
    case openFlamingo4B = "openflamingo-4b-vitl-rpj3b"
    /// OpenFlamingo-9B: CLIP ViT-L/14 and MPT-7B, a gated block before every fourth layer.
    case openFlamingo9B = "openflamingo-9b-vitl-mpt7b"

    /// The configuration that an import of the published files gives.
    package func configuration() throws -> FlamingoConfiguration {
        let language = language
        let configuration = FlamingoConfiguration(
            name: rawValue, family: .openFlamingo,
            vision: VisionConfiguration(
                imageSize: 224, patchSize: 14, width: 1024, layers: 24, heads: 16, mlpWidth: 4096,
                activation: .quickGELU, normEpsilon: 1e-5, projectionWidth: 768,
                preprocessing: try Preprocessing.clip(
                    imageSize: 224, fit: .shorterSideTorchvision)),
            resampler: ResamplerConfiguration(
                width: 1024, layers: 6, heads: 8, headWidth: 64, latents: 64, mlpWidth: 4096,
                activation: .gelu, frames: nil, frameEmbedding: .indexed, media: nil),
            crossAttention: CrossAttentionConfiguration(
                layers: Array(stride(from: spacing - 1, to: language.layers, by: spacing)),
                heads: 8, headWidth: 64, mlpWidth: 4 * language.width, activation: .gelu,
                visibility: .lastMedia),
            language: language,
            tokens: SpecialTokens(
                image: Self.vocabularySize - 2, endOfChunk: Self.vocabularySize - 1, endOfText: 0))
        try configuration.validate()
        return configuration
    }

    /// GPT-NeoX's tokens, and OpenFlamingo's two or three of its own.
    private static let vocabularySize = 50280

    /// A gated block stands before every so many layers.
    private var spacing: Int {
        switch self {
        case .openFlamingo3B: 1
        case .openFlamingo4B: 2
        case .openFlamingo9B: 4
        }
    }

    private var language: LanguageConfiguration {
        switch self {
        case .openFlamingo3B:
            LanguageConfiguration(
                architecture: .mpt, vocabularySize: Self.vocabularySize, width: 2048, layers: 24,
                heads: 16, mlpWidth: 8192, normEpsilon: 1e-5, tiedEmbedding: true,
                queryKeyNorm: true)
        case .openFlamingo4B:
            LanguageConfiguration(
                architecture: .gptNeoX, vocabularySize: Self.vocabularySize, width: 2560,
                layers: 32, heads: 32, mlpWidth: 10240, normEpsilon: 1e-5, tiedEmbedding: false)
        case .openFlamingo9B:
            LanguageConfiguration(
                architecture: .mpt, vocabularySize: Self.vocabularySize, width: 4096, layers: 32,
                heads: 32, mlpWidth: 16384, normEpsilon: 1e-5, tiedEmbedding: true,
                alibiInterleaved: true)
        }
    }
}
