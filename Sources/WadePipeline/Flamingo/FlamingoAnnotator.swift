//! The real annotator: decode, sample, preprocess, encode, answer.

import Foundation
import WadeFlamingo
package import WadeTensor
import WadeImage
import WadeTokenizer
package import WadeVideo

/// A loaded model that answers the tasks of one pipeline.
package struct FlamingoAnnotator: Sendable {
    private let model: Flamingo
    private let tokenizer: Tokenizer
    private let pipeline: Pipeline
    private let decoders: DecoderPool
    private let cache: VisualTokenCache?
    private let arithmetic: Arithmetic
    private var prompts: [String: SharedPrompt] = [:]

    /// A task's prompt, its demonstrations already read by the language model.
    private struct SharedPrompt: Sendable {
        /// The state after the demonstrations.
        var sequence: TextSequence
        /// The ids that `sequence` holds.
        var earlier: [Int]
        /// The ids of the query.
        var query: [Int]
        /// The ids of each choice.
        var choices: [[Int]]
    }

    /// Loads `bundle` and runs the demonstrations of every task through it, once; `decoders` open the files whose visual tokens are
    /// not in `cache`.
    package init(
        bundle: ModelBundle, pipeline: Pipeline, decoders: DecoderPool,
        cache: VisualTokenCache? = nil
    ) throws {
        guard bundle.configuration.family != .idefics else {
            throw PipelineError.request(
                found: "a model of the idefics family",
                expected: "openflamingo or otter, whose prompts pipelines write")
        }
        self.pipeline = pipeline
        self.decoders = decoders
        self.cache = cache
        arithmetic = Arithmetic(precision: pipeline.precision)
        arithmetic.engine.useThreads(1)
        model = try bundle.model(arithmetic)
        tokenizer = try bundle.tokenizer()
        var media: [PathBytes: Tensor] = [:]
        for task in pipeline.tasks {
            prompts[task.id] = try sharedPrompt(task, &media)
        }
    }

    /// The annotator as a run takes it.
    package var annotator: Annotator<Tensor> {
        Annotator(
            batch: 1, encode: { self.encode($0, $1) },
            answer: { questions in questions.map { self.answer($0) } })
    }

    /// One answer about one whole file, as a record's `output.text` would be.
    package func answer(
        _ task: AnnotationTask, about path: PathBytes
    ) -> Result<String, ClipFailure> {
        encode(path).flatMap { clip in
            answer(
                ClipQuestion(
                    tokens: clip.tokens, framesDigest: clip.frames.digest, task: task)
            )
            .map { Prompt.answer(in: $0.raw, task: task.type) }
        }
    }

    private func sharedPrompt(_ task: AnnotationTask, _ media: inout [PathBytes: Tensor]) throws
        -> SharedPrompt
    {
        let prompt = Prompt(pipeline, task: task)
        var clips: [Tensor] = []
        for path in prompt.clips {
            switch media[path].map({ .success($0) }) ?? encode(path).map(\.tokens) {
            case .success(let tokens):
                media[path] = tokens
                clips.append(tokens)
            case .failure(let failure):
                throw PipelineError.file(
                    path: path.shown, action: "encode the demonstration",
                    reason: "\(failure.code.rawValue): \(failure.message)")
            }
        }
        let start = [model.configuration.tokens.beginningOfText].compactMap { $0 }
        let prefix = start + tokenizer.encode(prompt.prefix, applyingTemplate: false)
        let whole = start + tokenizer.encode(prompt.prefix + prompt.query, applyingTemplate: false)
        var sequence = model.sequence(media: model.media(clips))
        // A template whose query does not begin with a special token may melt into the demonstrations' last token.
        let isShared = whole.starts(with: prefix) && whole.count > prefix.count && !prefix.isEmpty
        if isShared { _ = try model(prefix, sequence: &sequence) }
        let choices = task.choices.map { tokenizer.encode($0, applyingTemplate: false) }
        if let empty = choices.firstIndex(where: \.isEmpty) {
            throw PipelineError.request(
                found: "choice \"\(task.choices[empty])\" of task \(task.id), which has no tokens",
                expected: "at least one token")
        }
        return SharedPrompt(
            sequence: sequence, earlier: isShared ? prefix : [],
            query: isShared ? Array(whole.dropFirst(prefix.count)) : whole,
            choices: choices)
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

    private func answer(_ question: ClipQuestion<Tensor>) -> Result<ClipAnswer, ClipFailure> {
        guard let prompt = prompts[question.task.id] else {
            return .failure(
                ClipFailure(code: .internal, stage: .generate, message: "a task without a prompt"))
        }
        arithmetic.engine.useThreads(1)
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let sequence = prompt.sequence.continued(with: model.media([question.tokens]))
            var answer =
                question.task.choices.isEmpty
                ? try generate(question, prompt, sequence)
                : try choose(question.task, prompt, sequence)
            answer.score.compressionRatio = CompressionRatio.of(
                Prompt.answer(in: answer.raw, task: question.task.type).utf8)
            answer.generateMilliseconds = (clock.now - start).milliseconds
            return .success(answer)
        } catch {
            return .failure(
                ClipFailure(code: .generationFailed, stage: .generate, message: "\(error)"))
        }
    }

    private func choose(_ task: AnnotationTask, _ prompt: SharedPrompt, _ sequence: TextSequence)
        throws -> ClipAnswer
    {
        let scores = try Generator(model).scores(
            of: prompt.choices, after: prompt.query, behind: sequence)
        var answer = ClipAnswer()
        answer.choiceLogProbabilities = scores.map(\.mean)
        for (index, score) in scores.enumerated()
        where answer.choice < 0 || score.mean > scores[answer.choice].mean {
            answer.choice = index
        }
        answer.raw = task.choices[answer.choice]
        answer.tokens = prompt.choices[answer.choice].count
        let logProbabilities = scores[answer.choice].logProbabilities.map(Double.init)
        answer.score.meanLogProbability = scores[answer.choice].mean
        answer.score.minimumLogProbability = logProbabilities.min() ?? -1
        return answer
    }

    private func generate(
        _ question: ClipQuestion<Tensor>, _ prompt: SharedPrompt, _ sequence: TextSequence
    ) throws -> ClipAnswer {
        let tokens = model.configuration.tokens
        let options = DecodingOptions(
            strategy: strategy, maximumTokens: question.task.maxNewTokens,
            endTokens: [tokens.endOfChunk, tokens.endOfText],
            // A generated <image> would stand for a clip that is not there.
            forbidden: [tokens.image, tokens.padding].compactMap { $0.map { [$0] } })
        let generate = { (options: DecodingOptions, goOn: ([Int]) -> Bool) in
            try Generator(model)(
                prompt.query, behind: sequence, earlier: prompt.earlier, options: options
            ) { ids in !isStopped(ids) && goOn(ids) }
        }
        var outcome: GuardedGeneration.Outcome
        if let guardian = pipeline.decoding.guard {
            let guarded = GuardedGeneration(
                guardian: guardian,
                text: { Prompt.answer(in: try raw($0), task: question.task.type) },
                generate: generate)
            outcome = try guarded(options, seed: seed(question.framesDigest))
        } else {
            outcome = .init(
                generated: try generate(options) { _ in true }, attempts: 1, fault: .none)
        }
        return try answer(outcome)
    }

    private func answer(_ outcome: GuardedGeneration.Outcome) throws -> ClipAnswer {
        let generated = outcome.generated
        var answer = ClipAnswer()
        answer.raw = try raw(generated.ids)
        switch generated.finish {
        case .endToken: answer.finish = .eos
        case .stopped: answer.finish = .stop
        case .length: answer.finish = .length
        case .repetition: answer.finish = .guard
        }
        // An answer that is only improbable is whole: it ended as it ended, and its score tells the rest.
        if outcome.fault == .repetitive {
            answer.finish = .guard
            answer.flags = [.repeatGuard]
        }
        answer.attempts = outcome.attempts
        answer.tokens = generated.ids.count
        answer.score.minimumLogProbability =
            generated.logProbabilities.min().map(Double.init) ?? -1
        answer.score.meanLogProbability = generated.meanLogProbability
        return answer
    }

    /// A number that belongs to what the frames show, whatever the file is called and whoever asks.
    private func seed(_ framesDigest: String) -> UInt64 {
        Hexadecimal.sha256([Array("retry".utf8), Array(framesDigest.utf8)]).prefix(8)
            .reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func isStopped(_ ids: [Int]) -> Bool {
        let stops = pipeline.decoding.stop
        guard !stops.isEmpty, let text = try? decode(ids) else { return false }
        return stops.contains { text.contains($0) }
    }

    /// What the language model has written, up to the first stop text.
    private func raw(_ ids: [Int]) throws -> String {
        try pipeline.decoding.stop.reduce(decode(ids)) { text, stop in
            PromptTemplate.split(text, at: stop).first ?? text
        }
    }

    /// The text of generated ids; an embedding may have more rows than there are tokens, and those say nothing.
    private func decode(_ ids: [Int]) throws -> String {
        let known = ids.filter { tokenizer.token(of: $0) != nil }
        return try tokenizer.decode(known, skipSpecialTokens: true)
    }

    private var strategy: DecodingStrategy {
        switch pipeline.decoding.strategy {
        case .greedy: .greedy
        case .beam(let width):
            .beam(count: width, lengthPenalty: pipeline.decoding.lengthPenalty)
        case .sample(let temperature, let topP, let seed):
            .sampling(temperature: temperature, topK: 0, topP: topP, seed: seed)
        }
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
