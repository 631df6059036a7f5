//! From a bundle and a user's own clips to a tuned bundle; goes on where it was stopped.
internal import Foundation
internal import WadeFlamingo
package import WadePipeline
internal import WadeTensor
package import WadeVideo

/// A tuning in the folder of its bundle; what it works with lies in `training` below.
package struct TuningRun {
    private let plan: TuningPlan
    private let decoders: DecoderPool
    private let workers: Int
    private let log: TrainingLog
    private let stop: StopRequest

    /// How a run ended.
    package enum Outcome: Sendable, Equatable {
        /// The bundle is there; so many lines could not be used.
        case done(leftOut: Int)
        /// A stop was wished first.
        case stopped
    }

    package init(
        _ plan: TuningPlan, decoders: DecoderPool, workers: Int, log: TrainingLog,
        stop: StopRequest
    ) {
        self.plan = plan
        self.decoders = decoders
        self.workers = workers
        self.log = log
        self.stop = stop
    }

    /// The folder of the checkpoint and of what was seen of the clips.
    private var workFolder: String { plan.output + "/training" }

    /// Makes the output's folder; refuses one whose bundle was not made by a tuning.
    package static func prepare(_ plan: TuningPlan) throws {
        let files = FileManager.default
        let work = plan.output + "/training"
        guard
            !files.fileExists(atPath: plan.output + "/config.json")
                || files.fileExists(atPath: work)
        else {
            throw PipelineError.file(
                path: plan.output, action: "write the tuned bundle",
                reason: "another model is there; name a new folder")
        }
        do {
            try files.createDirectory(atPath: work, withIntermediateDirectories: true)
        } catch {
            throw PipelineError.file(
                path: plan.output, action: "make the folder", reason: error.localizedDescription)
        }
    }

    /// Looks at the clips, tunes, and writes the bundle.
    package func run() throws -> Outcome {
        let bundle = try ModelBundle(path: plan.bundle)
        let configuration = bundle.configuration
        guard configuration.family != .idefics, configuration.resampler.layers > 0 else {
            throw TrainingError.request(
                found: "a model of the \(configuration.family.rawValue) family",
                expected: "one with a resampler, whose prompts pipelines write")
        }
        guard configuration.storedPrecision == .float32 else {
            throw TrainingError.request(
                found:
                    "\(plan.bundle), whose weights are \(configuration.storedPrecision.rawValue)",
                expected: "the bundle that it was quantised from: rounded weights cannot be trained"
            )
        }
        guard plan.visionLearningRate == nil || configuration.vision.transformer != nil else {
            throw TrainingError.request(
                found: "\(plan.bundle), whose vision encoder is no transformer",
                expected: "one to tune, or no --unfreeze-vision")
        }
        let read = try CaptionedClips(plan.data, pipeline: plan.pipeline)
        let identity = try ModelLocation(plan.bundle).identity()
        let sampling = plan.pipeline?.sampling ?? .uniform(count: 8)
        let store = SeenClipStore(
            folder: workFolder + "/clips",
            kind: plan.visionLearningRate == nil ? .features : .pixels,
            observer:
                "\(identity.weightsSHA256) \(identity.numericsVersion), frames \(sampling)")
        guard let seen = try viewer(bundle, store, sampling).look(at: paths(of: read)) else {
            return .stopped
        }
        let leftOut = tell(read, seen.faults)
        let data = try split(read, seen.seen, bundle, store)
        let parameters = try bundle.weights.tensors.mapValues { try $0.float32() }
        let share = plan.visionLearningRate.map { $0 / plan.learningRate }
        let stage = TuningStage(
            configuration, parameters: parameters, data: data, seed: plan.seed,
            batch: plan.batch, visionShare: share, workers: workers)
        let trainer = Trainer(
            stage, plan.settings,
            recipe: recipe(identity, sampling, data), folder: workFolder,
            workers: workers, log: log, stop: stop, logEvery: max(1, min(50, plan.steps / 30)),
            scoresStart: true)
        guard let tuned = try trainer.run() else { return .stopped }
        try TunedBundle(source: bundle, tuned: tuned).write(to: plan.output)
        try writeCard(bundle, identity, read, data, leftOut: leftOut)
        return .done(leftOut: leftOut)
    }

    private func viewer(_ bundle: ModelBundle, _ store: SeenClipStore, _ sampling: FrameSampling)
        throws -> ClipViewer
    {
        let vision = bundle.configuration.vision
        return ClipViewer(
            decoders: decoders, preprocessing: vision.preprocessing, sampling: sampling,
            vision: store.kind == .pixels
                ? nil
                : try VisionEncoder(
                    Weights(bundle.weights)["vision"], vision, arithmetic: Arithmetic()),
            store: store, workers: workers, log: log, stop: stop)
    }

    /// Each file once, in the order of the lines.
    private func paths(of read: CaptionedClips) -> [PathBytes] {
        var met: Set<PathBytes> = []
        return read.clips.map(\.clip).filter { met.insert($0).inserted }
    }

    /// Says which lines cannot be used and why, in their order; how many they are.
    private func tell(_ read: CaptionedClips, _ unseen: [PathBytes: String]) -> Int {
        var faults = read.faults.mapValues { "\($0)" }
        for clip in read.clips {
            guard let reason = unseen[clip.clip] else { continue }
            faults[clip.line] = "\(plan.data.shown):\(clip.line): \(clip.clip.shown): \(reason)"
        }
        for (_, fault) in faults.sorted(by: { $0.key < $1.key }) {
            log.warn("left out: \(fault)")
        }
        return faults.count
    }

    /// The pairs to learn from and those held out, by the clips' content, so that a clip is always on the same side.
    private func split(
        _ read: CaptionedClips, _ contents: [PathBytes: ClipContent], _ bundle: ModelBundle,
        _ store: SeenClipStore
    ) throws -> TuningStage.Data {
        let tokenizer = try bundle.tokenizer()
        let lessons = read.clips.flatMap { clip -> [Lesson] in
            guard let content = contents[clip.clip] else { return [] }
            return clip.pairs.map {
                Lesson(
                    $0, about: content, tokenizer,
                    endOfChunk: bundle.configuration.tokens.endOfChunk)
            }
        }
        let clips = Set(lessons.map(\.clip)).sorted()
        guard let first = clips.first else {
            throw PipelineError.file(
                path: plan.data.shown, action: "tune on it",
                reason: "it has no line that can be used"
            )
        }
        var heldOut = Set(clips.filter { $0.place < plan.heldOut })
        // A share of a few clips may be none; one is better.
        if heldOut.isEmpty, plan.heldOut > 0, clips.count > 1 { heldOut = [first] }
        let training = lessons.filter { !heldOut.contains($0.clip) }
        guard !training.isEmpty else {
            throw PipelineError.request(
                found: "all \(clips.count) clips held out", expected: "some to learn from")
        }
        log.note(
            "\(clips.count - heldOut.count) clips to learn from, \(heldOut.count) held out")
        let asked = lessons.filter { heldOut.contains($0.clip) }
        return TuningStage.Data(
            training: training,
            heldOut: asked.enumerated()
                .sorted { ($0.element.clip, $0.offset) < ($1.element.clip, $1.offset) }
                .map(\.element),
            clips: store)
    }

    /// What decides the numbers, in words: a checkpoint of another one is refused. The number of steps may be raised later.
    private func recipe(
        _ identity: ModelIdentity, _ sampling: FrameSampling, _ data: TuningStage.Data
    ) -> String {
        var settings = plan.settings
        settings.steps = 0
        settings.evaluateEvery = 0
        settings.checkpointSeconds = 0
        let words = (data.training + data.heldOut).map {
            "\($0.clip.name) \($0.task) \($0.prompt) \($0.answer) \($0.rest)"
        }
        return "\(TuningStage.stageName) of \(identity.weightsSHA256) \(identity.numericsVersion) "
            + "seed \(plan.seed) \(settings) \(plan.batch) sequences, vision "
            + "\(plan.visionLearningRate.map { "\($0)" } ?? "frozen"), frames \(sampling), "
            + "held out \(plan.heldOut), on \(ParameterDigest(words).text)"
    }

    private func writeCard(
        _ source: ModelBundle, _ identity: ModelIdentity, _ read: CaptionedClips,
        _ data: TuningStage.Data, leftOut: Int
    ) throws {
        let (learned, asked) = (data.training, data.heldOut)
        let visionToo = plan.visionLearningRate != nil
        let card = TrainingCard(
            name: PathBytes(plan.output).name.text,
            introduction: [
                "\(source.configuration.name) (weights \(identity.weightsSHA256.prefix(16))), tuned by `wade train --from` on",
                "\(Set(learned.map(\.clip)).count) clips with \(learned.count) texts of",
                "`\(plan.data.name.shown)`; \(Set(asked.map(\.clip)).count) clips with \(asked.count) texts were held out by their",
                "content, and \(leftOut) lines could not be used.",
                visionToo
                    ? "The language model is what it was, byte for byte; the vision encoder was tuned at a learning rate of \(plan.visionLearningRate ?? 0)."
                    : "Vision encoder and language model are what they were, byte for byte.",
                "What the model was good for before may have changed; only the scores below were measured, on",
                "\(min(asked.count, TuningStage.mostAsked)) held-out texts: the loss per token, and how many answers are right in every",
                "token, asked at once and after four examples.",
            ],
            isTrained: { TuningStage.isTrained($0 + ".", visionToo: visionToo) },
            stages: [
                TrainingCard.Stage(
                    name: TuningStage.stageName,
                    batch: "\(plan.batch) sequences of 1 to 5 clips", settings: plan.settings)
            ], history: log.history)
        try card.write(to: plan.output)
    }
}
