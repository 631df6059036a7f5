//! MosaicML's MPT block: ALiBi positions, norms without bias, in MPT-1B's form with norms on queries and keys.

internal import WadeTensor

/// x + attention(LN(x)), then x + mlp(LN(x)); no biases anywhere.
struct MPTBlock: DecoderBlock {
    private let attentionNorm: LayerNorm
    private let queryKeyValue: Linear
    /// Over the full width, before the heads are split (MPT-1B only).
    private let queryNorm: LayerNorm?
    private let keyNorm: LayerNorm?
    private let out: Linear
    private let mlpNorm: LayerNorm
    private let up: Linear
    private let down: Linear
    private let attention: Attention

    init(
        _ weights: Weights, _ configuration: LanguageConfiguration, arithmetic: Arithmetic
    ) throws {
        let (width, epsilon) = (configuration.width, configuration.normEpsilon)
        func norm(_ weights: Weights) throws -> LayerNorm {
            try LayerNorm(weights, width: width, bias: false, epsilon: epsilon)
        }
        let part = weights["attention"]
        attentionNorm = try norm(weights["attention_norm"])
        queryKeyValue = try Linear(part["qkv"], from: width, to: 3 * width, arithmetic)
        queryNorm = configuration.queryKeyNorm ? try norm(part["q_norm"]) : nil
        keyNorm = configuration.queryKeyNorm ? try norm(part["k_norm"]) : nil
        out = try Linear(part["out"], from: width, to: width, arithmetic)
        mlpNorm = try norm(weights["mlp_norm"])
        up = try Linear(weights["mlp"]["up"], from: width, to: configuration.mlpWidth, arithmetic)
        down = try Linear(
            weights["mlp"]["down"], from: configuration.mlpWidth, to: width, arithmetic)
        attention = Attention(
            heads: configuration.heads,
            scale: 1 / Float(width / configuration.heads).squareRoot(),
            alibiSlopes: ALiBi.slopes(
                heads: configuration.heads, biasMaximum: configuration.alibiMaximum,
                interleaved: configuration.alibiInterleaved),
            engine: arithmetic.engine)
    }

    func callAsFunction(_ x: Tensor, past: inout LayerPast) -> Tensor {
        let (width, rows) = (x.width, past.rows)
        let qkv = queryKeyValue(queryKeyValue.input(x, norm: attentionNorm), rows: rows)
        var (q, k) = (qkv.columns(0..<width), qkv.columns(width..<2 * width))
        if let queryNorm, let keyNorm { (q, k) = (queryNorm(q), keyNorm(k)) }
        let seen = past.attend(q, k, qkv.columns(2 * width..<3 * width), attention)
        let y = out(out.input(seen), addedTo: x, rows: rows)
        let z = up.hidden(up.input(y, norm: mlpNorm), activation: .gelu, for: down, rows: rows)
        return down(z, addedTo: y, rows: rows)
    }
}
