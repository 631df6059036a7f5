//! The feed-forward of the resampler and of the gated blocks: norm, widen, activate, narrow.

package import WadeTensor

/// W₂ · activation(W₁ · LN(x)), without biases in the linear layers.
package struct FeedForward: Sendable {
    private let norm: LayerNorm
    private let up: Linear
    private let down: Linear
    private let activation: Activation

    package init(
        _ weights: Weights, width: Int, mlpWidth: Int, activation: Activation,
        arithmetic: Arithmetic
    ) throws {
        norm = try LayerNorm(weights["norm"], width: width)
        up = try Linear(weights["up"], from: width, to: mlpWidth, arithmetic)
        down = try Linear(weights["down"], from: mlpWidth, to: width, arithmetic)
        self.activation = activation
    }

    /// x (…, D) to the same shape.
    package func callAsFunction(_ x: Tensor, rows: Rows = .together) -> Tensor {
        down(
            up.hidden(up.input(x, norm: norm), activation: activation, for: down, rows: rows),
            rows: rows)
    }
}

extension LayerNorm {
    /// A norm with weight and, unless the model has none, bias; ε is PyTorch's default.
    init(_ weights: Weights, width: Int, bias: Bool = true, epsilon: Float = 1e-5) throws {
        self.init(
            weight: try weights.tensor("weight", shape: [width]),
            bias: bias ? try weights.tensor("bias", shape: [width]) : nil, epsilon: epsilon)
    }
}

extension RMSNorm {
    init(_ weights: Weights, width: Int, epsilon: Float) throws {
        self.init(weight: try weights.tensor("weight", shape: [width]), epsilon: epsilon)
    }
}

extension Linear {
    init(
        _ weights: Weights, from inputs: Int, to outputs: Int, bias: Bool = false,
        _ arithmetic: Arithmetic
    ) throws {
        try self.init(
            weights, "weight", from: inputs, to: outputs,
            bias: bias ? try weights.tensor("bias", shape: [outputs]) : nil,
            arithmetic: arithmetic)
    }
}
