//! What the vision encoder is trained against and with: words, thumbnails, projections. Thrown away after the stage.
internal import WadeFlamingo
internal import WadeTensor

/// The text side of the contrastive stage, and the patches' projection.
struct ContrastiveHeads {
    private let embedding: Linear
    private let wordNorm: LayerNorm
    private let wordUp: Linear
    private let wordDown: Linear
    private let patchProjection: Linear
    private let thumbnailUp: Linear
    private let thumbnailDown: Linear

    init(_ weights: Weights, width vision: VisionTransformerConfiguration, _ arithmetic: Arithmetic)
        throws
    {
        func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool) throws -> Linear {
            Linear(
                weight: try weights[name].tensor("weight", shape: [outputs, inputs]),
                bias: bias ? try weights[name].tensor("bias", shape: [outputs]) : nil,
                arithmetic: arithmetic)
        }
        embedding = try linear("words.embedding", LabelledFrame.wordCount, 256, bias: false)
        wordNorm = LayerNorm(
            weight: try weights["words.norm"].tensor("weight", shape: [256]),
            bias: try weights["words.norm"].tensor("bias", shape: [256]), epsilon: 1e-5)
        wordUp = try linear("words.up", 256, 256, bias: true)
        wordDown = try linear("words.down", 256, vision.projectionWidth ?? 1, bias: true)
        patchProjection = try linear("patch", vision.width, 96, bias: true)
        thumbnailUp = try linear("thumbnail.up", LabelledFrame.thumbnailWidth, 256, bias: true)
        thumbnailDown = try linear("thumbnail.down", 256, 96, bias: true)
    }

    /// The words of frames, each a set of ids, to (N, E).
    func words(_ frames: [[Int]]) -> Tensor {
        var bags = [Float](repeating: 0, count: frames.count * LabelledFrame.wordCount)
        for (row, words) in frames.enumerated() {
            for word in words { bags[row * LabelledFrame.wordCount + word] = 1 }
        }
        let x = embedding(Tensor(bags, shape: [frames.count, LabelledFrame.wordCount]))
        return wordDown(Activation.gelu(wordUp(wordNorm(x))))
    }

    /// Patch features (N, D) to (N, 96).
    func patch(_ features: Tensor) -> Tensor { patchProjection(features) }

    /// Thumbnails (N, T) to (N, 96).
    func thumbnails(_ thumbnails: Tensor) -> Tensor {
        thumbnailDown(Activation.gelu(thumbnailUp(thumbnails)))
    }
}
