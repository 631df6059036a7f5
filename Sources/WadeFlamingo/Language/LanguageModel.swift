//! The frozen language model with gated cross-attention between its blocks.

package import WadeTensor

/// Token embedding, decoder blocks, final norm and head; a gated block stands before each configured layer.
package struct LanguageModel: Sendable {
    /// (vocabulary, D)
    private let tokenEmbedding: Tensor
    private let blocks: [any DecoderBlock]
    /// By decoder layer.
    private let gated: [Int: any GatedBlock]
    private let norm: FinalNorm
    private let head: Linear
    private let width: Int

    /// The final norm is of the family's kind.
    private enum FinalNorm: Sendable {
        case layer(LayerNorm)
        case rms(RMSNorm)
    }

    package init(_ weights: Weights, _ model: FlamingoConfiguration, arithmetic: Arithmetic) throws
    {
        let configuration = model.language
        let language = weights["language"]
        width = configuration.width
        tokenEmbedding = try language["token_embedding"].tensor(
            "weight", shape: [configuration.vocabularySize, width])
        blocks = try (0..<configuration.layers).map {
            let part = language["layers"]["\($0)"]
            switch configuration.architecture {
            case .mpt: return try MPTBlock(part, configuration, arithmetic: arithmetic)
            case .gptNeoX: return try GPTNeoXBlock(part, configuration, arithmetic: arithmetic)
            case .llama: return try LLaMABlock(part, configuration, arithmetic: arithmetic)
            }
        }
        let epsilon = configuration.normEpsilon
        var gated: [Int: any GatedBlock] = [:]
        for layer in model.crossAttention.layers {
            let part = weights["cross_attention"]["\(layer)"]
            gated[layer] =
                model.family == .idefics
                ? try IDEFICSGatedCrossAttention(
                    part, model.crossAttention, width: width,
                    visualWidth: model.resampler.width, normEpsilon: epsilon,
                    arithmetic: arithmetic)
                : try GatedCrossAttention(
                    part, model.crossAttention, width: width,
                    visualWidth: model.resampler.width, arithmetic: arithmetic)
        }
        self.gated = gated
        switch configuration.architecture {
        case .llama:
            norm = .rms(try RMSNorm(language["norm"], width: width, epsilon: epsilon))
        case .gptNeoX:
            norm = .layer(try LayerNorm(language["norm"], width: width, epsilon: epsilon))
        case .mpt:
            norm = .layer(
                try LayerNorm(language["norm"], width: width, bias: false, epsilon: epsilon))
        }
        // A bundle of low precision holds the head beside the embedding also where they are one matrix: rows are looked up in
        // float32, products take packed weights.
        head =
            configuration.tiedEmbedding && !language["head"].contains("weight")
            ? Linear(tied: tokenEmbedding, language["head"], arithmetic: arithmetic)
            : try Linear(
                language["head"], from: width, to: configuration.vocabularySize, arithmetic)
    }

    /// Rows of the token embedding.
    package var vocabularySize: Int { tokenEmbedding.rows }

    /// A cache that has seen nothing.
    package func emptyCache() -> KeyValueCache {
        KeyValueCache(layers: blocks.map { _ in LayerCache(width: width) })
    }

    /// What every gated layer keeps of visual tokens (M·R, Dv).
    package func keysAndValues(of media: Tensor) -> [Int: MediaKeysAndValues] {
        gated.mapValues { $0.keysAndValues(of: media) }
    }

    /// Tokens that follow what the cache holds to their final hidden states (T, D). `observe` sees each layer's output by name.
    package func callAsFunction(
        _ ids: [Int], media: [[Int: MediaKeysAndValues]], windows: [KeyWindow],
        cache: inout KeyValueCache, observe: (String, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        var text = [TextRows(ids: ids, media: media, windows: windows, cache: cache)]
        cache = KeyValueCache(layers: [])
        let hidden = self(&text, rows: .together, observe: observe)
        cache = text[0].cache
        return hidden
    }

    /// The next tokens of several sequences, one sequence after the other, to their final hidden states (T, D). With rows `.apart` a
    /// sequence's rows do not depend on the other sequences.
    func callAsFunction(
        _ texts: inout [TextRows], rows: Rows,
        observe: (String, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        var x = tokenEmbedding.gathered(texts.flatMap(\.ids))
        observe("embedded", x)
        let idle = LayerCache(width: 0)
        var past = LayerPast(
            caches: texts.map { _ in idle }, counts: texts.map(\.ids.count), rows: rows)
        for (layer, block) in blocks.enumerated() {
            if let gated = gated[layer] {
                x = gated(x, views: texts.map { $0.view(layer) }, rows: rows)
                observe("xattn.\(layer)", x)
            }
            // Keys and values change hands, so that they are never copied.
            for index in texts.indices {
                swap(&past.caches[index], &texts[index].cache.layers[layer])
            }
            x = block(x, past: &past)
            for index in texts.indices {
                swap(&past.caches[index], &texts[index].cache.layers[layer])
            }
            observe("hidden.\(layer)", x)
        }
        switch norm {
        case .layer(let norm): return norm(x)
        case .rms(let norm): return norm(x)
        }
    }

    /// Hidden states (T, D) to logits (T, vocabulary).
    package func logits(_ hidden: Tensor, rows: Rows = .together) -> Tensor {
        head(hidden, rows: rows)
    }
}

/// The next tokens of one sequence, and what they may look back at.
struct TextRows {
    let ids: [Int]
    /// By piece of media and decoder layer.
    let media: [[Int: MediaKeysAndValues]]
    /// What each token sees.
    let windows: [KeyWindow]
    var cache: KeyValueCache

    fileprivate func view(_ layer: Int) -> MediaView {
        MediaView(media: media.compactMap { $0[layer] }, windows: windows)
    }
}

/// What the language model has seen of one sequence.
package struct KeyValueCache: Sendable {
    var layers: [LayerCache]

    /// The number of positions seen.
    package var length: Int { layers.first?.length ?? 0 }

    /// Forgets the positions from `length` on.
    mutating func truncate(to length: Int) {
        for layer in layers.indices { layers[layer].truncate(to: length) }
    }

    /// A sequence that goes on where this one ends and shares its keys and values without copying them.
    package func continued() -> KeyValueCache {
        KeyValueCache(layers: layers.map { LayerCache(after: $0) })
    }
}
