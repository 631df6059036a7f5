//! Where a stage stands: parameters, the optimiser's state, steps done; on disk it is one safetensors file.
package import WadeTensor

/// The state of a stage between two steps.
package struct TrainingState: Sendable {
    /// By canonical name.
    package private(set) var parameters: [String: Tensor]
    private var optimizer: AdamW

    private static let format = "wade.training/1"

    /// Before the first step. Norms, biases, gates and embeddings do not decay.
    package init(
        parameters: [String: Tensor], settings: StageSettings, factor: (String) -> Float
    ) {
        self.parameters = parameters
        optimizer = AdamW(
            learningRate: settings.learningRate, betas: (settings.beta1, settings.beta2),
            epsilon: 1e-8, weightDecay: settings.weightDecay)
        for (name, tensor) in parameters {
            optimizer.learningRateFactors[name] = factor(name)
            let decays = tensor.shape.rank > 1 && name.hasSuffix(".weight")
            optimizer.decayFactors[name] = decays && !name.contains("embedding") ? 1 : 0
        }
    }

    /// Steps done.
    package var step: Int { optimizer.step }

    /// The names in byte order: the order of gradients.
    package var names: [String] {
        parameters.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// One step; returns the gradients' norm before clipping.
    mutating func update(gradients: [String: Tensor], clip: Float, learningRate: Float) -> Float {
        var gradients = gradients
        let norm = clipGradientNorm(&gradients, to: clip)
        optimizer.learningRate = learningRate
        optimizer.update(&parameters, gradients: gradients)
        return norm
    }

    /// Writes everything that going on needs; the file appears whole or not at all.
    func write(to path: String, recipe: String) throws {
        var writer = SafetensorsWriter(metadata: ["format": Self.format, "recipe": recipe])
        for (name, tensor) in parameters { writer.add("parameter." + name, tensor) }
        for (name, tensor) in optimizer.state { writer.add("optimizer." + name, tensor) }
        try writer.write(to: path)
    }

    /// Takes up where the checkpoint at `path` stopped; it must be of the same recipe and parameters.
    mutating func restore(from path: String, recipe: String) throws {
        let archive = try Safetensors.read(path: path)
        guard archive.metadata["format"] == Self.format, archive.metadata["recipe"] == recipe else {
            throw TrainingError.file(
                path: path, found: "the checkpoint of another recipe",
                expected: "one of this recipe; remove it to begin anew")
        }
        var state: [String: Tensor] = [:]
        var restored: [String: Tensor] = [:]
        for (name, stored) in archive.tensors {
            // Read into memory of their own: the file will be replaced.
            let tensor = try stored.float32().copy()
            if name.hasPrefix("parameter.") {
                restored[String(name.dropFirst("parameter.".count))] = tensor
            } else if name.hasPrefix("optimizer.") {
                state[String(name.dropFirst("optimizer.".count))] = tensor
            }
        }
        guard restored.mapValues(\.shape) == parameters.mapValues(\.shape) else {
            throw TrainingError.file(
                path: path, found: "other parameters", expected: "those of this stage")
        }
        parameters = restored
        try optimizer.restore(state, file: path)
    }
}
