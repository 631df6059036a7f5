//! Facts about the training loop, on a language model that is tiny and steps that are few.
import Foundation
import Logging
import Testing
import WadeFlamingo
import WadePipeline
import WadeTensor
import WadeTokenizer

@testable import WadeTraining

@Suite("the training loop")
struct TrainerTests {
    private let folder = NSTemporaryDirectory() + "wade-trainer-\(UUID().uuidString)"
    private let encoder: PieceEncoder
    private let configuration: FlamingoConfiguration

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/tokenizer.json"
        var training = BytePairTraining()
        for attribute in ShotAttribute.allCases {
            for question in ShotLanguage.questions(attribute) { training.add(question, count: 9) }
            for value in attribute.values {
                training.add(ShotLanguage.answer(attribute, value), count: 9)
            }
        }
        training.learn(vocabularySize: 300)
        let json = training.tokenizerJSON(specialTokens: FlamingletTokens.texts)
        try Data(json).write(to: URL(fileURLWithPath: path))
        encoder = try #require(PieceEncoder(try Tokenizer(path: path)))
        configuration = try FlamingletConfiguration(
            vision: [
                "image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "heads": 2,
                "projection_width": 8,
            ],
            resampler: ["layers": 1, "heads": 2, "head_width": 8, "latents": 4, "frames": 8],
            crossAttention: ["heads": 2, "head_width": 8, "blocks": 1],
            language: [
                "vocabulary_size": encoder.tokenizer.vocabularyCount, "width": 16, "layers": 2,
                "heads": 2, "mlp_width": 32,
            ]
        ).configuration(name: "tiny")
    }

    private func train(
        _ name: String, steps: Int, workers: Int, seed: UInt64 = 3
    ) throws -> [String: Tensor]? {
        let place = folder + "/" + name
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        var settings = StageSettings(steps: steps, learningRate: 0.01, warmup: 2, seed: seed)
        // A schedule that does not depend on the number of steps, so that a run can be stopped by running fewer.
        settings.constantShare = 1
        settings.evaluateEvery = 0
        let stage = LanguageStage(
            configuration, encoder: encoder, seed: seed, parts: 3, tokensPerPart: 30, steps: 100,
            repetitionShare: 0.02, heldOutDocuments: 0)
        let trainer = Trainer(
            stage, settings, recipe: "seed \(seed)", folder: place, workers: workers,
            log: TrainingLog(
                Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                path: place + "/log.jsonl"), stop: StopRequest())
        return try trainer.run()
    }

    private func values(_ parameters: [String: Tensor]?) -> [String: [Float]]? {
        parameters?.mapValues(\.values)
    }

    @Test("the numbers do not depend on workers, nor on being stopped and going on")
    func reproducible() throws {
        let whole = values(try train("whole", steps: 4, workers: 1))
        #expect(whole != nil)
        #expect(values(try train("workers", steps: 4, workers: 3)) == whole)
        _ = try train("stopped", steps: 2, workers: 2)
        #expect(values(try train("stopped", steps: 4, workers: 1)) == whole)
        #expect(values(try train("seed", steps: 4, workers: 1, seed: 4)) != whole)
    }

    @Test(
        "parameters begin by their kind: norms at one, biases and gates at zero, the rest by chance"
    )
    func initialization() throws {
        let all = try ParameterInitialization(seed: 1).parameters {
            _ = try Flamingo($0, configuration, arithmetic: Arithmetic(engine: .openBLAS))
        }
        for (name, tensor) in all {
            let values = Set(tensor.values)
            if tensor.shape.rank == 1, name.hasSuffix(".weight") {
                #expect(values == [1], "\(name)")
            } else if name.hasSuffix(".bias") || name.hasSuffix("gate") {
                #expect(values == [0], "\(name)")
            } else if tensor.shape.rank > 1 {
                #expect(values.count > 1, "\(name)")
            }
        }
        #expect(all.keys.contains { $0.contains("norm_media.weight") })
    }

    @Test("a checkpoint of another recipe is refused by name")
    func otherRecipe() throws {
        _ = try train("taken", steps: 1, workers: 1)
        #expect(throws: TrainingError.self) { try train("taken", steps: 2, workers: 1, seed: 9) }
    }

    @Test("the loss falls")
    func learns() throws {
        _ = try train("learns", steps: 24, workers: 2)
        let lines = try String(contentsOfFile: folder + "/learns/log.jsonl", encoding: .utf8)
            .split(separator: "\n").filter { $0.contains("\"train\"") }
        let last = try #require(lines.last)
        let object = try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any]
        // Chance is ln 300 = 5.7.
        #expect(try #require(object?["loss"] as? Double) < 5.2)
    }

    @Test(
        "training the wiring trains nothing of vision and language, and begins as the plain language model"
    )
    func frozen() throws {
        let arithmetic = Arithmetic(engine: .openBLAS)
        let all = try ParameterInitialization(seed: 1).parameters {
            _ = try Flamingo($0, configuration, arithmetic: arithmetic)
        }
        let patches = configuration.vision.features
        let clips = (0..<4).map { index -> ClipStore.Clip in
            var random = RandomStream(seed: UInt64(index), purpose: 1)
            return ClipStore.Clip(
                values: Tensor(
                    (0..<8 * patches * 16).map { _ in random.bell() }, shape: [8, patches, 16]),
                facts: ShotFacts(random: &random), path: .zeros([8, 6]))
        }
        try ClipStore.write(clips, to: ClipStore.path(folder, shard: 0), source: "test")
        let store = try ClipStore(folder: folder, shards: 1, clipsPerShard: 4)
        let stage = try FlamingoStage(
            .wiring, configuration, parameters: all, encoder: encoder, clips: store,
            heldOut: store, mixture: [MixtureEntry(kind: .questions, weight: 1, documents: 2)],
            seed: 5, parts: 2, clipsPerPart: 4)
        let start = try stage.initialParameters()
        #expect(start.keys.allSatisfy { $0.hasPrefix("resampler.") || $0.hasPrefix("cross_att") })

        let ids = encoder("Output:") + [FlamingletTokens.image] + encoder("pans left")
        let plain = try LanguageModel(
            Weights(parameters: all.filter { $0.key.hasPrefix("language.") }, file: "test"),
            LanguageStage.textOnly(configuration), arithmetic: arithmetic)
        var cache = plain.emptyCache()
        let expected = plain(
            ids, media: [], windows: ids.map { _ in .nothing }, cache: &cache)
        let model = try Flamingo(
            Weights(parameters: all, file: "test"), configuration, arithmetic: arithmetic)
        let resampler = try #require(model.resampler)
        var sequence = model.sequence(media: model.media([try resampler(clips[0].values)]))
        #expect(try model(ids, sequence: &sequence).values == expected.values)

        var settings = StageSettings(steps: 3, learningRate: 0.01, warmup: 1)
        settings.evaluateEvery = 0
        let trained = try Trainer(
            stage, settings, recipe: "wiring", folder: folder, workers: 2,
            log: TrainingLog(
                Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                path: folder + "/log.jsonl"), stop: StopRequest()
        ).run()
        let moved = try #require(trained)
        #expect(Set(moved.keys) == Set(start.keys))
        #expect(
            moved.contains { $0.key.hasSuffix("gate") && $0.value.values != start[$0.key]?.values })
    }
}
