//! Every size and choice of a model, as `config.json` of a bundle holds it.

package import WadeTensor

/// A whole Flamingo: vision encoder, resampler, gated cross-attention, language model.
package struct FlamingoConfiguration: Codable, Sendable, Equatable {
    /// Marks a `config.json` as Wade's own.
    package static let currentFormat = "wade.flamingo/1"

    /// Must be `currentFormat`.
    package var format = FlamingoConfiguration.currentFormat
    /// What the model is called, such as `OpenFlamingo-3B-vitl-mpt1b`.
    package var name: String
    /// Which publication the weights come from; decides prompts and known quirks.
    package var family: Family
    package var vision: VisionConfiguration
    package var resampler: ResamplerConfiguration
    package var crossAttention: CrossAttentionConfiguration
    package var language: LanguageConfiguration
    package var tokens: SpecialTokens
    /// SHA-256 of `model.safetensors` when the bundle was written, in hexadecimal: what names these weights in records.
    package var weightsSHA256 = ""
    /// The precision in which the weights of linear layers are packed; nil where they are kept as they were published.
    package var precision: Precision?

    /// The precision of the weights, and of products where no other is asked for.
    package var storedPrecision: Precision { precision ?? .float32 }

    /// The published families that Wade knows.
    package enum Family: String, Codable, Sendable, CaseIterable {
        case openFlamingo = "openflamingo"
        case otter
        /// Hugging Face's reproduction of Flamingo, with gated blocks of its own.
        case idefics
        /// Trained by Wade itself.
        case flaminglet
    }

    enum CodingKeys: String, CodingKey {
        case format, name, family, vision, resampler, language, tokens, precision
        case crossAttention = "cross_attention"
        case weightsSHA256 = "weights_sha256"
    }

    /// How many `<image>` tokens a clip of so many frames takes in a prompt: one, or in IDEFICS, whose media are single
    /// pictures, one per frame.
    package func mediaCount(ofFrames frames: Int) -> Int { family == .idefics ? frames : 1 }

    /// Checks that the parts fit each other; the message says which field, what was found and what was expected.
    package func validate() throws {
        try require(
            format == Self.currentFormat, "format", format, "\"\(Self.currentFormat)\"")
        try vision.validate()
        try resampler.validate()
        try crossAttention.validate()
        try language.validate()
        try require(
            resampler.width == vision.width, "resampler.width", resampler.width,
            "vision.width, \(vision.width)")
        try require(
            resampler.layers > 0 || resampler.latents == vision.features, "resampler.latents",
            resampler.latents, "a frame's \(vision.features) features, as there are no layers")
        try require(
            crossAttention.layers.allSatisfy { $0 >= 0 && $0 < language.layers }
                && crossAttention.layers == Array(Set(crossAttention.layers)).sorted(),
            "cross_attention.layers", crossAttention.layers,
            "ascending layers below \(language.layers)")
        for (name, id) in tokens.all {
            try require(
                id >= 0 && id < language.vocabularySize, "tokens.\(name)", id,
                "an id below language.vocabulary_size, \(language.vocabularySize)")
        }
    }
}

/// The ids that steer a Flamingo.
package struct SpecialTokens: Codable, Sendable, Equatable {
    /// `<image>`: stands for one media.
    package var image: Int
    /// `<|endofchunk|>`: ends an answer.
    package var endOfChunk: Int
    /// The language model's own end of text.
    package var endOfText: Int
    /// Placed first in every prompt, where the language model wants it (LLaMA).
    package var beginningOfText: Int?
    /// The filler of batches.
    package var padding: Int?
    /// `<answer>` of Otter.
    package var answer: Int?
    /// The tokens that the published tokenizer lacks, in the order in which they get the next free ids.
    package var added: [String]

    /// The ids are those of the tokenizer with `added` added.
    package init(
        image: Int, endOfChunk: Int, endOfText: Int, beginningOfText: Int? = nil,
        padding: Int? = nil, answer: Int? = nil, added: [String] = []
    ) {
        self.image = image
        self.endOfChunk = endOfChunk
        self.endOfText = endOfText
        self.beginningOfText = beginningOfText
        self.padding = padding
        self.answer = answer
        self.added = added
    }

    enum CodingKeys: String, CodingKey {
        case image, padding, answer, added
        case endOfChunk = "end_of_chunk"
        case endOfText = "end_of_text"
        case beginningOfText = "beginning_of_text"
    }

    package var all: [(String, Int)] {
        let optional = [
            ("beginning_of_text", beginningOfText), ("padding", padding), ("answer", answer),
        ]
        return [("image", image), ("end_of_chunk", endOfChunk), ("end_of_text", endOfText)]
            + optional.compactMap { name, id in id.map { (name, $0) } }
    }
}

/// Throws `FlamingoError.configuration` unless `holds`.
func require(
    _ holds: Bool, _ field: String, _ found: some Any, _ expected: String
) throws {
    guard !holds else { return }
    throw FlamingoError.configuration(field: field, found: "\(found)", expected: expected)
}
