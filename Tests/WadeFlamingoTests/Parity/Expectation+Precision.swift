//! Comparing what modules compute with their originals, in any precision.
import Testing
import WadeTensor

@testable import WadeFlamingo

/// Records an issue unless `found` is as near to `expected` as the program's own verification wants it. An empty comparison fails.
func expectNear(
    _ found: Tensor, _ expected: Tensor, within tolerance: VerificationTolerance, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let (difference, limit) = tolerance.measured(found, expected)
    #expect(
        found.count > 0 && difference <= limit,
        "\(what): \(difference), tolerance \(tolerance); \(Comparison(found, expected))",
        sourceLocation: sourceLocation)
}

extension VerificationTolerance {
    /// What is allowed of a vision encoder or a resampler alone.
    static func module(_ precision: Precision) -> VerificationTolerance {
        .of(.visual, in: precision, family: .openFlamingo)
    }

    /// What is allowed of a gated block alone, which a model of four bits has in four bits.
    static func block(_ precision: Precision) -> VerificationTolerance {
        precision == .int4 ? .of(.state, in: .int4, family: .openFlamingo) : module(precision)
    }
}

extension Precision {
    /// The precisions that a vision encoder or a resampler comes in; a model of four bits keeps them in int8.
    static let ofSeeing: [Precision] = [.float32, .bfloat16, .int8]
}

extension Arithmetic {
    /// `precision` for every layer, however small.
    static func every(
        _ precision: Precision, _ engine: MatrixEngine = .oneDNN
    ) -> Arithmetic {
        Arithmetic(engine: engine, precision: precision, leastInt8Weights: 0)
    }
}
