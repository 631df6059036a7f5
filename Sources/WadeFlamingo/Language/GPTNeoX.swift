//! EleutherAI's GPT-NeoX block: rotary positions, biases everywhere, sequential or parallel residual.

internal import WadeTensor

/// Sequential (RedPajama-INCITE): x + attention(LN₁(x)), then x + mlp(LN₂(x)). Parallel (Pythia): x + attention(LN₁(x)) + mlp(LN₂(x)).
struct GPTNeoXBlock: DecoderBlock {
    private let attentionNorm: LayerNorm
    private let queryKeyValue: Linear
    private let out: Linear
    private let mlpNorm: LayerNorm
    private let up: Linear
    private let down: Linear
    private let rotary: RotaryEmbedding
    private let attention: Attention
    private let parallelResidual: Bool

    init(
        _ weights: Weights, _ configuration: LanguageConfiguration, arithmetic: Arithmetic
    ) throws {
        let (width, epsilon) = (configuration.width, configuration.normEpsilon)
        let (part, mlp) = (weights["attention"], weights["mlp"])
        attentionNorm = try LayerNorm(weights["attention_norm"], width: width, epsilon: epsilon)
        queryKeyValue = try Linear(part["qkv"], from: width, to: 3 * width, bias: true, arithmetic)
        out = try Linear(part["out"], from: width, to: width, bias: true, arithmetic)
        mlpNorm = try LayerNorm(weights["mlp_norm"], width: width, epsilon: epsilon)
        up = try Linear(
            mlp["up"], from: width, to: configuration.mlpWidth, bias: true, arithmetic)
        down = try Linear(
            mlp["down"], from: configuration.mlpWidth, to: width, bias: true, arithmetic)
        rotary = RotaryEmbedding(
            rotatedWidth: configuration.rotatedWidth, base: configuration.rotaryBase)
        attention = Attention(
            heads: configuration.heads,
            scale: 1 / Float(width / configuration.heads).squareRoot(), engine: arithmetic.engine)
        parallelResidual = configuration.parallelResidual
    }

    func callAsFunction(_ x: Tensor, past: inout LayerPast) -> Tensor {
        let (width, rows, positions) = (x.width, past.rows, past.positions)
        let qkv = queryKeyValue(queryKeyValue.input(x, norm: attentionNorm), rows: rows)
        let q = rotary(qkv.columns(0..<width), heads: attention.heads, positions: positions)
        let k = rotary(qkv.columns(width..<2 * width), heads: attention.heads, positions: positions)
        let seen = past.attend(q, k, qkv.columns(2 * width..<3 * width), attention)
        let y = out(out.input(seen), addedTo: x, rows: rows)
        let z = up.hidden(
            up.input(parallelResidual ? x : y, norm: mlpNorm), activation: .gelu, for: down,
            rows: rows)
        return down(z, addedTo: y, rows: rows)
    }
}
