//! `card.md` of an imported bundle, and the figures that `wade model inspect` prints.

package import WadeFlamingo
internal import WadeTensor

/// What a bundle holds, counted.
package struct ModelCard: Sendable {
    /// A part of the model and its parameters.
    package struct Part: Sendable, Equatable {
        package let name: String
        package let parameters: Int
        /// Whether the paper trains it; the rest is frozen.
        package let isTrained: Bool
    }

    package let configuration: FlamingoConfiguration
    /// In the order of the forward pass.
    package let parts: [Part]

    /// Counts parameters that were converted.
    package init(configuration: FlamingoConfiguration, parameters: [CheckpointParameter]) {
        self.init(configuration, parameters.map { ($0.name, $0.shape.elementCount) })
    }

    /// Counts the tensors of a bundle.
    package init(_ bundle: ModelBundle) throws {
        // A packed head is the embedding once more where the two are tied.
        let isTied = bundle.configuration.language.tiedEmbedding
        let parameters = try bundle.weights.parameters().filter {
            !isTied || $0.name != "language.head.weight"
        }
        self.init(bundle.configuration, parameters.map { ($0.name, $0.shape.elementCount) })
    }

    private init(_ configuration: FlamingoConfiguration, _ tensors: [(String, Int)]) {
        self.configuration = configuration
        let kinds = [
            ("vision", false), ("resampler", true), ("cross_attention", true), ("language", false),
        ]
        parts = kinds.map { name, isTrained in
            let count = tensors.filter { $0.0.hasPrefix(name + ".") }.reduce(0) { $0 + $1.1 }
            return Part(name: name, parameters: count, isTrained: isTrained)
        }
    }

    /// All parameters.
    package var parameters: Int { parts.reduce(0) { $0 + $1.parameters } }

    /// The parameters that the paper trains.
    package var trained: Int { parts.filter(\.isTrained).reduce(0) { $0 + $1.parameters } }

    /// Markdown for the bundle's folder.
    package var text: String {
        let language = configuration.language
        let rows = parts.map {
            "| \($0.name) | \($0.parameters) | \($0.isTrained ? "trained" : "frozen") |"
        }
        return """
            # \(configuration.name)

            A \(configuration.family.rawValue) model, converted by `wade model import`.

            | part | parameters | in the paper |
            | --- | --- | --- |
            \(rows.joined(separator: "\n"))

            Vision: \(configuration.vision.summary). Language: \(language.architecture.rawValue), \(language.layers) \
            layers of \(language.width), \(language.vocabularySize) tokens. Gated cross-attention \
            before layers \(configuration.crossAttention.layers.map(String.init).joined(separator: ", ")).

            The licence is that of the published parts.

            """
    }
}
