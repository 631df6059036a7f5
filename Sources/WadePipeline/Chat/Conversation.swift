//! A dialogue with a model about clips: what was said stays in its keys and values, so that a turn reads its own tokens only.
import WadeFlamingo
import WadeTensor
import WadeTokenizer
package import WadeVideo

/// A dialogue.
///
/// Every turn is an example in the form of the prompts of pipelines, `<image>Question:… Short answer:…<|endofchunk|>`, that the next
/// turns see as demonstrations: the form that the model was trained on. The `<image>` of a turn is the clip that it is about. Otter, whose
/// dialogues show a clip once, gets it again only when the clip changes. When no more turns fit, the oldest are forgotten.
package struct Conversation: Sendable {
    /// What it has forgotten.
    package struct Forgotten: Sendable, Equatable {
        /// Turns.
        package let turns: Int
        /// Tokens of the dialogue that are kept.
        package let kept: Int
    }

    private let pipeline: Pipeline
    private let task: AnnotationTask
    private let annotator: FlamingoAnnotator
    private let tokenizer: Tokenizer
    private let generator: Generator
    private let stream: AnswerStream
    /// The form that answers are kept in, where the task wants one.
    private let grammar: TokenGrammar?
    /// Most tokens that the model has before it, those of the answer included.
    package let limit: Int
    /// The model.
    package let model: ModelIdentity

    /// The clips, in the order in which they came.
    package private(set) var clips: [ChatClip] = []
    /// The number of the clip that questions are about; nil before the first one.
    package private(set) var current: Int?
    /// What was said, the forgotten turns included.
    package private(set) var turns: [ChatTurn] = []
    /// The ids of every answer as the model has it before it.
    private var said: [[Int]] = []
    /// The first turn that the model still knows.
    package private(set) var firstKept = 0

    /// The state after the demonstrations, and the words that follow them.
    private let base: TextSequence
    private let words: ChatWords

    /// The state after what has been read.
    private var sequence: TextSequence
    /// The ids that the state holds.
    private var held: [Int]
    /// Ids that follow and were not read yet: the end of the last answer.
    private var unread: [Int] = []
    /// The words between the last answer and the next question; nil where the dialogue begins.
    private var tail: String?

    /// A dialogue by the model of `pipeline`, in the words of its only task and behind its demonstrations. Visual tokens are kept as
    /// `cache` says. Throws when the model or a demonstration cannot be had, or when demonstrations and one answer do not fit `limit`.
    package init(
        _ pipeline: Pipeline, limit: Int, cache: CacheFolder?, decoders: DecoderPool
    ) throws {
        let location = try ModelLocation(pipeline.model)
        let identity = try location.identity()
        try location.requireRecordedWeights(cache: cache)
        let bundle = try ModelBundle(path: location.folder)
        try self.init(
            bundle, identity, pipeline, limit: limit,
            cache: cache.map {
                try VisualTokenCache(
                    $0, bundle.configuration, weightsSHA256: identity.weightsSHA256,
                    pipeline: pipeline)
            }, decoders: decoders)
    }

    init(
        _ bundle: ModelBundle, _ identity: ModelIdentity, _ pipeline: Pipeline, limit: Int,
        cache: VisualTokenCache?, decoders: DecoderPool
    ) throws {
        guard bundle.configuration.family != .idefics else {
            throw PipelineError.request(
                found: "a model of the idefics family",
                expected: "another for a dialogue; wade ask and wade annotate take it")
        }
        guard pipeline.tasks.count == 1 else {
            throw PipelineError.request(
                found: "\(pipeline.tasks.count) tasks", expected: "one, in whose words to ask")
        }
        self.pipeline = pipeline
        self.limit = limit
        model = identity
        task = pipeline.tasks[0]
        tokenizer = try bundle.tokenizer()
        stream = AnswerStream(task, stops: pipeline.decoding.stop)
        var plain = pipeline
        plain.demonstrations = []
        plain.confidence = Confidence()
        annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: plain, decoders: decoders, cache: cache)
        generator = Generator(annotator.model)
        grammar = try AnswerGrammars.make(
            [task], tokenizer, vocabularySize: annotator.model.language.vocabularySize
        )[task.id]
        let prompt = Prompt(pipeline, task: task)
        let prompts = SharedPrompts(annotator.model, tokenizer, limit: 1)
        for clip in prompt.clips where !prompts.knows(clip) {
            do throws(ClipFailure) {
                prompts.add(try Self.encode(clip, annotator).clip.tokens, of: clip)
            } catch {
                throw PipelineError.file(
                    path: clip.shown, action: "encode the demonstration",
                    reason: "\(error.code.rawValue): \(error.message)")
            }
        }
        let read = try prompts.read(prompt)
        base = read.sequence
        words = ChatWords(
            task.template, tokenizer, annotator.model.configuration, behind: prompt.prefix,
            read.earlier)
        sequence = base
        held = read.earlier
        guard held.count + task.maxNewTokens < limit else {
            throw PipelineError.request(
                found: "a context of \(limit) tokens",
                expected:
                    "more than \(held.count + task.maxNewTokens), for the demonstrations and an answer"
            )
        }
    }

    /// Tokens that the model has before it.
    package var contextLength: Int { held.count + unread.count }

    // MARK: - Clips

    private static func encode(_ path: PathBytes, _ annotator: FlamingoAnnotator)
        throws(ClipFailure) -> (clip: EncodedClip<Tensor>, contentID: String)
    {
        let identity = try ContentIdentity.read(path, known: { _ in nil })
        let source = ClipSource(path: path, relativePath: path, identity: identity)
        return (try annotator.annotator.encode(source, nil).get(), identity.text)
    }

    /// Looks at the file at `path`; questions are about it from now on.
    package mutating func add(_ path: PathBytes) throws(ClipFailure) {
        let (clip, contentID) = try Self.encode(path, annotator)
        add(
            ChatClip(
                path: path, contentID: contentID, duration: clip.video.duration,
                times: clip.frames.times, media: annotator.model.media([clip.tokens])))
    }

    /// Takes a clip that was looked at; questions are about it from now on.
    mutating func add(_ clip: ChatClip) {
        clips.append(clip)
        current = clips.count - 1
    }

    /// Lets questions be about clip number `index`, from 0; whether there is one.
    package mutating func use(_ index: Int) -> Bool {
        guard clips.indices.contains(index) else { return false }
        current = index
        return true
    }

    /// Forgets what was said; clips stay.
    package mutating func clear() {
        turns = []
        said = []
        firstKept = 0
        rewind()
    }

    private mutating func rewind() {
        sequence = base
        held = words.baseIDs
        unread = []
        tail = nil
    }

    // MARK: - Turns

    /// Asks `question` about the current clip. `write` gets the answer piece by piece; it ends early when `isInterrupted`. Says what had
    /// to be forgotten before. Throws `request` when there is no clip, or when the question alone does not fit the context.
    package mutating func ask(
        _ question: String, isInterrupted: () -> Bool = { false },
        forgetting: (Forgotten) -> Void = { _ in }, write: (String) throws -> Void
    ) throws -> ChatTurn {
        guard let current else {
            throw PipelineError.request(found: "no clip", expected: "one to ask about")
        }
        guard !question.contains(PromptTemplate.imageToken) else {
            throw PipelineError.request(
                found: "\(PromptTemplate.imageToken) in the question", expected: "words")
        }
        let time = Timestamp.now()
        var (prompt, medias) = try next(question, clip: current)
        if held.count + prompt.count + task.maxNewTokens > limit {
            let before = firstKept
            (prompt, medias) = try forget(for: question, clip: current)
            forgetting(
                Forgotten(
                    turns: firstKept - before,
                    kept: words.baseIDs.count + prompt.count))
        }
        for media in medias { sequence.append(media) }
        let start = held.count + prompt.count
        var failure: (any Error)?
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: true)
        var (raw, written) = ("", "")
        var isStopped = false
        // A dialogue has the machine for itself.
        annotator.arithmetic.engine.useThreads(RunSettings.coreCount)
        let (stream, tokenizer, grammar) = (stream, tokenizer, grammar)
        let (options, earlier) = (options, held)
        let generated: Generated
        do {
            generated = try generator.answer(
                prompt, in: &sequence, earlier: earlier, options: options, grammar: grammar
            ) { ids in
                guard let id = ids.last, !isInterrupted() else {
                    isStopped = true
                    return false
                }
                do {
                    if tokenizer.token(of: id) != nil { raw += try decoder.append(id) }
                    try Self.write(stream.settled(raw), after: &written, write)
                } catch {
                    failure = error
                    return false
                }
                return !stream.isEnded(raw)
            }
        } catch {
            // Whatever was read of it: what is known is read again with the next question.
            rewind()
            throw error
        }
        if let failure {
            rewind()
            throw failure
        }
        let kept = generated.ids.filter { tokenizer.token(of: $0) != nil }
        raw = try tokenizer.decode(kept, skipSpecialTokens: true)
        let answer = stream.answer(in: raw)
        try Self.write(answer, after: &written, write)
        settle(generated, isWhole: answer == stream.trimmed(raw), answer, prompt, start)
        let turn = ChatTurn(
            clip: current, question: question, answer: answer,
            finish: isStopped ? .interrupted : Self.finish(generated),
            tokens: generated.ids.count, meanLogProbability: generated.meanLogProbability,
            read: prompt.count, time: time)
        turns.append(turn)
        return turn
    }

    /// Writes what `text` has beyond what was written.
    private static func write(
        _ text: String, after written: inout String, _ write: (String) throws -> Void
    ) throws {
        let count = written.unicodeScalars.count
        var rest = String.UnicodeScalarView()
        rest.append(contentsOf: text.unicodeScalars.dropFirst(count))
        guard !rest.isEmpty else { return }
        try write(String(rest))
        written = text
    }

    private static func finish(_ generated: Generated) -> ChatTurn.Finish {
        switch generated.finish {
        case .endToken: .eos
        case .stopped: .stop
        case .length: .length
        case .repetition: .guard
        }
    }

    private var options: DecodingOptions {
        let tokens = annotator.model.configuration.tokens
        let strategy: DecodingStrategy =
            switch pipeline.decoding.strategy {
            case .greedy: .greedy
            case .beam(let width):
                .beam(count: width, lengthPenalty: pipeline.decoding.lengthPenalty)
            case .sample(let temperature, let topP, let seed):
                .sampling(
                    temperature: temperature, topK: 0, topP: topP,
                    seed: seed &+ UInt64(turns.count))
            }
        return DecodingOptions(
            strategy: strategy, maximumTokens: task.maxNewTokens,
            endTokens: [tokens.endOfChunk, tokens.endOfText],
            forbidden: [tokens.image, tokens.padding].compactMap { $0.map { [$0] } },
            repetition: pipeline.decoding.guard?.repetition)
    }

    /// The ids that come next, and the media of their `<image>` tokens.
    private func next(_ question: String, clip: Int) throws -> ([Int], [Media]) {
        guard let tail else {
            return try following(base: firstKept, question, clip: clip)
        }
        let shows = words.showsClip(clip, after: turns.last?.clip)
        let ids = words.ids(of: question, shows, behind: tail)
        return (unread + ids, media(of: clip, shows))
    }

    /// The ids that follow the demonstrations: the turns from number `first` on, and the question.
    private func following(base first: Int, _ question: String, clip: Int) throws -> (
        [Int], [Media]
    ) {
        var ids: [Int] = []
        var medias: [Media] = []
        var last: Int?
        func append(_ question: String, clip: Int) {
            let shows = words.showsClip(clip, after: last)
            ids += words.ids(of: question, shows, behind: last == nil ? nil : words.tail)
            medias += media(of: clip, shows)
            last = clip
        }
        for number in first..<turns.count {
            append(turns[number].question, clip: turns[number].clip)
            ids += said[number]
        }
        append(question, clip: clip)
        return (ids, medias)
    }

    private func media(of clip: Int, _ shows: Bool) -> [Media] {
        shows && words.haveImage ? [clips[clip].media] : []
    }

    /// Forgets the oldest turns until the question, with an answer, takes three quarters of the context at most: so most questions that
    /// come need no forgetting, which costs reading all that is kept once more.
    private mutating func forget(for question: String, clip: Int) throws -> ([Int], [Media]) {
        var first = firstKept
        while true {
            let (ids, medias) = try following(base: first, question, clip: clip)
            let needed = words.baseIDs.count + ids.count + task.maxNewTokens
            if needed <= (first == turns.count ? limit : limit / 4 * 3) {
                firstKept = first
                rewind()
                return (ids, medias)
            }
            guard first < turns.count else {
                throw PipelineError.request(
                    found:
                        "a question that takes \(needed) tokens with the demonstrations and its answer",
                    expected: "at most \(limit), the context")
            }
            first += 1
        }
    }

    /// Takes a turn into the state: the answer as it was shown and what stands behind it.
    private mutating func settle(
        _ generated: Generated, isWhole: Bool, _ answer: String, _ prompt: [Int], _ start: Int
    ) {
        let tokens = annotator.model.configuration.tokens
        held += prompt
        tail = words.tail
        guard isWhole else {
            sequence.truncate(to: start)
            unread = tokenizer.encode(answer, applyingTemplate: false)
            said.append(unread)
            return
        }
        var ids = generated.ids
        if let last = ids.last, [tokens.endOfChunk, tokens.endOfText].contains(last) {
            ids.removeLast()
        }
        let read = min(sequence.length - start, ids.count)
        sequence.truncate(to: start + read)
        held += ids[..<read]
        unread = Array(ids[read...])
        said.append(ids)
    }
}
