//! How a model computes: which library multiplies and in which precision its weights are kept.

/// The number format in which `Linear` keeps its weights and multiplies.
package enum Precision: String, Sendable, CaseIterable, Codable {
    /// IEEE single precision: the reference.
    case float32
}

/// The choices that hold for a whole model, made once when it is loaded.
package struct Arithmetic: Sendable, Hashable {
    /// Who multiplies matrices.
    package let engine: MatrixEngine
    /// How linear layers keep their weights.
    package let precision: Precision

    package init(engine: MatrixEngine = .oneDNN, precision: Precision = .float32) {
        self.engine = engine
        self.precision = precision
    }

    /// The precision, the libraries and the instructions that they use on this machine: where any of these differ, so may the last bits.
    package var version: String { "\(precision.rawValue) \(engine.version)" }
}
