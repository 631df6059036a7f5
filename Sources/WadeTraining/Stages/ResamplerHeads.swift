//! Heads that make the resampler see before any text does; thrown away after the stage.
internal import WadeTensor

/// One linear head per attribute and one for the paths of subject and camera, all on pooled visual tokens.
struct ResamplerHeads {
    private let queries: Tensor
    private let attributes: [Linear]
    private let pathQueries: Tensor
    private let pathUp: Linear
    private let pathNorm: LayerNorm
    private let pathDown: Linear
    private let pooling: Attention
    private let frames: Int
    /// Poolings of the visual tokens behind one frame's row of the path.
    private static let queriesPerFrame = 2
    private static let pathWidth = 256

    init(_ weights: Weights, width: Int, frames: Int, _ arithmetic: Arithmetic) throws {
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
            Linear(
                weight: try weights[name].tensor("weight", shape: [outputs, inputs]),
                bias: try weights[name].tensor("bias", shape: [outputs]), arithmetic: arithmetic)
        }
        self.frames = frames
        queries = try weights["attributes"].tensor(
            "queries", shape: [ShotAttribute.allCases.count, width])
        attributes = try ShotAttribute.allCases.map {
            try linear("attributes.\($0.rawValue)", width, $0.values.count)
        }
        pathQueries = try weights["path"].tensor(
            "queries", shape: [Self.queriesPerFrame * frames, width])
        pathUp = try linear("path.up", Self.queriesPerFrame * width, Self.pathWidth)
        // Without it one common part of all tokens switches the units off for good, in the first steps.
        pathNorm = LayerNorm(
            weight: try weights["path.norm"].tensor("weight", shape: [Self.pathWidth]),
            bias: try weights["path.norm"].tensor("bias", shape: [Self.pathWidth]), epsilon: 1e-5)
        pathDown = try linear("path.down", Self.pathWidth, 6)
        pooling = Attention(heads: 1, scale: 0.3, engine: arithmetic.engine)
    }

    /// The logits (1, values) of every attribute, in their order, from visual tokens (R, D).
    func attributes(_ tokens: Tensor) -> [Tensor] {
        let pooled = pooling(queries, keys: [tokens], values: [tokens], mask: .none)
        return attributes.indices.map { attributes[$0](pooled[$0..<$0 + 1]) }
    }

    /// The paths (F, 6) from visual tokens (R, D), scaled as `target` scales them.
    func path(_ tokens: Tensor) -> Tensor {
        let pooled = pooling(pathQueries, keys: [tokens], values: [tokens], mask: .none)
        let perFrame = pooled.reshaped([frames, pooled.count / frames])
        return pathDown(Activation.gelu(pathNorm(pathUp(perFrame))))
    }

    /// A path (F, 6) on a scale on which all columns matter alike; the camera's is counted from its mean.
    static func target(_ path: Tensor) -> Tensor {
        var values = path.values
        let frames = values.count / 6
        for column in 0..<6 {
            let places = (0..<frames).map { $0 * 6 + column }
            let mean = places.reduce(Float(0)) { $0 + values[$1] } / Float(frames)
            for place in places {
                switch column {
                case 0, 1: values[place] = max(-0.7, min(0.7, values[place] - 0.5)) * 4
                case 2: values[place] = (values[place] - 0.15) * 8
                default: values[place] = (values[place] - mean) * 5
                }
            }
        }
        return Tensor(values, shape: path.shape)
    }
}
