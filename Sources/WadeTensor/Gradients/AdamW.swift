//! Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101), as PyTorch computes it.

/// The optimiser and its state; parameters are known by their names.
package struct AdamW: Sendable {
    /// The step size, before a parameter's own factor.
    package var learningRate: Float
    /// β₁ and β₂, the memory of the two moments.
    package let betas: (Float, Float)
    /// Added to the root of the second moment.
    package let epsilon: Float
    /// The share of a parameter that is taken off per step and learning rate, before a parameter's own factor.
    package let weightDecay: Float
    /// What a parameter's learning rate is multiplied by; 1 where it has none.
    package var learningRateFactors: [String: Float] = [:]
    /// What a parameter's decay is multiplied by; 1 where it has none.
    package var decayFactors: [String: Float] = [:]
    /// How many steps were taken.
    package private(set) var step = 0
    private var moments: [String: (first: Tensor, second: Tensor)] = [:]

    package init(
        learningRate: Float, betas: (Float, Float) = (0.9, 0.999), epsilon: Float = 1e-8,
        weightDecay: Float = 0.01
    ) {
        self.learningRate = learningRate
        self.betas = betas
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// One step: each named parameter moves by its gradient, which has its shape. Parameters without a gradient stay, to the bit.
    package mutating func update(_ parameters: inout [String: Tensor], gradients: [String: Tensor])
    {
        step += 1
        let correction1 = 1 - power(Double(betas.0), step)
        let correction2 = (1 - power(Double(betas.1), step)).squareRoot()
        for (name, gradient) in gradients {
            // Taken out, so that each is written where it is and not copied.
            guard var parameter = parameters.removeValue(forKey: name) else {
                preconditionFailure("AdamW: a gradient of \(name), which is no parameter")
            }
            precondition(
                gradient.shape == parameter.shape,
                "AdamW: \(name) is \(parameter.shape), its gradient \(gradient.shape)")
            var (first, second) =
                moments.removeValue(forKey: name)
                ?? (Tensor.zeros(parameter.shape), Tensor.zeros(parameter.shape))
            let rate = Double(learningRate) * Double(learningRateFactors[name] ?? 1)
            let decay = Double(weightDecay) * Double(decayFactors[name] ?? 1)
            move(
                &parameter, gradient, &first, &second, keep: Float(1 - rate * decay),
                rate: Float(rate / correction1), rootScale: Float(1 / correction2))
            moments[name] = (first, second)
            parameters[name] = parameter
        }
    }

    private func move(
        _ parameter: inout Tensor, _ gradient: Tensor, _ first: inout Tensor,
        _ second: inout Tensor, keep: Float, rate: Float, rootScale: Float
    ) {
        let (beta1, beta2, epsilon) = (betas.0, betas.1, epsilon)
        unsafe parameter.withMutableValues { p in
            unsafe first.withMutableValues { m in
                unsafe second.withMutableValues { v in
                    unsafe gradient.withValues { g in
                        for i in 0..<p.count {
                            unsafe m[i] = beta1 * m[i] + (1 - beta1) * g[i]
                            unsafe v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i]
                            let root = unsafe v[i].squareRoot() * rootScale
                            unsafe p[i] = keep * p[i] - rate * m[i] / (root + epsilon)
                        }
                    }
                }
            }
        }
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<exponent { result *= base }
        return result
    }

    /// The names under which `state` keeps what belongs to parameter `name`.
    private static let (firstPrefix, secondPrefix, stepName) = ("first.", "second.", "step")

    /// The state as named tensors: `first.NAME`, `second.NAME` and `step`, whose two numbers are its low 20 bits and the rest.
    package var state: [String: Tensor] {
        var state: [String: Tensor] = [
            Self.stepName: Tensor([Float(step & 0xF_FFFF), Float(step >> 20)], shape: [2])
        ]
        for (name, (first, second)) in moments {
            state[Self.firstPrefix + name] = first
            state[Self.secondPrefix + name] = second
        }
        return state
    }

    /// Takes up where the optimiser whose `state` this is stopped. Throws for a tensor that is missing or does not fit.
    package mutating func restore(_ state: [String: Tensor], file: String) throws {
        guard let count = state[Self.stepName] else {
            throw TensorError.missing(name: Self.stepName, file: file)
        }
        guard count.count == 2, let low = Int(exactly: count.values[0]),
            let high = Int(exactly: count.values[1]), (0..<1 << 20).contains(low),
            (0..<1 << 24).contains(high)
        else {
            throw TensorError.malformedTensor(
                file: file, name: Self.stepName, found: "\(count.values)",
                expected: "a number of steps")
        }
        var restored: [String: (first: Tensor, second: Tensor)] = [:]
        for (key, first) in state where key.hasPrefix(Self.firstPrefix) {
            let name = String(key.dropFirst(Self.firstPrefix.count))
            guard let second = state[Self.secondPrefix + name] else {
                throw TensorError.missing(name: Self.secondPrefix + name, file: file)
            }
            guard first.shape == second.shape else {
                throw TensorError.shapeMismatch(
                    name: Self.secondPrefix + name, found: second.shape, expected: first.shape,
                    file: file)
            }
            restored[name] = (first, second)
        }
        (step, moments) = (high << 20 | low, restored)
    }
}

/// Scales gradients so that their common length is at most `limit`, as PyTorch's `clip_grad_norm_` does; returns the length before.
/// Names are taken in the order of their bytes, so that the sum is the same on every run.
@discardableResult
package func clipGradientNorm(_ gradients: inout [String: Tensor], to limit: Float) -> Float {
    var square = 0.0
    for name in sortedByBytes(gradients.keys) {
        guard let gradient = gradients[name] else { continue }
        square += Double(Tensor.dotProduct(gradient, gradient))
    }
    let norm = Float(square.squareRoot())
    let scale = limit / (norm + 1e-6)
    guard scale < 1 else { return norm }
    for name in gradients.keys {
        guard let gradient = gradients[name] else { continue }
        gradients[name] = gradient * scale
    }
    return norm
}
