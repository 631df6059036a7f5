//! Reads a training recipe; unknown names and wrong values are errors with their place.
internal import WadeFlamingo
internal import WadeImage
internal import WadePipeline
internal import WadeTensor

/// A reader of one recipe file.
struct TrainingRecipeReader {
    private let root: YAMLField

    init(path: PathBytes) throws {
        root = try YAMLField.read(file: path)
    }

    func read() throws -> TrainingRecipe {
        let members = try root.members(["name", "seed", "precision", "model", "clips", "stages"])
        func required(_ name: String) throws -> YAMLField {
            guard let field = members[name] else {
                throw root.wrong("`\(name)`", found: "no `\(name)`")
            }
            return field
        }
        let name = try required("name").text()
        let seed = UInt64(try members["seed"]?.integer(in: 0...1 << 14) ?? 1)
        let precision = try readPrecision(members["precision"]) ?? .float32
        let clips = try required("clips").members(["train", "held_out"])
        let stagesField = try required("stages")
        let names = ["vision", "language", "resampler", "cross_attention", "wiring"]
        let stages = try stagesField.members(names)
        func stage(_ name: String) throws -> TrainingRecipe.Stage {
            guard let field = stages[name] else {
                throw stagesField.wrong("`\(name)`", found: "no `\(name)`")
            }
            return try readStage(
                field, seed: seed, precision: precision,
                hasMixture: name == "cross_attention" || name == "wiring")
        }
        return TrainingRecipe(
            name: name, seed: seed, configuration: try readModel(try required("model"), name: name),
            vision: try stage("vision"), language: try stage("language"),
            resampler: try stage("resampler"), crossAttention: try stage("cross_attention"),
            wiring: try stage("wiring"),
            clips: try readCount(clips["train"], else: 20_000),
            heldOutClips: try readCount(clips["held_out"], else: 600))
    }

    /// A number of whole shards.
    private func readCount(_ field: YAMLField?, else standard: Int) throws -> Int {
        guard let field else { return standard }
        let count = try field.integer(in: 200...10_000_000)
        guard count.isMultiple(of: TrainingRecipe.clipsPerShard) else {
            throw field.wrong("a multiple of \(TrainingRecipe.clipsPerShard)")
        }
        return count
    }

    private func readPrecision(_ field: YAMLField?) throws -> Precision? {
        try field.map { field in
            guard let precision = Precision(rawValue: try field.text()),
                Precision.trainable.contains(precision)
            else {
                throw field.wrong(Precision.trainable.map(\.rawValue).joined(separator: " or "))
            }
            return precision
        }
    }

    private func readStage(
        _ field: YAMLField, seed: UInt64, precision: Precision, hasMixture: Bool
    ) throws -> TrainingRecipe.Stage {
        let members = try field.members([
            "steps", "parts", "frames", "tokens", "clips", "learning_rate", "warmup",
            "constant_share", "weight_decay", "beta2", "repetition_share", "evaluate_every",
            "mixture", "precision",
        ])
        guard let steps = members["steps"], let rate = members["learning_rate"],
            let size = members["frames"] ?? members["tokens"] ?? members["clips"]
        else {
            throw field.wrong(
                "`steps`, `learning_rate` and one of `frames`, `tokens`, `clips` (of a part of a batch)",
                found: "a stage without them")
        }
        if hasMixture != (members["mixture"] != nil) {
            throw (members["mixture"] ?? field).wrong(
                hasMixture ? "`mixture`" : "`mixture` in cross_attention and wiring only",
                found: hasMixture ? "a stage without it" : nil)
        }
        // Fewer clips seldom show an attribute's values more than once.
        let smallest = hasMixture ? 24 : 4
        let settings = StageSettings(
            steps: try steps.integer(in: 0...100_000_000),
            learningRate: Float(try rate.number(in: 0...1)),
            warmup: try members["warmup"]?.integer(in: 0...1_000_000) ?? 100,
            constantShare: Float(try members["constant_share"]?.number(in: 0...1) ?? 0),
            weightDecay: Float(try members["weight_decay"]?.number(in: 0...1) ?? 0.05),
            beta2: Float(try members["beta2"]?.number(in: 0...0.999999) ?? 0.95), seed: seed,
            evaluateEvery: try members["evaluate_every"]?.integer(in: 1...1_000_000) ?? 500)
        return TrainingRecipe.Stage(
            settings: settings, parts: try members["parts"]?.integer(in: 1...1024) ?? 2,
            partSize: try size.integer(in: smallest...1_000_000),
            mixture: try members["mixture"].map(readMixture) ?? [],
            repetitionShare: try members["repetition_share"]?.number(in: 0...1) ?? 0,
            precision: try readPrecision(members["precision"]) ?? precision)
    }

    private func readMixture(_ field: YAMLField) throws -> [MixtureEntry] {
        let members = try field.members(MixtureEntry.Kind.allCases.map(\.rawValue))
        return try MixtureEntry.Kind.allCases.compactMap { kind in
            guard let entry = members[kind.rawValue] else { return nil }
            let values = try entry.members(["weight", "documents"])
            guard let weight = values["weight"], let documents = values["documents"] else {
                throw entry.wrong("`weight` and `documents`", found: "a dataset without them")
            }
            return MixtureEntry(
                kind: kind, weight: Float(try weight.number(in: 0...1000)),
                documents: try documents.integer(in: 1...4096))
        }
    }

    /// Sizes; everything else is Flaminglet's shape.
    private func readModel(_ field: YAMLField, name: String) throws -> FlamingoConfiguration {
        let members = try field.members(["vision", "resampler", "cross_attention", "language"])
        func sizes(_ part: String, _ names: [String]) throws -> [String: Int] {
            guard let section = members[part] else {
                throw field.wrong("`\(part)`", found: "no `\(part)`")
            }
            let values = try section.members(names)
            return try Dictionary(
                uniqueKeysWithValues: names.map { name in
                    guard let value = values[name] else {
                        throw section.wrong("`\(name)`", found: "no `\(name)`")
                    }
                    return (name, try value.integer(in: 1...65_536))
                })
        }
        let vision = try sizes(
            "vision", ["image_size", "patch_size", "width", "layers", "heads", "projection_width"])
        let resampler = try sizes(
            "resampler", ["layers", "heads", "head_width", "latents", "frames"])
        let gated = try sizes("cross_attention", ["heads", "head_width", "blocks"])
        let language = try sizes(
            "language", ["vocabulary_size", "width", "layers", "heads", "mlp_width"])
        let configuration = try FlamingletConfiguration(
            vision: vision, resampler: resampler, crossAttention: gated, language: language
        ).configuration(name: name)
        do {
            try configuration.validate()
        } catch {
            throw field.wrong("sizes that fit each other", found: "\(error)")
        }
        return configuration
    }
}
