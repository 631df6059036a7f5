//! CLIP's vision transformer (Radford et al., arXiv 2103.00020): pixels of a frame to one feature per patch.

package import WadeTensor

/// The vision tower of OpenAI's and OpenCLIP's models. Features are the last block's output, class token dropped,
/// before the final norm: what the released Flamingo-style models were trained on.
package struct CLIPVisionTransformer: Sendable {
    private let configuration: VisionTransformerConfiguration
    /// (D, 3·P·P)
    private let patchEmbedding: Linear
    /// (D)
    private let classEmbedding: Tensor
    /// (1 + V, D): the class token's row first.
    private let positionEmbedding: Tensor
    private let preNorm: LayerNorm
    private let blocks: [VisionBlock]
    /// What the contrastive embedding goes through; nil when the weights are not there.
    private let projection: (norm: LayerNorm, linear: Linear)?
    /// Behind the last block, where the model has one (no published one).
    private let outputNorm: LayerNorm?
    /// (V, D), fixed: added to the patches' features, where the model wants it (no published one).
    private let outputPosition: Tensor?

    package init(
        _ weights: Weights, _ configuration: VisionTransformerConfiguration, arithmetic: Arithmetic
    ) throws {
        let (width, patch) = (configuration.width, configuration.patchSize)
        self.configuration = configuration
        patchEmbedding = try Linear(
            weights["patch_embedding"], from: 3 * patch * patch, to: width, arithmetic)
        classEmbedding = try weights.tensor("class_embedding", shape: [width])
        positionEmbedding = try weights.tensor(
            "position_embedding", shape: [1 + configuration.patches, width])
        preNorm = try LayerNorm(
            weights["pre_norm"], width: width, epsilon: configuration.normEpsilon)
        blocks = try (0..<configuration.layers).map {
            try VisionBlock(weights["layers"]["\($0)"], configuration, arithmetic: arithmetic)
        }
        projection = try configuration.projectionWidth.map {
            (
                try LayerNorm(
                    weights["post_norm"], width: width, epsilon: configuration.normEpsilon),
                try Linear(weights["projection"], from: width, to: $0, arithmetic)
            )
        }
        outputNorm =
            configuration.outputNorm ?? false
            ? try LayerNorm(
                weights["output_norm"], width: width, epsilon: configuration.normEpsilon) : nil
        outputPosition = configuration.outputPosition?.table(
            side: configuration.imageSize / patch, width: width)
    }

    /// Normalised pixels (F, 3, S, S) to patch features (F, V, D), in IDEFICS with the class token first, (F, 1 + V, D).
    package func callAsFunction(_ pixels: Tensor) throws -> Tensor {
        features(ofTokens: try tokens(pixels))
    }

    /// What `tokens` gave to patch features (F, V, D).
    package func features(ofTokens tokens: Tensor) -> Tensor {
        let (frames, count, width) = (tokens.shape[0], tokens.shape[1], tokens.shape[2])
        let keepsClassToken = configuration.keepsClassToken ?? false
        if keepsClassToken && outputPosition == nil { return tokens }
        let features = (0..<frames).flatMap { frame -> [Tensor] in
            let patches = tokens[frame][1..<count]
            let placed = outputPosition.map { patches + $0 } ?? patches
            return keepsClassToken ? [tokens[frame][0..<1], placed] : [placed]
        }
        return Tensor.concatenated(features).reshaped([frames, configuration.features, width])
    }

    /// Normalised pixels (F, 3, Y, X) to the last block's output with the class token first, (F, 1 + V, D).
    /// `positions` replaces the trained position table, for pictures of another size. `observe` sees the stages by name.
    package func tokens(
        _ pixels: Tensor, positions: Tensor? = nil, observe: (String, Tensor) -> Void = { _, _ in }
    ) throws -> Tensor {
        let table = positions ?? positionEmbedding
        let frames = try patches(
            of: pixels, expected: table.rows - 1, anySize: positions != nil)
        let count = frames.shape[0]
        // In training all frames go through each product together. Otherwise each goes alone, because the libraries' sums may
        // differ in their last bits with the number of rows, and a frame's features must not depend on its neighbours.
        let groups = classEmbedding.isWatched ? [0..<count] : (0..<count).map { $0..<$0 + 1 }
        func stack(_ x: [Tensor]) -> Tensor {
            Tensor.concatenated(x).reshaped([count, table.rows, table.width])
        }
        let embedded = groups.map { withPositions(frames[$0], table) }
        observe("embeddings", stack(embedded))
        var x = embedded.map { preNorm($0) }
        observe("hidden.0", stack(x))
        for (index, block) in blocks.enumerated() {
            x = x.map { block($0, tokens: table.rows) }
            observe("hidden.\(index + 1)", stack(x))
        }
        if let outputNorm { x = x.map { outputNorm($0) } }
        return stack(x)
    }

    /// Patches (F, V, 3·P·P) to tokens (F·(1 + V), D), each frame's class token first, with their positions.
    private func withPositions(_ patches: Tensor, _ table: Tensor) -> Tensor {
        let (frames, features) = (patches.shape[0], patchEmbedding(patches))
        let classToken = classEmbedding.reshaped([1, classEmbedding.count])
        let tokens = Tensor.concatenated((0..<frames).flatMap { [classToken, features[$0]] })
        let placed = tokens.reshaped([frames, table.count]) + table.reshaped([table.count])
        return placed.reshaped([frames * table.rows, table.width])
    }

    /// The class token of each frame after the final norm, (F, D); nil when the model has no projection.
    /// `tokens` is what the function of that name returns.
    package func pooled(_ tokens: Tensor) -> Tensor? {
        guard let projection else { return nil }
        return projection.norm(
            Tensor.concatenated((0..<tokens.shape[0]).map { tokens[$0][0..<1] }))
    }

    /// The contrastive embedding of each frame as the projection gives it, (F, E); nil when the model has no projection.
    package func projected(_ tokens: Tensor) -> Tensor? {
        guard let projection, let pooled = pooled(tokens) else { return nil }
        return projection.linear(pooled)
    }

    /// The contrastive embedding of each frame, (F, E), of length 1; nil when the model has no projection.
    package func embedding(_ tokens: Tensor) -> Tensor? {
        projected(tokens)?.normalizedRows()
    }

    /// The trained table (1 + V, D) of position embeddings.
    package var trainedPositions: Tensor { positionEmbedding }

    /// Cuts pixels (F, 3, Y, X) into patches (F, V, 3·P·P), rows of patches from the top; a rest that fills no patch is left out.
    private func patches(of pixels: Tensor, expected: Int, anySize: Bool) throws -> Tensor {
        let (side, size) = (configuration.patchSize, configuration.imageSize)
        guard pixels.shape.rank == 4, pixels.shape[0] > 0, pixels.shape[1] == 3,
            anySize || pixels.shape[2] == size && pixels.shape[3] == size, pixels.shape[2] >= side,
            pixels.shape[3] >= side,
            (pixels.shape[2] / side) * (pixels.shape[3] / side) == expected
        else {
            throw FlamingoError.pixels(
                found: "\(pixels.shape)",
                expected: "[F, 3, Y, X] with \(expected) patches of \(side)x\(side)")
        }
        return pixels.patches(side: side)
    }
}

/// One pre-norm transformer block of the tower.
private struct VisionBlock: Sendable {
    private let attentionNorm: LayerNorm
    /// Queries, keys and values in one product.
    private let queryKeyValue: Linear
    private let out: Linear
    private let mlpNorm: LayerNorm
    private let up: Linear
    private let down: Linear
    private let activation: Activation
    private let attention: Attention

    init(
        _ weights: Weights, _ configuration: VisionTransformerConfiguration, arithmetic: Arithmetic
    ) throws {
        let (width, epsilon) = (configuration.width, configuration.normEpsilon)
        attentionNorm = try LayerNorm(weights["attention_norm"], width: width, epsilon: epsilon)
        queryKeyValue = try Linear(
            weights["attention"]["qkv"], from: width, to: 3 * width, bias: true, arithmetic)
        out = try Linear(
            weights["attention"]["out"], from: width, to: width, bias: true, arithmetic)
        mlpNorm = try LayerNorm(weights["mlp_norm"], width: width, epsilon: epsilon)
        up = try Linear(
            weights["mlp"]["up"], from: width, to: configuration.mlpWidth, bias: true, arithmetic)
        down = try Linear(
            weights["mlp"]["down"], from: configuration.mlpWidth, to: width, bias: true, arithmetic)
        activation = configuration.activation
        attention = Attention(
            heads: configuration.heads,
            scale: 1 / Float(width / configuration.heads).squareRoot(), engine: arithmetic.engine)
    }

    /// x (F·N, D), frame after frame of N tokens, to the same shape; a frame attends to itself only.
    func callAsFunction(_ x: Tensor, tokens: Int) -> Tensor {
        let y = out(out.input(attended(x, tokens: tokens)), addedTo: x)
        return down(
            up.hidden(up.input(y, norm: mlpNorm), activation: activation, for: down), addedTo: y)
    }

    /// The attention term before its projection.
    private func attended(_ x: Tensor, tokens: Int) -> Tensor {
        let (width, input) = (x.width, queryKeyValue.input(x, norm: attentionNorm))
        if x.rows == tokens, let rounded = attention.rounded(input, through: queryKeyValue) {
            return rounded
        }
        let qkv = queryKeyValue(input)
        return attention(
            qkv.columns(0..<width), keys: [qkv.columns(width..<2 * width)],
            values: [qkv.columns(2 * width..<3 * width)], mask: mask(rows: x.rows, tokens: tokens))
    }

    private func mask(rows: Int, tokens: Int) -> AttentionMask {
        if rows == tokens { return .none }
        return .windows(
            (0..<rows).map { row in
                let start = row / tokens * tokens
                return .keys(start..<start + tokens)
            })
    }
}
