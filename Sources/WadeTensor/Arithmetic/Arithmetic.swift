//! How a model computes: which library multiplies and in which precision its weights are kept.

/// The number format in which `Linear` keeps its weights and multiplies.
package enum Precision: String, Sendable, CaseIterable, Codable {
    /// IEEE single precision: the reference.
    case float32
    /// Operands rounded to bfloat16 (8 bits of mantissa), sums in float32.
    case bfloat16
    /// Operands rounded to 8-bit integers with one scale for each column of the weights and each row of what they are multiplied
    /// with, sums in 32-bit integers.
    case int8
    /// Weights as 4-bit integers with a scale for every 32 inputs of an output (`FourBitWeights`), multiplied as bfloat16.
    case int4

    /// What rows of activations are rounded to before they are multiplied with weights of this precision.
    var ofRows: Precision { self == .int4 ? .bfloat16 : self }

    /// The precisions in which gradients can be taken.
    package static let trainable: [Precision] = [.float32, .bfloat16]

    /// What names the arithmetic in a recipe; it changes when the same weights may give other numbers.
    package var recipeName: String {
        switch self {
        case .float32, .int8, .int4: rawValue
        // The second: weights are rounded once, and every product is one of rounded operands.
        case .bfloat16: "bfloat16/2"
        }
    }
}

/// A precision as a user asks for it.
package enum PrecisionChoice: String, Sendable, CaseIterable, Codable {
    /// bfloat16 where the processor multiplies it faster than float32, else float32.
    case auto
    case float32
    case bfloat16
    case int8
    case int4

    /// The precision for weights that are kept as `stored` says: theirs where nothing was chosen, or where they are narrow and the
    /// choice is left to the program.
    package static func resolve(_ choice: PrecisionChoice?, stored: Precision) -> Precision {
        switch choice {
        case nil: stored
        case .auto: stored == .float32 ? MatrixEngine.fastPrecision : stored
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .int8: .int8
        case .int4: .int4
        }
    }
}

/// The choices that hold for a whole model, made once when it is loaded.
package struct Arithmetic: Sendable, Hashable {
    /// Who multiplies matrices.
    package let engine: MatrixEngine
    /// How linear layers keep their weights.
    package let precision: Precision
    /// Whether weights stay as they are, so that gradients can go back through them; packed ones are for inference only.
    package let allowsGradients: Bool
    /// Layers of a model with fewer weights stay bfloat16 where the model is int8 or int4.
    package let leastInt8Weights: Int

    /// The least weights of a layer that int8 takes: below, rounding rows costs about what the shorter product saves (an estimate), and a whole
    /// model of small layers (Flaminglet) changed 7 of 100 answers in int8, 1 in bfloat16.
    package static let leastInt8Weights = 1 << 18

    package init(
        engine: MatrixEngine = .oneDNN, precision: Precision = .float32,
        allowsGradients: Bool = false, leastInt8Weights: Int = Self.leastInt8Weights
    ) {
        precondition(
            !allowsGradients || Precision.trainable.contains(precision),
            "no gradients in \(precision)")
        self.engine = engine
        self.precision = precision
        self.allowsGradients = allowsGradients
        self.leastInt8Weights = leastInt8Weights
    }

    /// The arithmetic of a model's layer with so many weights.
    package func ofLayer(weights: Int) -> Arithmetic {
        guard [.int8, .int4].contains(precision), weights < leastInt8Weights else { return self }
        return Arithmetic(engine: engine, precision: .bfloat16)
    }

    /// The arithmetic of what sees, where this is a whole model's: in a model of four bits vision encoder and resampler stay int8. They are
    /// a small part of its memory, and all that follows rests on what they make of a clip.
    package var ofSeeing: Arithmetic {
        guard precision == .int4 else { return self }
        return Arithmetic(engine: engine, precision: .int8, leastInt8Weights: leastInt8Weights)
    }

    /// Whether products take rounded rows and narrow weights here; elsewhere rounded numbers are multiplied in float32.
    package var isNarrow: Bool {
        !allowsGradients && engine == .oneDNN && MatrixEngine.multiplies(precision)
    }

    /// The precision, the libraries and the instructions that they use on this machine: where any of these differ, so may the last bits.
    package var version: String { "\(precision.recipeName) \(engine.version)" }
}
