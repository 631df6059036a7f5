//! The model at work in a run: clips to visual tokens on the workers, questions to answers on the run's thread.

internal import Crypto
internal import Foundation
internal import WadeFlamingo
internal import WadeImage
package import WadeTensor
internal import WadeTokenizer
internal import WadeVideo

/// A loaded model with a pipeline's prompts already read: what `Annotator` asks.
package struct FlamingoAnnotator: Sendable {
    private let model: Flamingo
    private let tokenizer: Tokenizer
    private let pipeline: Pipeline
    private let preprocessing: Preprocessing
    private let arithmetic: Arithmetic
    /// By task id.
    private let tasks: [String: PreparedTask]

    /// A task whose demonstrations the language model has read.
    private struct PreparedTask: Sendable {
        let sequence: TextSequence
        let query: [Int]
        let choices: [[Int]]
    }

    /// Loads the bundle and reads every task's demonstrations; throws when a demonstration's clip cannot be decoded.
    package init(bundle: ModelBundle, pipeline: Pipeline, arithmetic: Arithmetic) throws {
        arithmetic.engine.useThreads(1)
        let (model, tokenizer) = (try bundle.model(arithmetic), try bundle.tokenizer())
        self.model = model
        self.tokenizer = tokenizer
        self.pipeline = pipeline
        self.arithmetic = arithmetic
        preprocessing = bundle.configuration.vision.preprocessing
        var tasks: [String: PreparedTask] = [:]
        var seen: [PathBytes: Tensor] = [:]
        for task in pipeline.tasks {
            let prompt = Prompt(pipeline, task: task)
            for clip in prompt.clips where seen[clip] == nil {
                let frames = try Self.frames(of: clip, nil, pipeline)
                let (pixels, _) = Self.pixels(frames.sampled, preprocessing)
                seen[clip] = try model.visualTokens(pixels)
            }
            let media = model.media(prompt.clips.compactMap { seen[$0] })
            let plan = try PromptPlan(
                prompt, tokenizer: tokenizer, tokens: model.configuration.tokens)
            var sequence = model.sequence(media: media)
            if !plan.prefix.isEmpty { _ = try model(plan.prefix, sequence: &sequence) }
            let choices = task.choices.map { tokenizer.encode($0, applyingTemplate: false) }
            if let empty = choices.firstIndex(where: \.isEmpty) {
                throw FlamingoError.request(
                    found: "choice \"\(task.choices[empty])\" of task \(task.id) without tokens",
                    expected: "at least one token")
            }
            tasks[task.id] = PreparedTask(
                sequence: sequence, query: plan.query, choices: choices)
        }
        self.tasks = tasks
    }

    /// The three functions that a run needs.
    package var annotator: Annotator<Tensor> {
        Annotator(
            batch: 8, spans: { spans(of: $0) }, encode: { encode($0, $1) },
            answer: { $0.map { answer($0) } })
    }

    private func spans(of source: ClipSource) -> Result<[ClipSpan], ClipFailure> {
        Self.failing(at: .decode) {
            var reader = try VideoReader(path: source.path.bytes)
            return try reader.spans(pipeline.segmentation)
        }
    }

    private func encode(
        _ source: ClipSource, _ span: ClipSpan?
    ) -> Result<EncodedClip<Tensor>, ClipFailure> {
        arithmetic.engine.useThreads(1)
        let started = ContinuousClock.now
        let decoded = Self.failing(at: .decode) {
            try Self.frames(of: source.path, span, pipeline)
        }
        let frames: DecodedFrames
        switch decoded {
        case .failure(let failure): return .failure(failure)
        case .success(let found): frames = found
        }
        let (pixels, digest) = Self.pixels(frames.sampled, preprocessing)
        let between = ContinuousClock.now
        return Self.failing(at: .vision) {
            let tokens = try model.visualTokens(pixels)
            return EncodedClip(
                tokens: tokens, video: frames.video, span: frames.span,
                frames: frames.record(strategy: pipeline.sampling.strategy, digest: digest),
                flags: frames.sampled.flags.compactMap { .init(rawValue: $0.rawValue) },
                decodeMilliseconds: milliseconds(from: started, to: between),
                visionMilliseconds: milliseconds(from: between, to: .now))
        }
    }

    /// One answer; it does not depend on which other questions are asked.
    private func answer(_ question: ClipQuestion<Tensor>) -> Result<ClipAnswer, ClipFailure> {
        arithmetic.engine.useThreads(1)
        return Self.failing(at: .generate) {
            guard let task = tasks[question.task.id] else {
                throw FlamingoError.request(
                    found: "task \(question.task.id)", expected: "a task of the pipeline")
            }
            let media = model.media([question.tokens])
            let sequence = task.sequence.continued(with: media)
            return question.task.type == .classify
                ? try chosen(question.task, task, sequence)
                : try generated(question.task, task, sequence)
        }
    }

    private func chosen(
        _ task: AnnotationTask, _ prepared: PreparedTask, _ sequence: TextSequence
    ) throws -> ClipAnswer {
        let started = ContinuousClock.now
        let scores = try Generator(model).scores(
            of: prepared.choices, after: prepared.query, behind: sequence)
        var answer = ClipAnswer()
        answer.choiceLogProbabilities = scores.map(\.mean)
        // Of equals the first.
        let best = scores.indices.max { scores[$0].mean < scores[$1].mean } ?? 0
        answer.choice = scores.firstIndex { $0.mean == scores[best].mean } ?? best
        answer.raw = task.choices[answer.choice]
        answer.tokens = prepared.choices[answer.choice].count
        answer.score = score(scores[answer.choice].logProbabilities)
        answer.prefillMilliseconds = milliseconds(from: started, to: .now)
        return answer
    }

    private func generated(
        _ task: AnnotationTask, _ prepared: PreparedTask, _ sequence: TextSequence
    ) throws -> ClipAnswer {
        let started = ContinuousClock.now
        let stops = pipeline.decoding.stop
        let found = try Generator(model)(
            prepared.query, behind: sequence, options: options(for: task)
        ) { ids in
            stops.isEmpty || !stops.contains { text(ids).contains($0) }
        }
        var answer = ClipAnswer()
        let ends = found.finish == .endToken
        answer.raw = text(ends ? Array(found.ids.dropLast()) : found.ids)
        if found.finish == .stopped { answer.raw = cut(answer.raw, at: stops) }
        answer.finish = ends ? .eos : found.finish == .stopped ? .stop : .length
        answer.tokens = found.ids.count
        answer.score = score(found.logProbabilities)
        answer.generateMilliseconds = milliseconds(from: started, to: .now)
        return answer
    }

    private func options(for task: AnnotationTask) -> DecodingOptions {
        let tokens = model.configuration.tokens
        let strategy: DecodingStrategy
        switch pipeline.decoding.strategy {
        case .greedy: strategy = .greedy
        case .beam(let width):
            strategy = .beam(count: width, lengthPenalty: pipeline.decoding.lengthPenalty)
        case .sample(let temperature, let topP, let seed):
            strategy = .sampling(temperature: temperature, topK: 0, topP: topP, seed: seed)
        }
        // A generated <image> would stand for a clip that is not there.
        return DecodingOptions(
            strategy: strategy, maximumTokens: task.maxNewTokens,
            endTokens: [tokens.endOfChunk, tokens.endOfText],
            forbidden: [tokens.image, tokens.padding].compactMap { $0.map { [$0] } })
    }

    /// Generated ids as text; rows of the embedding that are no token's say nothing.
    private func text(_ ids: [Int]) -> String {
        let known = ids.filter { tokenizer.token(of: $0) != nil }
        return (try? tokenizer.decode(known, skipSpecialTokens: true)) ?? ""
    }

    /// The text before the first stop text.
    private func cut(_ text: String, at stops: [String]) -> String {
        let first = stops.compactMap { text.range(of: $0)?.lowerBound }.min()
        return first.map { String(text[..<$0]) } ?? text
    }

    private func score(_ logProbabilities: [Float]) -> AnnotationRecord.Score {
        var score = AnnotationRecord.Score()
        guard !logProbabilities.isEmpty else { return score }
        let sum = logProbabilities.reduce(0.0) { $0 + Double($1) }
        score.meanLogProbability = sum / Double(logProbabilities.count)
        score.minimumLogProbability = Double(logProbabilities.min() ?? 0)
        return score
    }
}

extension FlamingoAnnotator {
    /// What decoding gave: the frames, the span they were taken from, and what the record says of the file.
    struct DecodedFrames {
        let sampled: SampledFrames
        let span: ClipSpan
        let video: AnnotationRecord.Video

        func record(strategy: String, digest: String) -> AnnotationRecord.Frames {
            var frames = AnnotationRecord.Frames()
            frames.strategy = strategy
            frames.requested = sampled.times.count
            frames.used = sampled.frames.count
            frames.failed = sampled.failed
            frames.times = sampled.frames.map(\.time)
            frames.digest = digest
            return frames
        }
    }

    /// The frames of a clip that the pipeline's sampling asks for; the whole file when the span is nil.
    static func frames(
        of path: PathBytes, _ span: ClipSpan?, _ pipeline: Pipeline
    ) throws -> DecodedFrames {
        var reader = try VideoReader(path: path.bytes)
        let metadata = reader.metadata
        let span = span ?? ClipSpan(start: 0, end: metadata.duration, boundary: .whole)
        let sampled = try reader.frames(at: pipeline.sampling.times(in: span))
        return DecodedFrames(sampled: sampled, span: span, video: .init(metadata))
    }

    /// Normalised pixels (F, 3, S, S) of the frames, and the digest of the pictures that they were made of.
    static func pixels(
        _ sampled: SampledFrames, _ preprocessing: Preprocessing
    ) -> (Tensor, String) {
        let pictures = sampled.frames.map { preprocessing.picture($0.image) }
        var hash = SHA256()
        for picture in pictures { hash.update(data: picture.pixels) }
        let side = preprocessing.imageSize
        let values = preprocessing.pixelValues(of: sampled.frames.map(\.image))
        let digest = Hexadecimal.text(hash.finalize())
        return (Tensor(values, shape: [pictures.count, 3, side, side]), digest)
    }

    /// Turns what a room throws into the failure of one clip.
    private static func failing<Value>(
        at stage: FailureStage, _ body: () throws -> Value
    ) -> Result<Value, ClipFailure> {
        do {
            return .success(try body())
        } catch let error as VideoError {
            let code = FailureCode(rawValue: error.code.rawValue) ?? .internal
            return .failure(ClipFailure(code: code, stage: stage, message: error.message))
        } catch {
            let code: FailureCode = stage == .generate ? .generationFailed : .internal
            return .failure(ClipFailure(code: code, stage: stage, message: "\(error)"))
        }
    }
}

extension AnnotationRecord.Video {
    /// What the decoder knows of a file; the run adds path and content.
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

private func milliseconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant)
    -> Int
{
    Int((end - start) / .milliseconds(1))
}
