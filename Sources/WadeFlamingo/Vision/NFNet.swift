//! The normalizer-free network (Brock et al., arXiv 2102.06171): Flamingo's vision encoder, frames to a grid of features.

package import WadeTensor

#if canImport(Glibc)
    internal import Glibc
#endif

/// An NFNet without normalisation layers: every convolution's weights are standardised once, when it is loaded.
///
/// As a Flamingo's encoder it needs no classifier; what a layer multiplies is standardised first and packed then, so that bundles keep
/// its weights as they were published. Parameter names are timm's (`dm_nfnet_f0` to `f6`). Feature maps are (F, Y, X, C).
package struct NFNet: Sendable {
    private let configuration: NFNetConfiguration
    /// Four 3 × 3 convolutions, pixels to a quarter of the resolution.
    private let stem: [Convolution]
    private let stages: [[NormalizerFreeBlock]]
    /// 1 × 1
    private let finalConvolution: Convolution
    /// The classifier of ImageNet; nil when the weights are not there.
    private let classifier: Linear?
    private let activation: ScaledGELU

    package init(
        _ weights: Weights, _ configuration: NFNetConfiguration, arithmetic: Arithmetic
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        let rule = configuration.rule
        activation = ScaledGELU(rule)
        let stemWidths = [8, 4, 2, 1].map { configuration.stemWidth / $0 }
        stem = try zip(0..<4, zip([3] + stemWidths, stemWidths)).map { index, widths in
            try Convolution(
                standardized: weights["stem"]["conv\(index + 1)"], from: widths.0, to: widths.1,
                kernel: 3, stride: [2, 1, 1, 2][index], rule, arithmetic)
        }
        var plan = BlockPlan(width: configuration.stemWidth)
        stages = try configuration.depths.indices.map { stage in
            try (0..<configuration.depths[stage]).map { index in
                let place = plan.next(stage: stage, block: index, configuration)
                return try NormalizerFreeBlock(
                    weights["stages"][stage][index], place, configuration, arithmetic)
            }
        }
        finalConvolution = try Convolution(
            standardized: weights["final_conv"], from: plan.width, to: configuration.finalWidth,
            kernel: 1, rule, arithmetic)
        classifier = try weights["head.fc"].shape(of: "weight").map { shape in
            try Linear(
                weights["head.fc"], from: configuration.finalWidth,
                to: shape.rank == 2 ? shape[0] : 0, bias: true, arithmetic)
        }
    }

    /// Normalised pixels (F, 3, Y, X) to features (F, V, D), row by row from the top; V is the area over 32², sides rounded up.
    package func callAsFunction(_ pixels: Tensor) throws -> Tensor {
        let frames = try lastStage(pixels).map { map in
            configuration.tap == .lastStage ? map : activation(finalConvolution(map))
        }
        let map = Tensor.concatenated(frames)
        return map.reshaped([map.shape[0], map.shape[1] * map.shape[2], map.shape[3]])
    }

    /// Normalised pixels (F, 3, Y, X) to ImageNet's classes (F, N); nil when the model has no classifier.
    /// `observe` sees the stages by name, a call for each frame, (1, Y, X, C) each.
    package func logits(
        _ pixels: Tensor, observe: (String, Tensor) -> Void = { _, _ in }
    ) throws -> Tensor? {
        guard let classifier else { return nil }
        let rows = try lastStage(pixels, observe: observe).map { map -> Tensor in
            let final = finalConvolution(map)
            observe("final_conv", final)
            let features = activation(final)
            observe("features", features)
            let pooled = features.globalMean()
            observe("pooled", pooled)
            return classifier(pooled)
        }
        return Tensor.concatenated(rows)
    }

    /// The last stage's map of each frame, (1, Y, X, C). Frames go one by one, so that their number changes nothing.
    private func lastStage(
        _ pixels: Tensor, observe: (String, Tensor) -> Void = { _, _ in }
    ) throws -> [Tensor] {
        guard pixels.shape.rank == 4, pixels.shape[1] == 3, pixels.count > 0 else {
            throw FlamingoError.pixels(found: "\(pixels.shape)", expected: "[F, 3, Y, X]")
        }
        let (height, width) = (pixels.shape[2], pixels.shape[3])
        return (0..<pixels.shape[0]).map { frame in
            var x = pixels[frame].reshaped([3, height * width]).transposed()
                .reshaped([1, height, width, 3])
            for (index, convolution) in stem.enumerated() {
                x = convolution(index == 0 ? x : activation(x))
            }
            observe("stem", x)
            for (stage, blocks) in stages.enumerated() {
                for (index, block) in blocks.enumerated() {
                    x = block(x)
                    observe("stages.\(stage).\(index)", x)
                }
            }
            return x
        }
    }
}

/// γ · GELU(x), with γ such that unit-variance input keeps unit variance.
private struct ScaledGELU: Sendable {
    private let gelu: Activation

    init(_ rule: NFNetConfiguration.Rule) { gelu = rule == .timm ? .gelu : .geluTanh }

    func callAsFunction(_ x: Tensor, scale: Float = 1) -> Tensor {
        gelu(x) * (Float(1.7015043497085571) * scale)
    }
}

/// Where a block stands, and the variance that its input is expected to have.
private struct BlockPlan {
    /// Channels that come in.
    private(set) var width: Int
    private var variance: Float = 1

    init(width: Int) { self.width = width }

    struct Place {
        let inputs: Int
        let outputs: Int
        let stride: Int
        /// β = 1/√(expected variance of the input)
        let beta: Float
    }

    /// The expected variance grows by α² a block; the first block of a stage sets it back to 1, after having used it.
    mutating func next(stage: Int, block: Int, _ configuration: NFNetConfiguration) -> Place {
        let outputs = configuration.widths[stage]
        let place = Place(
            inputs: width, outputs: outputs, stride: block == 0 && stage > 0 ? 2 : 1,
            beta: 1 / variance.squareRoot())
        if block == 0 { variance = 1 }
        variance += configuration.alpha * configuration.alpha
        width = outputs
        return place
    }
}

/// x + α · branch(β · act(x)): a bottleneck with grouped convolutions and squeeze-and-excite (the paper's figure 5).
private struct NormalizerFreeBlock: Sendable {
    private let place: BlockPlan.Place
    /// conv1 (1 × 1), conv2 and conv2b (3 × 3, grouped), conv3 (1 × 1).
    private let convolutions: [Convolution]
    /// 1 × 1 where resolution or width changes.
    private let shortcut: Convolution?
    /// attn_last.fc1 and fc2.
    private let squeeze: Linear
    private let excite: Linear
    /// α · skipinit_gain · 2: what the branch is multiplied with, 2 being the gain of squeeze-and-excite.
    private let branchGain: Float
    private let activation: ScaledGELU

    init(
        _ weights: Weights, _ place: BlockPlan.Place, _ configuration: NFNetConfiguration,
        _ arithmetic: Arithmetic
    ) throws {
        let rule = configuration.rule
        let inner = configuration.innerWidth(of: place.outputs)
        let squeezed = configuration.squeezedWidth(of: place.outputs)
        func convolution(
            _ name: String, from inputs: Int, to outputs: Int, kernel: Int, stride: Int = 1
        ) throws -> Convolution {
            try Convolution(
                standardized: weights[name], from: inputs, to: outputs, kernel: kernel,
                stride: stride, groups: kernel == 1 ? 1 : inner / configuration.groupWidth, rule,
                arithmetic)
        }
        self.place = place
        convolutions = [
            try convolution("conv1", from: place.inputs, to: inner, kernel: 1),
            try convolution("conv2", from: inner, to: inner, kernel: 3, stride: place.stride),
            try convolution("conv2b", from: inner, to: inner, kernel: 3),
            try convolution("conv3", from: inner, to: place.outputs, kernel: 1),
        ]
        shortcut =
            place.stride == 1 && place.inputs == place.outputs
            ? nil
            : try convolution("downsample.conv", from: place.inputs, to: place.outputs, kernel: 1)
        squeeze = try Linear(
            pointwise: weights["attn_last.fc1"], from: place.outputs, to: squeezed, arithmetic)
        excite = try Linear(
            pointwise: weights["attn_last.fc2"], from: squeezed, to: place.outputs, arithmetic)
        let skipGain = try weights.tensor("skipinit_gain", shape: []).values[0]
        branchGain = configuration.alpha * skipGain * 2
        activation = ScaledGELU(rule)
    }

    /// x (1, Y, X, C) to (1, Y/S, X/S, O), sides rounded up.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let activated = activation(x, scale: place.beta)
        var branch = convolutions[0](activated)
        for convolution in convolutions.dropFirst() { branch = convolution(activation(branch)) }
        let gates = excite(Activation.relu(squeeze(branch.globalMean())))
        let sigmoid = Tensor(gates.values.map { 1 / (1 + expf(-$0)) }, shape: gates.shape)
        let pooled = place.stride == 1 ? activated : activated.halvedByMeans()
        var y = shortcut.map { $0(pooled) } ?? x
        y.add(branch.scalingChannels(by: sigmoid), scaledBy: branchGain)
        return y
    }
}

extension Convolution {
    /// A convolution whose weights have mean 0 and variance 1/N over each output's N inputs, times a gain (the paper's equation 1).
    fileprivate init(
        standardized weights: Weights, from inputs: Int, to outputs: Int, kernel: Int,
        stride: Int = 1, groups: Int = 1, _ rule: NFNetConfiguration.Rule, _ arithmetic: Arithmetic
    ) throws {
        let shape = Shape([outputs, inputs / groups, kernel, kernel])
        let tensor = try weights.tensor("weight", shape: shape)
        let gain = try weights.tensor("gain", shape: [outputs, 1, 1, 1]).values
        let bias = try weights.tensor("bias", shape: [outputs])
        guard weights.holdValues else {
            self.init(
                unread: shape, bias: bias, stride: stride, groups: groups, arithmetic: arithmetic)
            return
        }
        let raw = tensor.values
        let fanIn = shape.elementCount / outputs
        var standardized = [Float](repeating: 0, count: raw.count)
        for output in 0..<outputs {
            let own = output * fanIn..<(output + 1) * fanIn
            let mean = raw[own].reduce(0.0) { $0 + Double($1) } / Double(fanIn)
            let variance =
                raw[own].reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
                / Double(fanIn)
            let divisor: Double
            switch rule {
            case .timm: divisor = (Double(fanIn) * (variance + 1e-5)).squareRoot()
            case .deepMind: divisor = max(Double(fanIn) * variance, 1e-4).squareRoot()
            }
            for i in own {
                standardized[i] = Float((Double(raw[i]) - mean) * Double(gain[output]) / divisor)
            }
        }
        self.init(
            weight: Tensor(standardized, shape: shape), bias: bias, stride: stride, groups: groups,
            arithmetic: arithmetic)
    }
}

extension Linear {
    /// A linear layer stored as a 1 × 1 convolution (O, C, 1, 1).
    fileprivate init(
        pointwise weights: Weights, from inputs: Int, to outputs: Int, _ arithmetic: Arithmetic
    ) throws {
        self.init(
            weight: try weights.tensor("weight", shape: [outputs, inputs, 1, 1])
                .reshaped([outputs, inputs]),
            bias: try weights.tensor("bias", shape: [outputs]),
            arithmetic: arithmetic.ofLayer(weights: outputs * inputs))
    }
}
