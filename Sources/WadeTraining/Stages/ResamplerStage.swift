//! The resampler's dense warm-up: attributes and paths read off its visual tokens.
package import WadeFlamingo
package import WadeTensor

/// Trains the resampler with heads on stored features of clips, forwards and backwards in time.
package struct ResamplerStage: TrainingStage {
    package let name = "resampler"
    package let parts: Int
    private let configuration: FlamingoConfiguration
    private let arithmetic: Arithmetic
    private let clips: ClipStore
    private let heldOut: ClipStore
    private let seed: UInt64
    private let clipsPerPart: Int
    /// Deviation of the noise on features, whose own is about 1.
    private static let noise: Float = 0.1
    private static let pathWeight: Float = 1.5

    package init(
        _ configuration: FlamingoConfiguration, clips: ClipStore, heldOut: ClipStore, seed: UInt64,
        parts: Int, clipsPerPart: Int,
        arithmetic: Arithmetic = Arithmetic(allowsGradients: true)
    ) {
        self.configuration = configuration
        self.arithmetic = arithmetic
        self.clips = clips
        self.heldOut = heldOut
        self.seed = seed
        self.parts = parts
        self.clipsPerPart = clipsPerPart
    }

    private var frames: Int { configuration.resampler.frames ?? 8 }

    package func initialParameters() throws -> [String: Tensor] {
        var parameters = try ParameterInitialization(seed: seed).parameters {
            _ = try PerceiverResampler(
                $0["resampler"], configuration.resampler, arithmetic: arithmetic)
        }
        let heads = try ParameterInitialization(seed: seed &+ 1).parameters {
            _ = try ResamplerHeads(
                $0["heads"], width: configuration.resampler.width, frames: frames, arithmetic)
        }
        parameters.merge(heads) { first, _ in first }
        return parameters
    }

    package func learningRateFactor(of parameter: String) -> Float { 1 }

    private func modules(_ parameters: [String: Tensor]) throws -> (
        PerceiverResampler, ResamplerHeads
    ) {
        let weights = Weights(parameters: parameters, file: "stage \(name)")
        return (
            try PerceiverResampler(
                weights["resampler"], configuration.resampler,
                arithmetic: arithmetic),
            try ResamplerHeads(
                weights["heads"], width: configuration.resampler.width, frames: frames, arithmetic)
        )
    }

    package func loss(_ parameters: [String: Tensor], step: Int, part: Int) throws -> PartialLoss {
        var random = RandomStream(seed: seed &+ UInt64(step * parts + part), purpose: 13)
        let (resampler, heads) = try modules(parameters)
        var losses: [Tensor] = []
        var measures: [(name: String, sum: Double, count: Double)] = []
        for _ in 0..<clipsPerPart {
            let clip = random.index(clips.count)
            let isReversed = random.chance(0.5)
            var features = try clips.values(clip)
            if isReversed { features = features.reversedRows() }
            features = features.addingNoise(Self.noise, random: &random)
            let facts = isReversed ? clips.facts[clip].reversed : clips.facts[clip]
            let path = isReversed ? clips.path(clip).reversedRows() : clips.path(clip)
            let tokens = try resampler(features)
            let answer = loss(heads, tokens, facts, path)
            losses.append(answer.loss * (1 / Float(clipsPerPart)))
            measures += answer.measures
        }
        return PartialLoss(
            loss: losses.dropFirst().reduce(losses[0]) { $0 + $1 }, measures: measures)
    }

    private func loss(
        _ heads: ResamplerHeads, _ tokens: Tensor, _ facts: ShotFacts, _ path: Tensor
    ) -> PartialLoss {
        var terms: [Tensor] = []
        var measures: [(name: String, sum: Double, count: Double)] = []
        for (attribute, logits) in zip(ShotAttribute.allCases, heads.attributes(tokens)) {
            guard let target = attribute.values.firstIndex(of: facts[attribute]) else { continue }
            terms.append(
                logits.crossEntropy(
                    targets: [target], weights: [1 / Float(ShotAttribute.allCases.count)]))
            measures.append(("\(attribute.rawValue)_accuracy", hits(logits, [target]), 1))
        }
        // After a cut there is no one path.
        if facts[.transition] != "cut" {
            let target = ResamplerHeads.target(path)
            let difference = heads.path(tokens).smoothL1(
                target: target,
                weights: [Float](repeating: 1 / Float(target.count), count: target.rows))
            measures.append(("path_loss", Double(difference.values[0]), 1))
            terms.append(difference * Self.pathWeight)
        }
        return PartialLoss(
            loss: terms.dropFirst().reduce(terms[0]) { $0 + $1 }, measures: measures)
    }

    package func evaluate(_ parameters: [String: Tensor]) throws -> [(name: String, score: Double)]
    {
        let (resampler, heads) = try modules(parameters)
        var meter = TrainingMeter()
        for clip in 0..<heldOut.count {
            let tokens = try resampler(try heldOut.values(clip))
            let answer = loss(heads, tokens, heldOut.facts[clip], heldOut.path(clip))
            for measure in answer.measures { meter.add(measure.name, measure.sum, measure.count) }
        }
        return meter.summary().map { ($0.name, $0.mean) }
    }
}

extension Tensor {
    /// The entries of the outermost axis in reverse order.
    func reversedRows() -> Tensor {
        Tensor.concatenated((0..<shape[0]).reversed().map { self[$0..<$0 + 1] })
    }

    /// With noise of this deviation on every value.
    func addingNoise(_ deviation: Float, random: inout RandomStream) -> Tensor {
        Tensor(values.map { $0 + deviation * random.bell() }, shape: shape)
    }
}
