//! Meta's LLaMA block: RMS norms, rotary positions, SwiGLU, no biases.

internal import WadeTensor

/// x + attention(norm(x)), then x + down(silu(gate(norm(x))) · up(norm(x))).
struct LLaMABlock: DecoderBlock {
    private let attentionNorm: RMSNorm
    private let queryKeyValue: Linear
    private let out: Linear
    private let mlpNorm: RMSNorm
    private let gate: Linear
    private let up: Linear
    private let down: Linear
    private let rotary: RotaryEmbedding
    private let attention: Attention

    init(
        _ weights: Weights, _ configuration: LanguageConfiguration, arithmetic: Arithmetic
    ) throws {
        let (width, epsilon) = (configuration.width, configuration.normEpsilon)
        let (part, mlp) = (weights["attention"], weights["mlp"])
        attentionNorm = try RMSNorm(weights["attention_norm"], width: width, epsilon: epsilon)
        queryKeyValue = try Linear(part["qkv"], from: width, to: 3 * width, arithmetic)
        out = try Linear(part["out"], from: width, to: width, arithmetic)
        mlpNorm = try RMSNorm(weights["mlp_norm"], width: width, epsilon: epsilon)
        gate = try Linear(mlp["gate"], from: width, to: configuration.mlpWidth, arithmetic)
        up = try Linear(mlp["up"], from: width, to: configuration.mlpWidth, arithmetic)
        down = try Linear(mlp["down"], from: configuration.mlpWidth, to: width, arithmetic)
        rotary = RotaryEmbedding(
            rotatedWidth: configuration.rotatedWidth, base: configuration.rotaryBase)
        attention = Attention(
            heads: configuration.heads,
            scale: 1 / Float(width / configuration.heads).squareRoot(), engine: arithmetic.engine)
    }

    func callAsFunction(_ x: Tensor, past: inout LayerPast) -> Tensor {
        let (width, rows, positions) = (x.width, past.rows, past.positions)
        let qkv = queryKeyValue(queryKeyValue.input(attentionNorm(x)), rows: rows)
        let q = rotary(qkv.columns(0..<width), heads: attention.heads, positions: positions)
        let k = rotary(qkv.columns(width..<2 * width), heads: attention.heads, positions: positions)
        let seen = past.attend(q, k, qkv.columns(2 * width..<3 * width), attention)
        let y = out(out.input(seen), addedTo: x, rows: rows)
        let z = gate.input(mlpNorm(y))
        let hidden = gate(z, activation: .silu, rows: rows) * up(z, rows: rows)
        return down(down.input(hidden), addedTo: y, rows: rows)
    }
}
