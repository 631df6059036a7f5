//! Gated cross-attention (§2.2 of the paper): how a frozen language model sees.

package import WadeTensor

/// A block before a decoder layer through which text sees media.
protocol GatedBlock: Sendable {
    /// The keys and values of visual tokens (M·R, Dv), computed once per clip and layer.
    func keysAndValues(of media: Tensor) -> MediaKeysAndValues

    /// Text (T, D), whose positions see what `views` say one after the other; the result is (T, D).
    func callAsFunction(_ x: Tensor, views: [MediaView], rows: Rows) -> Tensor
}

/// What consecutive positions of one text see in one layer: media, through one window per position.
struct MediaView {
    let media: [MediaKeysAndValues]
    let windows: [KeyWindow]

    /// Whether any position sees something.
    var isSeen: Bool { windows.contains { $0 != .nothing } }

    /// Queries (T, H·d) over what `views` show, one view after the other; a position that sees nothing gets exactly zero.
    static func attended(_ queries: Tensor, _ views: [MediaView], _ attention: Attention) -> Tensor
    {
        var start = 0
        return Tensor.concatenated(
            views.map { view in
                let rows = start..<start + view.windows.count
                start = rows.upperBound
                return attention(
                    queries[rows], keys: view.media.map(\.keys), values: view.media.map(\.values),
                    mask: .windows(view.windows))
            })
    }
}

/// GATED XATTN-DENSE: y = x + tanh(α)·attention(x, media), then y + tanh(β)·feedForward(y). With gates at zero it changes nothing.
package struct GatedCrossAttention: GatedBlock {
    private let attention: MaskedCrossAttention
    private let feedForward: FeedForward
    /// α, (1)
    private let attentionGate: Tensor
    /// β, (1)
    private let feedForwardGate: Tensor

    package init(
        _ weights: Weights, _ configuration: CrossAttentionConfiguration, width: Int,
        visualWidth: Int, arithmetic: Arithmetic
    ) throws {
        attention = try MaskedCrossAttention(
            weights["attention"], configuration, width: width, visualWidth: visualWidth,
            arithmetic: arithmetic)
        feedForward = try FeedForward(
            weights["feed_forward"], width: width, mlpWidth: configuration.mlpWidth,
            activation: configuration.activation, arithmetic: arithmetic)
        attentionGate = try weights.tensor("attention_gate", shape: [1])
        feedForwardGate = try weights.tensor("feed_forward_gate", shape: [1])
    }

    /// The keys and values of visual tokens (M·R, Dv), computed once per clip and layer.
    package func keysAndValues(of media: Tensor) -> MediaKeysAndValues {
        attention.keysAndValues(of: media)
    }

    /// Text (T, D) that sees `media` through one window per position; the result is (T, D).
    package func callAsFunction(
        _ x: Tensor, media: [MediaKeysAndValues], windows: [KeyWindow]
    ) -> Tensor {
        self(x, views: [MediaView(media: media, windows: windows)], rows: .together)
    }

    func callAsFunction(_ x: Tensor, views: [MediaView], rows: Rows) -> Tensor {
        var y = x
        y.add(attention(x, views: views, rows: rows), gatedBy: attentionGate)
        y.add(feedForward(y, rows: rows), gatedBy: feedForwardGate)
        return y
    }
}

/// What one gated layer keeps of some media: keys and values, (M·R, H·d) each.
package struct MediaKeysAndValues: Sendable {
    let keys: Tensor
    let values: Tensor
}

/// Text attends to visual tokens; a position without media gets exactly zero.
package struct MaskedCrossAttention: Sendable {
    private let norm: LayerNorm
    private let toQuery: Linear
    /// Keys and values in one product; keys are the first half of the columns.
    private let toKeyValue: Linear
    private let toOut: Linear
    private let attention: Attention
    private let innerWidth: Int

    package init(
        _ weights: Weights, _ configuration: CrossAttentionConfiguration, width: Int,
        visualWidth: Int, arithmetic: Arithmetic
    ) throws {
        innerWidth = configuration.heads * configuration.headWidth
        norm = try LayerNorm(weights["norm"], width: width)
        toQuery = try Linear(weights["to_q"], from: width, to: innerWidth, arithmetic)
        toKeyValue = try Linear(weights["to_kv"], from: visualWidth, to: 2 * innerWidth, arithmetic)
        toOut = try Linear(weights["to_out"], from: innerWidth, to: width, arithmetic)
        attention = Attention(
            heads: configuration.heads, scale: 1 / Float(configuration.headWidth).squareRoot(),
            engine: arithmetic.engine)
    }

    /// The visual tokens come normalised out of the resampler and get no further norm here.
    func keysAndValues(of media: Tensor) -> MediaKeysAndValues {
        let keyValue = toKeyValue(media.reshaped([media.rows, media.width]))
        return MediaKeysAndValues(
            keys: keyValue.columns(0..<innerWidth),
            values: keyValue.columns(innerWidth..<2 * innerWidth))
    }

    /// x (T, D) that sees `media` through one window per position to (T, D), without gate and residual.
    package func callAsFunction(
        _ x: Tensor, media: [MediaKeysAndValues], windows: [KeyWindow]
    ) -> Tensor {
        self(x, views: [MediaView(media: media, windows: windows)], rows: .together)
    }

    func callAsFunction(_ x: Tensor, views: [MediaView], rows: Rows) -> Tensor {
        // All positions blind: the text before the first media, or a text-only prompt.
        guard views.contains(where: \.isSeen) else { return Tensor.zeros(x.shape) }
        let q = toQuery(toQuery.input(x, norm: norm), rows: rows)
        return toOut(MediaView.attended(q, views, attention), rows: rows)
    }
}
