//! Rung 4: a tiny Flamingo of PyTorch parts, run forward, back and through three steps of the optimiser.
import Foundation
import Testing
import WadeImage
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

@Suite("Parity: the training fixture")
struct TrainingParityTests {
    /// Stated by `meta.json` for logits; the loss is a mean of them.
    private let tolerance: Float = 1e-4
    private let lossTolerance = 1e-5

    @Test("visual tokens, logits and loss are PyTorch's", arguments: Precision.allCases)
    func forward(precision: Precision) throws {
        let inputs = try Fixtures.tensors("training/inputs.safetensors")
        let expected = try Fixtures.tensors("training/expected.safetensors")
        let pixels = try inputs.float("pixel_values")
        let (batch, length) = (pixels.shape[0], try rowLength(inputs))
        let ids = try inputs.integers("input_ids")
        let labels = try inputs.integers("labels")
        let present = try inputs.integers("attention_mask")
        for engine in MatrixEngine.allCases {
            let model = try Self.model(.every(precision, engine))
            let isExact = precision == .float32
            var (loss, count) = (0.0, 0)
            for row in 0..<batch {
                let tokens = try (0..<pixels.shape[1]).map { clip in
                    try model.visualTokens(pixels[row][clip])
                }
                expectNear(
                    Tensor.concatenated(tokens), try expected.float("visual_tokens")[row],
                    within: .module(precision), "visual tokens of row \(row) on \(engine.rawValue)")
                // Padded positions neither see nor are seen: the text is what remains without them.
                let text = (0..<length).filter { present[row * length + $0] != 0 }
                var sequence = model.sequence(media: model.media(tokens))
                let logits = model.language.logits(
                    try model(text.map { ids[row * length + $0] }, sequence: &sequence))
                expectNear(
                    logits, try expected.float("logits")[row].gathered(text),
                    within: isExact
                        ? .largest(tolerance)
                        : .of(.logits, in: precision, family: .openFlamingo),
                    "logits of row \(row) on \(engine.rawValue)")
                for (place, next) in zip(text.indices, text.dropFirst()) {
                    let label = labels[row * length + next]
                    guard label != -100 else { continue }
                    loss -= Double(logSoftmax(logits[place].values)[label])
                    count += 1
                }
            }
            let wanted = Double(try expected.float("loss").values[0])
            // A mean of log-probabilities: errors of single logits average out.
            let most = isExact ? lossTolerance : precision == .int4 ? 0.15 : 0.02
            #expect(abs(loss / Double(count) - wanted) <= most)
        }
    }

    @Test("the gradient of every parameter is PyTorch's", arguments: MatrixEngine.allCases)
    func gradients(engine: MatrixEngine) throws {
        let parameters = try Self.parameters("weights", prefix: "")
        let expected = try Self.parameters("expected", prefix: "grad.")
        #expect(Set(expected.keys) == Set(parameters.keys))
        let (loss, gradients) = try Self.lossAndGradients(
            of: parameters, training: { _ in true }, engine: engine)
        let wanted = try Fixtures.tensors("training/expected.safetensors").float("loss").values[0]
        #expect(abs(Double(loss - wanted)) <= lossTolerance)
        for (name, gradient) in gradients {
            guard let reference = expected[name] else { continue }
            // `meta.json`: relative to the largest entry of each tensor.
            let largest = reference.values.map(abs).max() ?? 0
            expectClose(gradient, reference, within: tolerance * largest, name)
        }
        #expect(gradients.count == parameters.count)
    }

    @Test("three AdamW steps end at PyTorch's parameters, and frozen parameters keep their bits")
    func steps() throws {
        let start = try Self.parameters("weights", prefix: "")
        let expected = try Self.parameters("after-3-steps", prefix: "")
        let firstGradients = try Self.parameters("expected", prefix: "grad.")
        let meta = try Fixtures.json("training/meta.json")
        let losses = try #require(meta["losses"] as? [Double])
        let norms = try #require(meta["grad_norms_before_clipping"] as? [Double])
        var parameters = start
        var optimiser = AdamW(
            learningRate: 0.003, betas: (0.9, 0.95), epsilon: 1e-8, weightDecay: 0.1)
        for step in 0..<3 {
            var (loss, gradients) = try Self.lossAndGradients(
                of: parameters, training: { Self.isTrained($0) }, engine: .openBLAS)
            #expect(abs(Double(loss) - losses[step]) <= 1e-4, "loss of step \(step)")
            let norm = clipGradientNorm(&gradients, to: 1)
            #expect(abs(Double(norm) - norms[step]) <= 1e-3, "length of step \(step)")
            optimiser.update(&parameters, gradients: gradients)
        }
        #expect(Set(expected.keys) == Set(start.keys.filter { Self.isTrained($0) }))
        for (name, values) in parameters {
            guard Self.isTrained(name) else {
                #expect(values.values.map(\.bitPattern) == start[name]?.values.map(\.bitPattern))
                continue
            }
            let (reference, first) = (try #require(expected[name]), firstGradients[name]?.values)
            let largest = first?.map(abs).max() ?? 0
            // `meta.json`: 1e-3 where the gradient is not tiny, because Adam makes a full step of any gradient's noise.
            for (i, (a, b)) in zip(values.values, reference.values).enumerated()
            where abs(first?[i] ?? 0) > 1e-4 * largest {
                #expect(abs(a - b) <= 1e-3, "\(name)[\(i)]: found \(a), expected \(b)")
            }
        }
    }

    @Test("with gates at zero the model is the plain language model, to the bit")
    func closedGates() throws {
        var parameters = try Self.parameters("weights", prefix: "")
        for name in parameters.keys where name.hasSuffix("_gate") {
            parameters[name] = Tensor.zeros([1])
        }
        var plain = try Self.configuration()
        plain.crossAttention.layers = []
        let inputs = try Fixtures.tensors("training/inputs.safetensors")
        let ids = try inputs.integers("input_ids").prefix(20)
        let arithmetic = Arithmetic(engine: .openBLAS)
        let model = try Flamingo(
            Weights(parameters: parameters, file: "fixture"), Self.configuration(),
            arithmetic: arithmetic)
        let language = try Flamingo(
            Weights(
                parameters: parameters.filter { !$0.key.hasPrefix("cross_attention.") },
                file: "fixture"), plain, arithmetic: arithmetic)
        let clip = try inputs.float("pixel_values")[0][0]
        func logits(_ model: Flamingo) throws -> [UInt32] {
            let tokens = try model.visualTokens(clip)
            var sequence = model.sequence(media: model.media([tokens, tokens, tokens]))
            return model.language.logits(try model(Array(ids), sequence: &sequence)).values
                .map { $0.bitPattern }
        }
        #expect(try logits(model) == logits(language))
    }

    private func rowLength(_ inputs: TensorArchive) throws -> Int { try Self.rowLength(inputs) }

    private static func rowLength(_ inputs: TensorArchive) throws -> Int {
        guard let shape = inputs.tensors["input_ids"]?.shape, shape.rank == 2 else {
            throw FixtureError.missing("training: input_ids")
        }
        return shape[1]
    }

    /// What the fixture trained; the rest is frozen.
    private static func isTrained(_ name: String) -> Bool {
        name.hasPrefix("resampler.") || name.hasPrefix("cross_attention.")
    }

    /// The fixture's loss, and its gradient for each of the parameters that `training` chooses.
    private static func lossAndGradients(
        of parameters: [String: Tensor], training: (String) -> Bool, engine: MatrixEngine
    ) throws -> (Float, [String: Tensor]) {
        let inputs = try Fixtures.tensors("training/inputs.safetensors")
        let pixels = try inputs.float("pixel_values")
        let (batch, length) = (pixels.shape[0], try rowLength(inputs))
        let (ids, labels) = (try inputs.integers("input_ids"), try inputs.integers("labels"))
        let present = try inputs.integers("attention_mask")
        let tape = Tape()
        // Frozen weights in front of trained ones must not be packed either.
        var watched: [String: Tensor] = [:]
        for (name, tensor) in parameters {
            watched[name] = training(name) ? tape.watch(tensor) : tensor
        }
        let allTrained = parameters.keys.allSatisfy(training)
        let model = try Flamingo(
            Weights(parameters: watched, file: "fixture"), configuration(),
            arithmetic: Arithmetic(engine: allTrained ? engine : .openBLAS))
        var losses: [Tensor] = []
        var count = 0
        for row in 0..<batch {
            let tokens = try (0..<pixels.shape[1]).map { clip in
                try model.visualTokens(pixels[row][clip])
            }
            let text = (0..<length).filter { present[row * length + $0] != 0 }
            var sequence = model.sequence(media: model.media(tokens))
            let logits = model.language.logits(
                try model(text.map { ids[row * length + $0] }, sequence: &sequence))
            let targets = text.dropFirst().map { labels[row * length + $0] } + [-100]
            let weights = targets.map { $0 == -100 ? Float(0) : 1 }
            count += weights.filter { $0 != 0 }.count
            losses.append(logits.crossEntropy(targets: targets, weights: weights))
        }
        let loss = losses.dropFirst().reduce(losses[0], +).scaled(by: 1 / Float(count))
        let names = parameters.keys.filter(training).sorted()
        let gradients = tape.gradients(of: loss, for: names.compactMap { watched[$0] })
        return (loss.values[0], Dictionary(uniqueKeysWithValues: zip(names, gradients)))
    }

    private static func configuration() throws -> FlamingoConfiguration {
        let json = try Data(contentsOf: Fixtures.url("training/meta.json"))
        return try JSONDecoder().decode(Sizes.self, from: json).configuration()
    }

    /// The fixture's parts through the rename tables of their families.
    private static func model(_ arithmetic: Arithmetic) throws -> Flamingo {
        try Flamingo(weights("weights", prefix: ""), configuration(), arithmetic: arithmetic)
    }

    private static func weights(_ file: String, prefix: String) throws -> Weights {
        let table = RenameTable(
            // There is no projection that would use the tower's final norm.
            [
                .leaveOut(prefix + "vision.post_layernorm.{*}"), .leaveOut("visual_tokens"),
                .leaveOut("logits"), .leaveOut("loss"),
            ] + RenameTable.huggingFaceCLIP(prefix: prefix + "vision.", projection: nil)
                + RenameTable.resampler(prefix: prefix + "resampler.")
                + RenameTable.gatedCrossAttention(prefix: prefix + "gated.{i}.")
                + RenameTable.language(.llama, prefix: prefix + "lm."))
        return try Fixtures.weights(Fixtures.tensors("training/\(file).safetensors"), table)
    }

    /// Tensors under Wade's names, in memory.
    private static func parameters(_ file: String, prefix: String) throws -> [String: Tensor] {
        let weights = try weights(file, prefix: prefix)
        var parameters: [String: Tensor] = [:]
        for name in weights.names {
            guard let shape = weights.shape(of: name) else { continue }
            parameters[name] = try weights.tensor(name, shape: shape)
        }
        return parameters
    }
}

/// The sizes in `meta.json`.
private struct Sizes: Decodable {
    let vision: Vision
    let resampler: Resampler
    let gated: Gated
    let lm: Language
    let tokens: Tokens

    struct Vision: Decodable {
        let width, layers, heads, image, patch: Int
        let act: Activation
    }

    struct Resampler: Decodable {
        let depth, heads, dim_head, latents, frames: Int
    }

    struct Gated: Decodable {
        let heads, dim_head: Int
        let layers: [Int]
    }

    struct Language: Decodable {
        let width, layers, heads, inner, vocab: Int
        let rms_eps, rope_theta: Float
        let tied: Bool
    }

    struct Tokens: Decodable {
        let media, endofchunk, pad: Int
    }

    /// Feed-forwards are four times as wide as what they stand in, as in CLIP and open_flamingo.
    func configuration() throws -> FlamingoConfiguration {
        FlamingoConfiguration(
            name: "training fixture", family: .openFlamingo,
            vision: .transformer(
                VisionTransformerConfiguration(
                    imageSize: vision.image, patchSize: vision.patch, width: vision.width,
                    layers: vision.layers, heads: vision.heads, mlpWidth: 4 * vision.width,
                    activation: vision.act, normEpsilon: 1e-5, projectionWidth: nil,
                    preprocessing: try .clip(
                        imageSize: vision.image, fit: .shorterSideTransformers))),
            resampler: ResamplerConfiguration(
                width: vision.width, layers: resampler.depth, heads: resampler.heads,
                headWidth: resampler.dim_head, latents: resampler.latents,
                mlpWidth: 4 * vision.width, activation: .gelu, frames: resampler.frames,
                frameEmbedding: .indexed, media: nil),
            crossAttention: CrossAttentionConfiguration(
                layers: gated.layers, heads: gated.heads, headWidth: gated.dim_head,
                mlpWidth: 4 * lm.width, activation: .gelu, visibility: .lastMedia),
            language: LanguageConfiguration(
                architecture: .llama, vocabularySize: lm.vocab, width: lm.width,
                layers: lm.layers, heads: lm.heads, mlpWidth: lm.inner, normEpsilon: lm.rms_eps,
                tiedEmbedding: lm.tied, rotaryBase: lm.rope_theta),
            tokens: SpecialTokens(
                image: tokens.media, endOfChunk: tokens.endofchunk, endOfText: tokens.endofchunk,
                padding: tokens.pad))
    }
}
