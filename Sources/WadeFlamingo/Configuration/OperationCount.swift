//! How much arithmetic each part of a model is, counted from its configuration.

/// Multiplications and additions of a model's matrix products and attention, each counted as one operation; norms, activations and
/// the like are a few in a thousand of them and left out. Weights are the elements of the matrices that a part reads.
///
/// The counts are those of OpenFlamingo, Otter and Flaminglet; IDEFICS' gated blocks are others.
package struct OperationCount: Sendable {
    private let model: FlamingoConfiguration

    package init(_ model: FlamingoConfiguration) {
        self.model = model
    }

    // MARK: - Vision encoder

    /// Weights of the vision encoder's layers and patch embedding, or of its convolutions and pointwise layers.
    package var visionWeights: Int {
        switch model.vision {
        case .transformer(let vision): layerWeights(vision) + patchWeights(vision)
        case .nfnet(let vision):
            vision.network.layers(imageSize: vision.imageSize).reduce(0) { $0 + $1.weights }
        }
    }

    private func layerWeights(_ vision: VisionTransformerConfiguration) -> Int {
        vision.layers * (4 * vision.width * vision.width + 2 * vision.width * vision.mlpWidth)
    }

    private func patchWeights(_ vision: VisionTransformerConfiguration) -> Int {
        3 * vision.patchSize * vision.patchSize * vision.width
    }

    /// Operations for one frame: every token goes through every layer and attends to every token, or every place of a map through
    /// every convolution.
    package var frame: Double {
        switch model.vision {
        case .transformer(let vision):
            let tokens = Double(vision.patches + 1)
            let attention = 4 * tokens * tokens * Double(vision.width) * Double(vision.layers)
            let layers = 2 * tokens * Double(layerWeights(vision))
            return layers + attention + 2 * Double(vision.patches) * Double(patchWeights(vision))
        case .nfnet(let vision):
            return vision.network.layers(imageSize: vision.imageSize).reduce(0) {
                $0 + 2 * Double($1.weights) * Double($1.places)
            }
        }
    }

    // MARK: - Resampler

    /// Weights of the resampler's layers.
    package var resamplerWeights: Int {
        let (own, fed) = resamplerLayer
        return model.resampler.layers * (own + fed)
    }

    /// A layer's weights for its latents, and for all that they attend to.
    private var resamplerLayer: (own: Int, keysAndValues: Int) {
        let resampler = model.resampler
        let inner = resampler.heads * resampler.headWidth
        return (
            2 * resampler.width * inner + 2 * resampler.width * resampler.mlpWidth,
            2 * resampler.width * inner
        )
    }

    /// Operations for a clip of `frames` frames.
    package func resampler(frames: Int) -> Double {
        let resampler = model.resampler
        let latents = Double(resampler.latents)
        let keys = Double(frames * model.vision.features) + latents
        let inner = Double(resampler.heads * resampler.headWidth)
        let (own, fed) = resamplerLayer
        let products = 2 * latents * Double(own) + 2 * keys * Double(fed)
        return Double(resampler.layers) * (products + 4 * latents * keys * inner)
    }

    // MARK: - Language model

    /// Weights that one token reads: decoder and gated layers, and the head.
    package var tokenWeights: Int { textWeights + headWeights }

    private var headWeights: Int { model.language.width * model.language.vocabularySize }

    private var textWeights: Int {
        let language = model.language
        let mlp = language.architecture == .llama ? 3 : 2
        let layer =
            4 * language.width * language.width + mlp * language.width * language.mlpWidth
        let cross = model.crossAttention
        let inner = cross.heads * cross.headWidth
        let gated = 2 * language.width * inner + 2 * language.width * cross.mlpWidth
        return language.layers * layer + cross.layers.count * gated
    }

    /// Weights that make keys and values of visual tokens.
    package var mediaWeights: Int {
        let cross = model.crossAttention
        return cross.layers.count * 2 * model.resampler.width * cross.heads * cross.headWidth
    }

    /// Operations that make keys and values of the visual tokens of `count` media.
    package func media(_ count: Int) -> Double {
        2 * Double(count * model.resampler.latents) * Double(mediaWeights)
    }

    /// Operations for `tokens` tokens that follow `past` others, each of which sees one media; `heads` of them go through the head.
    package func text(tokens: Int, past: Int, heads: Int) -> Double {
        let (count, language) = (Double(tokens), model.language)
        let seen = count * Double(past) + count * (count + 1) / 2
        let attention = 4 * seen * Double(language.width) * Double(language.layers)
        let cross = model.crossAttention
        let inner = Double(cross.heads * cross.headWidth)
        let gated =
            4 * count * Double(model.resampler.latents) * inner * Double(cross.layers.count)
        return 2 * count * Double(textWeights) + attention + gated
            + 2 * Double(heads) * Double(headWeights)
    }
}
