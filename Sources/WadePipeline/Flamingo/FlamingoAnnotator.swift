//! The real annotator: decode, sample, preprocess, encode, answer.

import Foundation
import WadeFlamingo
package import WadeTensor
import WadeImage
package import WadeVideo

/// A loaded model that answers the tasks of one pipeline.
package struct FlamingoAnnotator: Sendable {
    let model: Flamingo
    private let pipeline: Pipeline
    private let decoders: DecoderPool
    private let cache: VisualTokenCache?
    let arithmetic: Arithmetic
    private let stage: AnswerStage
    private let batch: Int
    private var prompts: [String: TaskPrompts] = [:]
    /// The tasks whose demonstrations are chosen for each clip.
    private var retrieved: [String: RetrievedPrompts] = [:]
    private let shotPrompts: ShotPrompts

    /// Loads `bundle` and runs the demonstrations of every task through it, once; `decoders` open the files whose visual tokens are
    /// not in `cache`. `batch` answers at most are generated at once, and none of them depends on that.
    package init(
        bundle: ModelBundle, pipeline: Pipeline, decoders: DecoderPool,
        cache: VisualTokenCache? = nil, batch: Int = RunSettings.standardBatch
    ) throws {
        let pipeline = pipeline.spelled(for: bundle.configuration)
        self.pipeline = pipeline
        self.batch = batch
        self.decoders = decoders
        self.cache = cache
        arithmetic = Arithmetic(
            precision: pipeline.precision(storedAs: bundle.configuration.storedPrecision))
        arithmetic.engine.useThreads(1)
        model = try bundle.model(arithmetic)
        let tokenizer = try bundle.tokenizer()
        stage = try AnswerStage(model, tokenizer, pipeline)
        shotPrompts = ShotPrompts(model, tokenizer)
        let clips = try encodeDemonstrations()
        let prefixes = SharedPrefixes(model, tokenizer)
        for task in pipeline.tasks {
            let demonstrations = pipeline.demonstrations(for: task)
            if let retrieval = pipeline.retrieval, !demonstrations.isEmpty {
                let pool = DemonstrationPool(
                    demonstrations: demonstrations,
                    clips: demonstrations.compactMap { $0.clip.flatMap { clips[$0] } },
                    retrieval: retrieval)
                retrieved[task.id] = try RetrievedPrompts(
                    task, pool, confidence: pipeline.confidence, prefixes: prefixes
                ).calibrated(by: stage, media: { [model] in model.media([$0]) })
                continue
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

    /// Bytes that one answer in the making takes at most, by estimate: keys and values of its question, its clip and its words, once
    /// more of the question for another try, and a row of logits with its copies.
    var answerMemory: Int {
        let language = model.configuration.language
        let tokens = pipeline.tasks.map { task in
            let query = prompts[task.id]?.prompt.query.count ?? task.question.utf8.count + 32
            let choices = task.choices.map(\.utf8.count).max() ?? 0
            return 2 * query + max(task.maxNewTokens, choices)
        }
        let text = 2 * language.layers * language.width * (tokens.max() ?? 0)
        // A file of an hour has as many frames as any, where a pipeline sets a limit.
        let frames = pipeline.sampling.times(
            in: ClipSpan(start: 0, end: 3600, boundary: .whole)
        ).count
        let media =
            model.configuration.mediaCount(ofFrames: frames)
            * model.configuration.crossAttention.keyValueCount(
                latents: model.configuration.resampler.latents)
        return MemoryLayout<Float>.size * (text + media + 4 * language.vocabularySize)
    }

    /// The answer about one whole file, as a record would have it; behind its shots where `shots` has them.
    package func answer(
        _ task: AnnotationTask, about path: PathBytes, shots: ShotTable? = nil
    ) -> Result<ClipAnswer, ClipFailure> {
        let source = source(of: path)
        let clip =
            source.flatMap { source in
                shots.map { annotator.encode(source, nil, shots: $0) }
            } ?? encode(path, source)
        return clip.flatMap { clip in
            answers([
                ClipQuestion(
                    tokens: clip.tokens, framesDigest: clip.frames.digest, task: task,
                    embedding: clip.embedding, contentID: source?.identity.text ?? "",
                    shots: clip.shots)
            ])[0]
        }
    }

    /// The clips of all demonstrations, by path; throws for the first one that cannot be encoded.
    private func encodeDemonstrations() throws -> [PathBytes: DemonstrationClip] {
        let demonstrations = pipeline.demonstrations.filter { demonstration in
            pipeline.tasks.contains { demonstration.answers[$0.id] != nil }
        }
        let pool = WorkerPool<PathBytes, (PathBytes, Result<DemonstrationClip, ClipFailure>)>(
            workers: decoders.size, inFlight: 2 * decoders.size
        ) { [self] path in
            let source = source(of: path)
            let clip = encode(path, source).map { clip in
                DemonstrationClip(
                    tokens: clip.tokens, framesDigest: clip.frames.digest,
                    embedding: clip.embedding, contentID: source?.identity.text ?? "")
            }
            return (path, clip)
        }
        var met: Set<PathBytes> = []
        var rest = demonstrations.compactMap(\.clip).filter { met.insert($0).inserted }
            .makeIterator()
        var clips: [PathBytes: DemonstrationClip] = [:]
        while let (path, result) = pool.next(from: { rest.next() }) {
            do throws(ClipFailure) {
                clips[path] = try result.get()
            } catch {
                let ids = demonstrations.filter { $0.clip == path }.map(\.id.shownShort)
                throw PipelineError.file(
                    path: path.shown,
                    action: "encode the clip of demonstration \(ids.joined(separator: ", "))",
                    reason: "\(error.code.rawValue): \(error.message)")
            }
        }
        return clips
    }

    // MARK: - Encoding

    /// The file at `path` with its content, where a cache or a pool of demonstrations needs to know that.
    private func source(of path: PathBytes) -> ClipSource? {
        guard cache != nil || pipeline.retrieval != nil || pipeline.shots != nil,
            let identity = try? ContentIdentity.read(path, known: { _ in nil })
        else { return nil }
        return ClipSource(path: path, relativePath: path, identity: identity)
    }

    /// The visual tokens of the file at `path`, which is `source`.
    private func encode(_ path: PathBytes, _ source: ClipSource?) -> Result<
        EncodedClip<Tensor>, ClipFailure
    > {
        source.map { encode($0, nil) } ?? encodeAnew(path, span: nil)
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
            let frames = Tensor(pixels, shape: [images.count, 3, size, size])
            let near = pipeline.nearIdentical.map { NearIdenticalFrames(images, within: $0) }
            let features =
                try near?.features(of: frames, by: model.features) ?? model.features(frames)
            let tokens = try model.visualTokens(ofFeatures: features)
            return .success(
                EncodedClip(
                    tokens: tokens, video: AnnotationRecord.Video(metadata), span: span,
                    frames: self.frames(sampled, near, digestOf: pixels),
                    flags: sampled.flags.compactMap { .init(rawValue: $0.rawValue) }
                        + (near?.reusesAny == true ? [.framesReused] : []),
                    embedding: clipEmbedding(ofFeatures: features),
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
        return model.configuration.vision.encodingBytes(frames: frames)
    }

    private func frames(
        _ sampled: SampledFrames, _ near: NearIdenticalFrames?, digestOf pixels: [Float]
    ) -> AnnotationRecord.Frames {
        var frames = AnnotationRecord.Frames()
        // What the option did stands in the record: how many frames the vision encoder saw.
        if let near {
            frames.strategy = pipeline.sampling.strategy + ",encoded:\(near.encoded.count)"
        }
        frames.requested = sampled.times.count
        frames.used = sampled.frames.count
        frames.failed = sampled.failed
        frames.times = sampled.frames.map(\.time).sorted()
        let bytes = unsafe pixels.withUnsafeBytes { unsafe Array($0) }
        frames.digest = "sha256:" + Hexadecimal.text(Hexadecimal.sha256([bytes]))
        return frames
    }

    // MARK: - Answering

    /// What stands before a question: the prompts of its task, or those that were made for its clip alone.
    private struct ChosenPrompts {
        var prompts: TaskPrompts
        /// The demonstrations in them, where they were chosen for the clip, and whether there were too few.
        var retrieved: [RetrievedDemonstration]?
        var isShort = false
    }

    private func prompts(for question: ClipQuestion<Tensor>) throws -> ChosenPrompts {
        if let pool = retrieved[question.task.id] {
            let (prompts, demonstrations) = try pool.prompts(
                to: question.embedding, contentID: question.contentID)
            return ChosenPrompts(
                prompts: prompts, retrieved: demonstrations,
                isShort: pool.isShort(demonstrations.count))
        }
        guard let prompts = prompts[question.task.id] else {
            throw ClipFailure(
                code: .internal, stage: .generate, message: "a task without a prompt")
        }
        return ChosenPrompts(prompts: prompts)
    }

    /// One result for every question; the answers are generated together, and a question that fails costs only itself.
    private func answers(_ questions: [ClipQuestion<Tensor>]) -> [Result<ClipAnswer, ClipFailure>] {
        arithmetic.engine.useThreads(1)
        let clock = ContinuousClock()
        let start = clock.now
        let shelf = MediaShelf(model)
        var asks: [AnswerStage.Ask] = []
        // Of every question its prompts and the place of its own answer; those in other orders of the demonstrations follow.
        var chosen: [Result<(ChosenPrompts, place: Int), any Error>] = []
        for question in questions {
            chosen.append(
                Result {
                    var behind = try prompts(for: question)
                    behind.prompts = try shotPrompts.prompts(
                        behind.prompts, with: question.shots)
                    let place = asks.count
                    for prompt in [behind.prompts.prompt] + behind.prompts.reordered {
                        asks.append(
                            AnswerStage.Ask(
                                task: question.task, prompt: prompt,
                                media: { shelf.media(question.tokens) },
                                framesDigest: question.framesDigest))
                    }
                    return (behind, place)
                })
        }
        let answered = stage.answers(asks, batch: batch)
        let gains = visualGains(of: answered, chosen)
        let results = zip(questions, chosen).map { question, chosen in
            result {
                let (behind, place) = try chosen.get()
                let orders = behind.prompts.reordered.count
                var answer = try answer(
                    question.task, behind.prompts, answered[place].get(),
                    visualGain: gains[place]?.get() ?? nil,
                    reordered: answered.dropFirst(place + 1).prefix(orders).map { try $0.get() })
                answer.retrieved = behind.retrieved
                if behind.isShort { answer.flags.append(.demosMissing) }
                return answer
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

    /// The visual gain of the answers that the pipeline wants it of, by their places.
    private func visualGains(
        of answered: [Result<AnswerStage.Answered, any Error>],
        _ chosen: [Result<(ChosenPrompts, place: Int), any Error>]
    ) -> [Int: Result<Double?, any Error>] {
        guard pipeline.confidence.measuresVisualGain else { return [:] }
        var places: [Int] = []
        var answers: [(AnswerStage.Answered, behind: ReadPrompt)] = []
        for case .success(let (behind, place)) in chosen {
            guard let answer = try? answered[place].get() else { continue }
            places.append(place)
            answers.append((answer, behind.prompts.prompt))
        }
        return Dictionary(uniqueKeysWithValues: zip(places, stage.visualGains(of: answers)))
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
        visualGain: Double?, reordered: [AnswerStage.Answered]
    ) -> ClipAnswer {
        var answer = first.answer
        if let visualGain {
            answer.score.visualGain = visualGain
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

extension Duration {
    /// Whole milliseconds.
    fileprivate var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
