//! The options of `wade train --from`.
import ArgumentParser
import Foundation
import WadePipeline
import WadeTraining

/// A tuning as the command line says it.
struct TuningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Tune this model bundle (a name or a folder) on the clips of --data instead.",
            valueName: "bundle"))
    var from: String?

    @Option(
        help: ArgumentHelp(
            "Your clips with their texts, one JSON object a line.", valueName: "file"))
    var data: PathBytes?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The pipeline that the tuned model is meant for: its tasks, templates and sampling are used.",
            valueName: "file"))
    var pipeline: PathBytes?

    @Option(help: "Steps; \(TuningPlan.standardSteps) if not given. May be raised later.")
    var steps: Int?

    @Option(help: "The highest learning rate; \(TuningPlan.standardLearningRate) if not given.")
    var learningRate: Float?

    @Option(
        help: ArgumentHelp(
            "Tune the vision encoder, too, at this learning rate: a tenth of --learning-rate or less.",
            discussion: "Slower by far, because its features are then computed at every step.",
            valueName: "rate"))
    var unfreezeVision: Float?

    @Option(
        help:
            "Interleaved sequences of 1 to 5 clips in a step; \(TuningPlan.standardBatch) if not given."
    )
    var batch: Int?

    @Option(help: "What everything random follows from; 1 if not given.")
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            "The share of the clips that is held out for scores, chosen by content; \(TuningPlan.standardHeldOut) if not given, 0 for none.",
            valueName: "share"))
    var heldOut: Double?

    @Option(help: "Steps between two scores; \(TuningPlan.standardEvaluateEvery) if not given.")
    var evaluateEvery: Int?

    /// Whether a bundle is to be tuned.
    var isWished: Bool { from != nil }

    func validate() throws {
        func require(_ holds: Bool, _ option: String, _ found: Any, _ expected: String) throws {
            guard !holds else { return }
            throw ValidationError("--\(option): found \(found), expected \(expected)")
        }
        if let steps {
            try require((1...100_000_000).contains(steps), "steps", steps, "1 or more")
        }
        if let learningRate {
            try require(
                learningRate > 0 && learningRate <= 1, "learning-rate", learningRate,
                "above 0, at most 1")
        }
        if let unfreezeVision {
            try require(
                unfreezeVision > 0 && unfreezeVision <= 1, "unfreeze-vision", unfreezeVision,
                "above 0, at most 1")
        }
        if let batch { try require((1...4096).contains(batch), "batch", batch, "1 to 4096") }
        if let heldOut {
            try require(
                heldOut >= 0 && heldOut < 1, "held-out", heldOut, "at least 0 and below 1")
        }
        if let evaluateEvery {
            try require(
                (1...100_000_000).contains(evaluateEvery), "evaluate-every", evaluateEvery,
                "1 or more")
        }
        if isWished {
            guard data != nil else {
                throw ValidationError("--from needs --data FILE, the clips to tune on")
            }
        } else if let stray = given {
            throw ValidationError("--\(stray) belongs to --from BUNDLE; a recipe says its own")
        }
    }

    /// An option that was given, `from` aside.
    private var given: String? {
        let all: [(String, Bool)] = [
            ("data", data != nil), ("pipeline", pipeline != nil), ("steps", steps != nil),
            ("learning-rate", learningRate != nil), ("unfreeze-vision", unfreezeVision != nil),
            ("batch", batch != nil), ("seed", seed != nil), ("held-out", heldOut != nil),
            ("evaluate-every", evaluateEvery != nil),
        ]
        return all.first { $0.1 }?.0
    }

    /// The plan for the new bundle's folder; nil when no bundle is to be tuned.
    func plan(output: String) throws -> TuningPlan? {
        guard let from, let data else { return nil }
        var plan = TuningPlan(bundle: try ModelLocation(from).folder, data: data, output: output)
        plan.pipeline = try pipeline.map { path throws(PipelineError) in try Pipeline.read(path) }
        if let steps { plan.steps = steps }
        if let learningRate { plan.learningRate = learningRate }
        plan.visionLearningRate = unfreezeVision
        if let batch { plan.batch = batch }
        if let seed { plan.seed = seed }
        if let heldOut { plan.heldOut = heldOut }
        if let evaluateEvery { plan.evaluateEvery = evaluateEvery }
        return plan
    }
}
