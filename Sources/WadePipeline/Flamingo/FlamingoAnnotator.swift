//! The real annotator: decode, sample, preprocess, encode, answer.

import Foundation
import WadeFlamingo
package import WadeTensor
import WadeImage
package import WadeVideo

/// A loaded model that answers the tasks of one pipeline.
package struct FlamingoAnnotator: Sendable {
    private let model: Flamingo
    private let pipeline: Pipeline
    private let decoders: DecoderPool
    private let cache: VisualTokenCache?
    private let arithmetic: Arithmetic
    private let stage: AnswerStage
    private let batch: Int
    private var prompts: [String: TaskPrompts] = [:]

    /// Loads `bundle` and runs the demonstrations of every task through it, once; `decoders` open the files whose visual tokens are
    /// not in `cache`. `batch` answers at most are generated at once, and none of them depends on that.
    package init(
        bundle: ModelBundle, pipeline: Pipeline, decoders: DecoderPool,
        cache: VisualTokenCache? = nil, batch: Int = RunSettings.standardBatch
    ) throws {
        guard bundle.configuration.family != .idefics else {
            throw PipelineError.request(
                found: "a model of the idefics family",
                expected: "openflamingo or otter, whose prompts pipelines write")
        }
        self.pipeline = pipeline
        self.batch = batch
        self.decoders = decoders
        self.cache = cache
        arithmetic = Arithmetic(precision: pipeline.precision)
        arithmetic.engine.useThreads(1)
        model = try bundle.model(arithmetic)
        let tokenizer = try bundle.tokenizer()
        stage = try AnswerStage(model, tokenizer, pipeline)
        var clips: [PathBytes: DemonstrationClip] = [:]
        for task in pipeline.tasks {
            let demonstrations = pipeline.demonstrations(for: task)
            for path in demonstrations.compactMap(\.clip) where clips[path] == nil {
                clips[path] = try encodeDemonstration(path)
            }
            prompts[task.id] = try TaskPrompts(
                task, demonstrations, clips: clips, confidence: pipeline.confidence,
                reader: PromptReader(model, tokenizer), stage: stage,
                media: { [model] in model.media([$0]) })
        }
    }

    /// The annotator as a run takes it.
    package var annotator: Annotator<Tensor> {
        Annotator(
            batch: batch, encode: { self.encode($0, $1) }, answer: { self.answers($0) })
    }

    /// The answer about one whole file, as a record would have it.
    package func answer(
        _ task: AnnotationTask, about path: PathBytes
    ) -> Result<ClipAnswer, ClipFailure> {
        encode(path).flatMap { clip in
            answers([
                ClipQuestion(tokens: clip.tokens, framesDigest: clip.frames.digest, task: task)
            ])[0]
        }
    }

    private func encodeDemonstration(_ path: PathBytes) throws -> DemonstrationClip {
        switch encode(path) {
        case .success(let clip):
            return DemonstrationClip(tokens: clip.tokens, framesDigest: clip.frames.digest)
        case .failure(let failure):
            throw PipelineError.file(
                path: path.shown, action: "encode the demonstration",
                reason: "\(failure.code.rawValue): \(failure.message)")
        }
    }

    // MARK: - Encoding

    /// The visual tokens of the file at `path`; only a cache needs to know its content.
    private func encode(_ path: PathBytes) -> Result<EncodedClip<Tensor>, ClipFailure> {
        guard cache != nil, let identity = try? ContentIdentity.read(path, known: { _ in nil })
        else { return encodeAnew(path, span: nil) }
        return encode(ClipSource(path: path, relativePath: path, identity: identity), nil)
    }

    /// The visual tokens of `source`, or of `span` of it.
    private func encode(_ source: ClipSource, _ span: ClipSpan?) -> Result<
        EncodedClip<Tensor>, ClipFailure
    > {
        guard let cache else { return encodeAnew(source.path, span: span) }
        return cache.clip(source, span) { encodeAnew(source.path, span: span) }
    }

    /// The visual tokens of the file at `path`, or of `span` of it, decoded and encoded.
    private func encodeAnew(_ path: PathBytes, span: ClipSpan?) -> Result<
        EncodedClip<Tensor>, ClipFailure
    > {
        // One thread per worker: sums then come in the same order for any number of workers.
        arithmetic.engine.useThreads(1)
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let preprocessing = model.configuration.vision.preprocessing
            let ((metadata, span, sampled), lease) = try decoders.read(
                path: path.bytes, companion: { encodingMemory($0, span) }
            ) { (video) throws(VideoError) in
                let span =
                    span ?? ClipSpan(start: 0, end: video.metadata.duration, boundary: .whole)
                return (
                    video.metadata, span,
                    try video.frames(
                        at: pipeline.sampling.times(in: span), preprocessing: preprocessing)
                )
            }
            defer { withExtendedLifetime(lease) {} }
            let decoded = clock.now
            let images = sampled.frames.map(\.image)
            let size = preprocessing.imageSize
            let pixels = preprocessing.pixelValues(ofPictures: images)
            let tokens = try model.visualTokens(
                Tensor(pixels, shape: [images.count, 3, size, size]))
            return .success(
                EncodedClip(
                    tokens: tokens, video: AnnotationRecord.Video(metadata), span: span,
                    frames: frames(sampled, digestOf: pixels),
                    flags: sampled.flags.compactMap { .init(rawValue: $0.rawValue) },
                    decodeMilliseconds: (decoded - start).milliseconds,
                    visionMilliseconds: (clock.now - decoded).milliseconds))
        } catch let error as VideoError {
            return .failure(ClipFailure(error))
        } catch {
            return .failure(ClipFailure(code: .internal, stage: .vision, message: "\(error)"))
        }
    }

    /// Bytes of memory that a clip takes here, from its frames' arrival to its visual tokens, by estimate.
    private func encodingMemory(_ metadata: VideoMetadata, _ span: ClipSpan?) -> Int {
        let span = span ?? ClipSpan(start: 0, end: metadata.duration, boundary: .whole)
        let frames = pipeline.sampling.times(in: span).count
        let vision = model.configuration.vision
        // A pixel as 8 bits, as float32, and once more as float32 in patches.
        let pixels = 3 * vision.imageSize * vision.imageSize * 9
        // Of one layer: the state, its copy, queries, keys, values, and the feed-forward network's hidden state twice.
        let states = (vision.patches + 1) * (vision.width * 6 + vision.mlpWidth * 2) * 4
        return frames * (pixels + states)
    }

    private func frames(_ sampled: SampledFrames, digestOf pixels: [Float])
        -> AnnotationRecord.Frames
    {
        var frames = AnnotationRecord.Frames()
        frames.requested = sampled.times.count
        frames.used = sampled.frames.count
        frames.failed = sampled.failed
        frames.times = sampled.frames.map(\.time).sorted()
        let bytes = unsafe pixels.withUnsafeBytes { unsafe Array($0) }
        frames.digest = "sha256:" + Hexadecimal.text(Hexadecimal.sha256([bytes]))
        return frames
    }

    // MARK: - Answering

    /// One result for every question; the answers are generated together, and a question that fails costs only itself.
    private func answers(_ questions: [ClipQuestion<Tensor>]) -> [Result<ClipAnswer, ClipFailure>] {
        arithmetic.engine.useThreads(1)
        let clock = ContinuousClock()
        let start = clock.now
        let shelf = MediaShelf(model)
        var asks: [AnswerStage.Ask] = []
        // Of every question the place of its own answer; those in other orders of the demonstrations follow.
        var places: [Int?] = []
        for question in questions {
            guard let prompts = prompts[question.task.id] else {
                places.append(nil)
                continue
            }
            places.append(asks.count)
            for prompt in [prompts.prompt] + prompts.reordered {
                asks.append(
                    AnswerStage.Ask(
                        task: question.task, prompt: prompt,
                        media: { shelf.media(question.tokens) },
                        framesDigest: question.framesDigest))
            }
        }
        let answered = stage.answers(asks, batch: batch)
        let results = zip(questions, places).map { question, place in
            result {
                guard let place, let prompts = prompts[question.task.id] else {
                    throw ClipFailure(
                        code: .internal, stage: .generate, message: "a task without a prompt")
                }
                return try answer(
                    question.task, prompts, answered[place].get(),
                    reordered: answered.dropFirst(place + 1).prefix(prompts.reordered.count).map {
                        try $0.get()
                    })
            }
        }
        // What the answers took together is shared out among them.
        let share = (clock.now - start).milliseconds / max(questions.count, 1)
        return results.map { result in
            result.map { answer in
                var answer = answer
                answer.generateMilliseconds = share
                return answer
            }
        }
    }

    private func result(_ body: () throws -> ClipAnswer) -> Result<ClipAnswer, ClipFailure> {
        do {
            return .success(try body())
        } catch let failure as ClipFailure {
            return .failure(failure)
        } catch {
            return .failure(
                ClipFailure(code: .generationFailed, stage: .generate, message: "\(error)"))
        }
    }

    /// The answer with everything that the pipeline wants to know about it; `reordered` are those behind other orders of the
    /// demonstrations.
    private func answer(
        _ task: AnnotationTask, _ prompts: TaskPrompts, _ first: AnswerStage.Answered,
        reordered: [AnswerStage.Answered]
    ) throws -> ClipAnswer {
        var answer = first.answer
        if pipeline.confidence.measuresVisualGain,
            let gain = try stage.visualGain(of: first, behind: prompts.prompt)
        {
            answer.score.visualGain = gain
            answer.score.hasVisualGain = true
        }
        if !reordered.isEmpty {
            let text = task.answer(in: answer.raw)
            let same = reordered.filter { task.isSame(task.answer(in: $0.answer.raw), text) }
            answer.score.agreement = Double(same.count) / Double(reordered.count)
        }
        if let calibration = prompts.calibration {
            let probability = calibration.probability(first.confidence)
            answer.score.calibratedProbability = probability
            answer.isWithheld = probability < pipeline.confidence.abstainBelow ?? 0
        }
        return answer
    }
}

/// What the gated layers keep of the clip that is asked about: several questions about one clip in a row share it.
private final class MediaShelf {
    private let model: Flamingo
    private var latest: (tokens: Tensor, media: Media)?

    init(_ model: Flamingo) {
        self.model = model
    }

    func media(_ tokens: Tensor) -> Media {
        if let latest, latest.tokens.isSameWindow(as: tokens) { return latest.media }
        let media = model.media([tokens])
        latest = (tokens, media)
        return media
    }
}

extension Duration {
    /// Whole milliseconds.
    fileprivate var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}

extension ClipFailure {
    /// A failure of decoding.
    init(_ error: VideoError) {
        self.init(
            code: FailureCode(rawValue: error.code.rawValue) ?? .internal, stage: .decode,
            message: error.message)
        isRetryable = isRetryable || error.isFaultOfSettings
        isFaultOfSystem = error.isFaultOfSystem
    }
}

extension AnnotationRecord.Video {
    /// What decoding has found out about a file.
    init(_ metadata: VideoMetadata) {
        self.init()
        duration = metadata.duration
        width = metadata.width
        height = metadata.height
        rotation = metadata.rotationDegrees
        codec = metadata.codec
        pixelFormat = metadata.pixelFormat
        transfer = metadata.transfer
        averageFrameRate = metadata.averageRate
        isVariableFrameRate = metadata.hasVariableRate
    }
}
