//! The Perceiver Resampler (§2.1 of the paper): any number of frames in, 64 visual tokens out.

package import WadeTensor

/// Learned latents that read a clip's features and become its visual tokens.
package struct PerceiverResampler: Sendable {
    private let configuration: ResamplerConfiguration
    /// (R, D)
    private let latents: Tensor
    /// (frames, D): one row per frame of a clip, where the model has them.
    private let temporalEmbedding: TemporalEmbedding?
    /// (media, 1, D): one row per media of a prompt, where the model has them (no released one).
    private let mediaEmbeddings: Tensor?
    private let layers: [(attention: PerceiverAttention, feedForward: FeedForward)]
    private let norm: LayerNorm

    package init(
        _ weights: Weights, _ configuration: ResamplerConfiguration, arithmetic: Arithmetic
    ) throws {
        let width = configuration.width
        self.configuration = configuration
        latents = try weights.tensor("latents", shape: [configuration.latents, width])
        temporalEmbedding = try configuration.frames.map {
            TemporalEmbedding(
                rows: try weights.tensor("temporal_embeddings", shape: [$0, width]),
                rule: configuration.frameEmbedding)
        }
        mediaEmbeddings = try configuration.media.map {
            try weights.tensor("media_embeddings", shape: [$0, 1, width])
        }
        layers = try (0..<configuration.layers).map { index in
            let layer = weights["layers"]["\(index)"]
            return (
                try PerceiverAttention(layer["attention"], configuration, arithmetic: arithmetic),
                try FeedForward(
                    layer["feed_forward"], width: width, mlpWidth: configuration.mlpWidth,
                    activation: configuration.activation, arithmetic: arithmetic)
            )
        }
        norm = try LayerNorm(weights["norm"], width: width)
    }

    /// The features (F, V, D) of one media's frames to its visual tokens (R, D). `media` is the media's place in the prompt;
    /// `observe` sees what each layer adds, by name.
    package func callAsFunction(
        _ features: Tensor, media: Int = 0, observe: (String, Tensor) -> Void = { _, _ in }
    ) throws -> Tensor {
        let (frames, patches, width) = (features.shape[0], features.shape[1], features.shape[2])
        var x = features
        if let embeddings = try temporalEmbedding?.rows(frames: frames) {
            x = Tensor.concatenated(
                (0..<frames).map { (x[$0] + embeddings[$0]).reshaped([1, patches, width]) })
        }
        x = x.reshaped([frames * patches, width])
        if let mediaEmbeddings {
            guard media < mediaEmbeddings.shape[0] else {
                throw FlamingoError.request(
                    found: "media \(media + 1)",
                    expected: "at most \(mediaEmbeddings.shape[0]) media")
            }
            x += mediaEmbeddings[media]
        }
        var y = latents
        for (index, (attention, feedForward)) in layers.enumerated() {
            let attended = attention(y, over: x)
            observe("attention.\(index)", attended)
            y = y + attended
            let fed = feedForward(y)
            observe("feed_forward.\(index)", fed)
            y = y + fed
        }
        return norm(y)
    }
}

/// Latents attend to the features and to themselves: keys and values are [features; latents], both normalised.
package struct PerceiverAttention: Sendable {
    private let normMedia: LayerNorm
    private let normLatents: LayerNorm
    private let toQuery: Linear
    /// Keys and values in one product; keys are the first half of the columns.
    private let toKeyValue: Linear
    /// One norm for all heads, over a head's width (IDEFICS only).
    private let queryNorm: LayerNorm?
    private let keyNorm: LayerNorm?
    private let toOut: Linear
    private let attention: Attention
    private let innerWidth: Int

    package init(
        _ weights: Weights, _ configuration: ResamplerConfiguration, arithmetic: Arithmetic
    ) throws {
        let width = configuration.width
        innerWidth = configuration.heads * configuration.headWidth
        normMedia = try LayerNorm(weights["norm_media"], width: width)
        normLatents = try LayerNorm(weights["norm_latents"], width: width)
        toQuery = try Linear(weights["to_q"], from: width, to: innerWidth, arithmetic)
        toKeyValue = try Linear(weights["to_kv"], from: width, to: 2 * innerWidth, arithmetic)
        let normsHeads = configuration.queryKeyNorm ?? false
        queryNorm =
            normsHeads ? try LayerNorm(weights["q_norm"], width: configuration.headWidth) : nil
        keyNorm =
            normsHeads ? try LayerNorm(weights["k_norm"], width: configuration.headWidth) : nil
        toOut = try Linear(weights["to_out"], from: innerWidth, to: width, arithmetic)
        attention = Attention(
            heads: configuration.heads, scale: 1 / Float(configuration.headWidth).squareRoot(),
            engine: arithmetic.engine)
    }

    /// Latents (R, D) over features (N, D) to (R, D), without the residual.
    package func callAsFunction(_ latents: Tensor, over features: Tensor) -> Tensor {
        let l = normLatents(latents)
        let keyValue = toKeyValue(Tensor.concatenated([normMedia(features), l]))
        var (q, k) = (toQuery(l), keyValue.columns(0..<innerWidth))
        if let queryNorm, let keyNorm { (q, k) = (queryNorm(q), keyNorm(k)) }
        let y = attention(
            q, keys: [k], values: [keyValue.columns(innerWidth..<2 * innerWidth)], mask: .none)
        return toOut(y)
    }
}
