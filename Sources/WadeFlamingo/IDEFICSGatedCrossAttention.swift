//! IDEFICS' gated block: RMS norms, one of them on every head's queries and keys, and SwiGLU in place of GELU.

package import WadeTensor

/// y = x + tanh(α)·attention(norm(x), media), then y + tanh(β)·down(silu(gate(z))·up(z)) with z = norm(y).
///
/// A position that sees no media gets no attention term; the feed-forward works on every position, also of a text without
/// media (transformers from 4.36 on).
package struct IDEFICSGatedCrossAttention: GatedBlock {
    private let attentionNorm: RMSNorm
    private let toQuery: Linear
    /// Keys and values in one product; keys are the first half of the columns.
    private let toKeyValue: Linear
    /// One norm for all heads, over a head's width.
    private let queryNorm: RMSNorm?
    private let keyNorm: RMSNorm?
    private let toOut: Linear
    private let mlpNorm: RMSNorm
    private let gate: Linear
    private let up: Linear
    private let down: Linear
    /// tanh(α), (D)
    private let attentionGate: Tensor
    /// tanh(β), (D)
    private let feedForwardGate: Tensor
    private let attention: Attention
    private let innerWidth: Int

    package init(
        _ weights: Weights, _ configuration: CrossAttentionConfiguration, width: Int,
        visualWidth: Int, normEpsilon: Float, arithmetic: Arithmetic
    ) throws {
        innerWidth = configuration.heads * configuration.headWidth
        let (part, mlp) = (weights["attention"], weights["feed_forward"])
        func headNorm(_ name: String) throws -> RMSNorm? {
            guard configuration.queryKeyNorm ?? false else { return nil }
            return try RMSNorm(part[name], width: configuration.headWidth, epsilon: normEpsilon)
        }
        attentionNorm = try RMSNorm(part["norm"], width: width, epsilon: normEpsilon)
        toQuery = try Linear(part["to_q"], from: width, to: innerWidth, arithmetic)
        toKeyValue = try Linear(part["to_kv"], from: visualWidth, to: 2 * innerWidth, arithmetic)
        queryNorm = try headNorm("q_norm")
        keyNorm = try headNorm("k_norm")
        toOut = try Linear(part["to_out"], from: innerWidth, to: width, arithmetic)
        mlpNorm = try RMSNorm(mlp["norm"], width: width, epsilon: normEpsilon)
        gate = try Linear(mlp["gate"], from: width, to: configuration.mlpWidth, arithmetic)
        up = try Linear(mlp["up"], from: width, to: configuration.mlpWidth, arithmetic)
        down = try Linear(mlp["down"], from: configuration.mlpWidth, to: width, arithmetic)
        attentionGate = try Self.gate("attention_gate", weights, width: width)
        feedForwardGate = try Self.gate("feed_forward_gate", weights, width: width)
        attention = Attention(
            heads: configuration.heads, scale: 1 / Float(configuration.headWidth).squareRoot(),
            engine: arithmetic.engine)
    }

    /// tanh of a gate that is published as one number or, as (1, 1, D), as one per channel.
    private static func gate(_ name: String, _ weights: Weights, width: Int) throws -> Tensor {
        let shape: Shape = weights.shape(of: name)?.rank == 3 ? [1, 1, width] : [1]
        let gate = try weights.tensor(name, shape: shape).tanh()
        return gate.count == width
            ? gate.reshaped([width])
            : gate.reshaped([1, 1]).gathered([Int](repeating: 0, count: width)).reshaped([width])
    }

    package func keysAndValues(of media: Tensor) -> MediaKeysAndValues {
        let keyValue = toKeyValue(media.reshaped([media.rows, media.width]))
        let keys = keyValue.columns(0..<innerWidth)
        return MediaKeysAndValues(
            keys: keyNorm?(keys) ?? keys, values: keyValue.columns(innerWidth..<2 * innerWidth))
    }

    /// Text (T, D) that sees `media` through one window per position; the result is (T, D).
    package func callAsFunction(
        _ x: Tensor, media: [MediaKeysAndValues], windows: [KeyWindow]
    ) -> Tensor {
        self(x, views: [MediaView(media: media, windows: windows)], rows: .together)
    }

    func callAsFunction(_ x: Tensor, views: [MediaView], rows: Rows) -> Tensor {
        let y = x + attended(x, views, rows) * attentionGate
        let z = mlpNorm(y)
        let hidden = Activation.silu(gate(z, rows: rows)) * up(z, rows: rows)
        return y + down(hidden, rows: rows) * feedForwardGate
    }

    /// The attention term before its gate.
    private func attended(_ x: Tensor, _ views: [MediaView], _ rows: Rows) -> Tensor {
        guard views.contains(where: \.isSeen) else { return Tensor.zeros(x.shape) }
        let q = toQuery(attentionNorm(x), rows: rows)
        return toOut(MediaView.attended(queryNorm?(q) ?? q, views, attention), rows: rows)
    }
}
