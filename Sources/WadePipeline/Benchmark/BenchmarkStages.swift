//! The stages of a run, one by one and together, as all workers do them at once.
import WadeFlamingo
import WadeImage
import WadeTensor
import WadeVideo

/// A stage and how fast it was.
package struct BenchmarkStage: Sendable {
    /// The stages, in the order of a run.
    package enum Name: String, Sendable, CaseIterable {
        /// Decoding, to pictures of the model's size.
        case decode
        /// What of that is the change of size, and what makes pixels of pictures.
        case resize
        case vision
        case resampler
        /// The demonstrations' text, read once in a run.
        case prefix
        /// The question, and the keys and values of the clip's visual tokens.
        case prefill
        /// One new token.
        case token
    }

    /// What one unit is.
    package enum Unit: String, Sendable {
        case frame, clip, run, token
    }

    /// What bounds a stage that computes nothing else at the machine's ceilings.
    package enum Bound: String, Sendable {
        case arithmetic, memory
    }

    package let name: Name
    package let unit: Unit
    /// Seconds that one unit takes, as all workers do one at a time together: 1 / the machine's units a second.
    package let seconds: Double
    /// Processor seconds of one unit, decoder processes included.
    package let processorSeconds: Double
    /// Operations of one unit; 0 where they are not counted.
    package let operations: Double
    /// Bytes of weights that one unit reads at least.
    package let bytes: Double
    /// What part of the rate that the machine's ceilings allow is reached, and which ceiling is nearer; nil where there is none.
    package let share: (value: Double, of: Bound)?
}

/// Whole clips, from the file to the answer.
package struct BenchmarkClip: Sendable {
    /// Seconds a clip, all workers together.
    package let seconds: Double
    /// Processor seconds a clip, decoder processes included.
    package let processorSeconds: Double
    /// What part of the processor time is decoding and resizing.
    package let decodingShare: Double
}

/// Measures stages.
struct BenchmarkStages: Sendable {
    let settings: BenchmarkSettings
    let model: Flamingo
    let stopwatch: Stopwatch
    /// Operations and bytes a second that the machine can do at most.
    let ceiling: (operations: Double, bytes: Double)

    private var count: OperationCount { OperationCount(model.configuration) }
    private var preprocessing: Preprocessing { model.configuration.vision.preprocessing }
    private var bytesPerWeight: Double { Double(settings.precision.halfBits) / 16 }
    private static let frames = BenchmarkSettings.frames

    /// Every stage; without demonstrations there is no prefix. `progress` is told what comes next.
    func all(film: PathBytes, progress: (String) -> Void) throws -> [BenchmarkStage] {
        var stages: [BenchmarkStage] = []
        progress("decoding")
        stages.append(try decode(film))
        let pictures = try pictures(
            of: film, preprocessing: nil, decoders: DecoderPool(capacity: 1))
        stages.append(try resize(pictures))
        progress("the vision encoder")
        let pixels = pixels(of: pictures.map(preprocessing.picture))
        stages.append(try vision(pixels))
        let features = try model.vision(pixels)
        stages.append(try resampler(features))
        progress("the language model")
        let tokens = try model.visualTokens(pixels)
        if settings.shots > 0 { stages.append(try prefix(tokens)) }
        let prompted = try readPrefix(tokens)
        stages.append(try prefill(tokens, behind: prompted))
        stages.append(try generation(tokens, behind: prompted))
        return stages
    }

    // MARK: - Frames

    private func decode(_ film: PathBytes) throws -> BenchmarkStage {
        let before = Processor.secondsOfChildren
        let time = try withDecoders { decoders in
            try stopwatch.time { _ in
                _ = try pictures(of: film, preprocessing: preprocessing, decoders: decoders)
            }
        }
        // The decoder processes have ended with their pool.
        let children = (Processor.secondsOfChildren - before) / Double(time.count)
        return stage(
            .decode, .frame, Self.frames, time, processorSeconds: time.processorSeconds + children)
    }

    private func withDecoders<Value>(_ body: (DecoderPool) throws -> Value) rethrows -> Value {
        try body(DecoderPool(capacity: settings.workers))
    }

    private func pictures(
        of film: PathBytes, preprocessing: Preprocessing?, decoders: DecoderPool
    ) throws -> [RGBImage] {
        try decoders.read(path: film.bytes) { (video) throws(VideoError) in
            let span = ClipSpan(start: 0, end: video.metadata.duration, boundary: .whole)
            return try video.frames(
                at: FrameSampling.uniform(count: Self.frames).times(in: span),
                preprocessing: preprocessing)
        }.value.frames.map(\.image)
    }

    private func resize(_ pictures: [RGBImage]) throws -> BenchmarkStage {
        let preprocessing = preprocessing
        let time = try stopwatch.time { _ in _ = preprocessing.pixelValues(of: pictures) }
        return stage(.resize, .frame, Self.frames, time)
    }

    private func pixels(of pictures: [RGBImage]) -> Tensor {
        let size = preprocessing.imageSize
        return Tensor(
            preprocessing.pixelValues(ofPictures: pictures),
            shape: [pictures.count, 3, size, size])
    }

    private func vision(_ pixels: Tensor) throws -> BenchmarkStage {
        let time = try stopwatch.time { _ in _ = try model.vision(pixels) }
        return stage(
            .vision, .frame, Self.frames, time,
            operations: count.frame * Double(Self.frames), weights: count.visionWeights)
    }

    private func resampler(_ features: Tensor) throws -> BenchmarkStage {
        let time = try stopwatch.time { _ in _ = try model.resampler?(features) }
        return stage(
            .resampler, .clip, 1, time, operations: count.resampler(frames: Self.frames),
            weights: count.resamplerWeights)
    }

    // MARK: - Text

    /// `count` tokens that begin with a media and are otherwise words.
    private func text(_ count: Int) -> [Int] {
        let tokens = model.configuration.tokens
        let special = Set(tokens.all.map(\.1))
        let words = (0..<model.configuration.language.vocabularySize).lazy
            .filter { !special.contains($0) }
        let few = Array(words.prefix(64))
        guard !few.isEmpty else { return [Int](repeating: tokens.image, count: count) }
        return [tokens.image] + (1..<max(count, 1)).map { few[$0 % few.count] }
    }

    private var demonstrations: [Int] {
        (0..<settings.shots).flatMap { _ in
            text(BenchmarkSettings.demonstrationTokens - 1) + [
                model.configuration.tokens.endOfChunk
            ]
        }
    }

    /// The state behind the demonstrations, whose clips have the visual tokens `tokens`.
    private func readPrefix(_ tokens: Tensor) throws -> TextSequence {
        let clips = [Tensor](repeating: tokens, count: settings.shots)
        var sequence = model.sequence(media: model.media(clips))
        if settings.shots > 0 { _ = try model(demonstrations, sequence: &sequence) }
        return sequence
    }

    private func prefix(_ tokens: Tensor) throws -> BenchmarkStage {
        let time = try stopwatch.time { _ in _ = try readPrefix(tokens) }
        return stage(
            .prefix, .run, 1, time,
            operations: count.media(settings.shots)
                + count.text(tokens: demonstrations.count, past: 0, heads: 0),
            weights: count.mediaWeights + count.tokenWeights)
    }

    /// The state behind a question about a clip with the visual tokens `tokens`.
    private func ask(_ tokens: Tensor, behind prefix: TextSequence) throws -> TextSequence {
        var sequence = prefix.continued(with: model.media([tokens]))
        let hidden = try model(text(BenchmarkSettings.questionTokens), sequence: &sequence)
        _ = model.language.logits(hidden[hidden.rows - 1..<hidden.rows])
        return sequence
    }

    private func prefill(_ tokens: Tensor, behind prefix: TextSequence) throws -> BenchmarkStage {
        let time = try stopwatch.time { _ in _ = try ask(tokens, behind: prefix) }
        return stage(
            .prefill, .clip, 1, time,
            operations: count.media(1)
                + count.text(
                    tokens: BenchmarkSettings.questionTokens, past: prefix.length, heads: 1),
            weights: count.mediaWeights + count.tokenWeights)
    }

    private func generation(_ tokens: Tensor, behind prefix: TextSequence) throws -> BenchmarkStage
    {
        let asked = try ask(tokens, behind: prefix)
        let words = text(settings.tokens + 1).dropFirst()
        let time = try stopwatch.time { _ in
            var sequence = asked
            for word in words {
                _ = model.language.logits(try model([word], sequence: &sequence))
            }
        }
        let operations = words.indices.map {
            count.text(tokens: 1, past: asked.length + $0 - 1, heads: 1)
        }
        return stage(
            .token, .token, words.count, time, operations: operations.reduce(0, +),
            weights: words.count * count.tokenWeights)
    }

    // MARK: - Whole clips

    /// Clips as a run answers them: every worker encodes a batch of clips and then answers them together.
    func wholeClips(film: PathBytes) throws -> BenchmarkClip {
        let childrenBefore = Processor.secondsOfChildren
        let clips = Double(settings.workers * settings.batch)
        var time = Stopwatch.Timing(seconds: 0, processorSeconds: 0, count: 0)
        try withDecoders { decoders in
            let prefix = try readPrefix(
                model.visualTokens(
                    pixels(
                        of: try pictures(
                            of: film, preprocessing: preprocessing, decoders: decoders))))
            time = try stopwatch.once { _ in
                let clips = try (0..<settings.batch).map { _ in
                    try model.visualTokens(
                        pixels(
                            of: try pictures(
                                of: film, preprocessing: preprocessing, decoders: decoders)))
                }
                try answer(clips, behind: prefix)
            }
        }
        // One more was decoded for the demonstrations.
        let decoding = (Processor.secondsOfChildren - childrenBefore) / (clips + 1)
        let processor = time.processorSeconds / Double(settings.batch) + decoding
        return BenchmarkClip(
            seconds: time.seconds / clips, processorSeconds: processor,
            decodingShare: processor > 0 ? decoding / processor : 0)
    }

    private func answer(_ clips: [Tensor], behind prefix: TextSequence) throws {
        // Answers of random weights end nowhere.
        let options = DecodingOptions(maximumTokens: settings.tokens, endTokens: [])
        let question = text(BenchmarkSettings.questionTokens)
        var requests = clips.enumerated().map { number, tokens in
            AnswerRequest(
                number,
                .unread(
                    UnreadPrompt(
                        question, behind: prefix.continued(with: model.media([tokens])))),
                options: options)
        }[...]
        var failure: (any Error)?
        BatchedGenerator(model, places: settings.batch).run(
            next: { free in
                defer { requests = requests.dropFirst(free) }
                return Array(requests.prefix(free))
            },
            ended: { ended in
                if case .failure(let error) = ended.result { failure = error }
                return nil
            })
        if let failure { throw failure }
    }

    // MARK: - Shares

    /// A stage of which one worker's work is `units` units, `operations` operations, and a reading of `weights` weights.
    private func stage(
        _ name: BenchmarkStage.Name, _ unit: BenchmarkStage.Unit, _ units: Int,
        _ time: Stopwatch.Timing, processorSeconds: Double? = nil, operations: Double = 0,
        weights: Int = 0
    ) -> BenchmarkStage {
        let (units, workers) = (Double(units), Double(settings.workers))
        let bytes = Double(weights) * bytesPerWeight
        let atBest: [(BenchmarkStage.Bound, Double)] = [
            (.arithmetic, workers * operations / ceiling.operations),
            (.memory, workers * bytes / ceiling.bytes),
        ]
        let bound = atBest.max { $0.1 < $1.1 }
        return BenchmarkStage(
            name: name, unit: unit, seconds: time.seconds / (units * workers),
            processorSeconds: (processorSeconds ?? time.processorSeconds) / units,
            operations: operations / units, bytes: bytes / units,
            share: bound.flatMap { bound, seconds in
                seconds > 0 ? (seconds / time.seconds, bound) : nil
            })
    }
}
