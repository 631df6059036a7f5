//! How a model computes: which library multiplies and in which precision its weights are kept.

/// The number format in which `Linear` keeps its weights and multiplies.
package enum Precision: String, Sendable, CaseIterable, Codable {
    /// IEEE single precision: the reference.
    case float32
    /// Operands rounded to bfloat16 (8 bits of mantissa), sums in float32.
    case bfloat16
}

/// The choices that hold for a whole model, made once when it is loaded.
package struct Arithmetic: Sendable, Hashable {
    /// Who multiplies matrices.
    package let engine: MatrixEngine
    /// How linear layers keep their weights.
    package let precision: Precision
    /// Whether weights stay as they are, so that gradients can go back through them; packed ones are for inference only.
    package let allowsGradients: Bool

    package init(
        engine: MatrixEngine = .oneDNN, precision: Precision = .float32,
        allowsGradients: Bool = false
    ) {
        self.engine = engine
        self.precision = precision
        self.allowsGradients = allowsGradients
    }

    /// The precision, the libraries and the instructions that they use on this machine: where any of these differ, so may the last bits.
    package var version: String { "\(precision.rawValue) \(engine.version)" }
}
