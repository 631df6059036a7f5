//! What a bundle that is not there yet shall be quantised to.
internal import WadeFlamingo
package import WadeTensor

/// A low precision that this machine's processor multiplies.
package struct QuantizationPlan: Sendable, Equatable {
    /// What records and options call it.
    package let name: String
    private let precision: Precision

    /// Throws where the processor has no products of `precision`, so that nothing is loaded in vain.
    package init(_ precision: Precision) throws {
        try ModelQuantization.requireProcessor(for: precision)
        self.precision = precision
        name = precision.rawValue
    }

    /// Makes a bundle at `output`, a folder that must not exist yet, of the one at `source`.
    package func write(_ source: String, to output: String) throws -> ModelBundle {
        try ModelQuantization(ModelBundle(path: source), precision: precision).write(to: output)
    }

    /// Whether the weights of `bundle` are kept like this.
    package func fits(_ bundle: ModelBundle) -> Bool {
        bundle.configuration.storedPrecision == precision
    }
}
