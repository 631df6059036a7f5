//! A run that asks each file questions of its own: what a measurement over labels needs, by the way that every record goes.
import Synchronization
import WadeFlamingo
import WadeTensor
import WadeTokenizer
import WadeVideo

/// A question to one file: task number `task` of a pipeline.
package struct FileQuestion: Sendable, Hashable {
    /// The file, from `/`.
    package let path: PathBytes
    /// The task's place in the pipeline.
    package let task: Int

    /// A question.
    package init(path: PathBytes, task: Int) {
        self.path = path
        self.task = task
    }
}

/// A model that is loaded when the first question needs it, and answers under any number of pipelines that differ in their tasks and
/// demonstrations alone.
package struct QuestionRun {
    /// Prompts whose states are kept: the one of most questions, its other orders, and a few of single questions.
    private static let keptPrompts = 8

    private struct Loaded {
        let annotator: FlamingoAnnotator
        let tokenizer: Tokenizer
        let prompts: SharedPrompts
        /// What is kept of prompts whose demonstrations are chosen for each clip.
        let prefixes: SharedPrefixes
    }

    private let base: Pipeline
    private let settings: RunSettings
    private let location: ModelLocation
    /// The model.
    package let identity: ModelIdentity
    private let bundle: ModelBundle
    private let decoders: DecoderPool
    private let cache: CacheFolder?
    private var loaded: Loaded?
    /// The clips of the demonstrations that were prepared.
    private var clips: [PathBytes: DemonstrationClip] = [:]
    /// Why the others cannot be had that were to be.
    private var failures: [PathBytes: ClipFailure] = [:]
    /// The content of every demonstration's clip that was prepared, as records have it.
    package var contents: [PathBytes: String] { clips.mapValues(\.contentID) }

    /// A run by the model of `pipeline` with its sampling and decoding; its demonstrations and what it wants to know of confidence
    /// are left out. Throws when there is no such model.
    package init(_ pipeline: Pipeline, settings: RunSettings) throws {
        var base = pipeline
        base.demonstrations = []
        base.retrieval = nil
        base.confidence = Confidence()
        self.base = base
        self.settings = settings
        location = try ModelLocation(pipeline.model)
        identity = try location.identity()
        bundle = try ModelBundle(path: location.folder)
        guard bundle.configuration.family != .idefics else {
            throw PipelineError.request(
                found: "a model of the idefics family",
                expected: "another to be measured over labels; wade ask and wade annotate take it")
        }
        decoders = DecoderPool(capacity: settings.workers, limits: settings.videoLimits)
        cache = try settings.cache.flatMap { try CacheFolder.open($0) }
    }

    /// What went wrong with the cache without costing an answer.
    package var complaints: [String] { cache?.complaints ?? [] }

    private mutating func load() throws -> Loaded {
        if let loaded { return loaded }
        try location.requireRecordedWeights(cache: cache)
        let kept = try cache.map {
            try VisualTokenCache(
                $0, bundle.configuration, weightsSHA256: identity.weightsSHA256, pipeline: base)
        }
        let tokenizer = try bundle.tokenizer()
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: base, decoders: decoders, cache: kept)
        let loaded = Loaded(
            annotator: annotator, tokenizer: tokenizer,
            prompts: SharedPrompts(annotator.model, tokenizer, limit: Self.keptPrompts),
            prefixes: SharedPrefixes(annotator.model, tokenizer))
        self.loaded = loaded
        return loaded
    }

    /// How many tokens each of `choices` has, as the likelihoods of a record count them.
    package func tokenCounts(_ choices: [String]) throws -> [Int] {
        let tokenizer = try loaded?.tokenizer ?? bundle.tokenizer()
        return choices.map { tokenizer.encode($0, applyingTemplate: false).count }
    }

    /// Encodes and embeds the clips at `paths` that were not tried before, several at once, so that pipelines may have them as
    /// demonstrations. Gives why some cannot be had; nil when `stop` came first.
    package mutating func prepare(demonstrations paths: [PathBytes], stop: StopRequest) throws
        -> [PathBytes: ClipFailure]?
    {
        let loaded = try load()
        let encode = loaded.annotator.annotator.encode
        let pool = WorkerPool<PathBytes, (PathBytes, Result<DemonstrationClip, ClipFailure>)>(
            workers: settings.workers, inFlight: 2 * settings.workers
        ) { [settings] path in
            (
                path,
                Result { () throws(ClipFailure) in
                    let identity = try ContentIdentity.read(
                        path, known: { _ in nil }, seconds: settings.fileTimeout)
                    let source = ClipSource(path: path, relativePath: path, identity: identity)
                    let clip = try encode(source, nil).get()
                    return DemonstrationClip(
                        tokens: clip.tokens, framesDigest: clip.frames.digest,
                        embedding: clip.embedding, contentID: identity.text)
                }
            )
        }
        var met: Set<PathBytes> = []
        var rest = paths.filter {
            clips[$0] == nil && failures[$0] == nil && met.insert($0).inserted
        }.makeIterator()
        while let (path, result) = pool.next(from: { stop.reason == nil ? rest.next() : nil }) {
            switch result {
            case .success(let clip):
                loaded.prompts.add(clip.tokens, of: path)
                clips[path] = clip
            case .failure(let failure):
                if failure.isFaultOfSystem { throw PipelineError.system(failure.message) }
                failures[path] = failure
            }
        }
        let isWhole = paths.allSatisfy { clips[$0] != nil || failures[$0] != nil }
        return isWhole ? failures.filter { paths.contains($0.key) } : nil
    }

    /// Asks `questions` about their files, as far as `output` does not hold the answers yet, appends the records to it, in a folder that is made when missing, and gives the
    /// records of all questions. `pipeline` has the tasks, and demonstrations that were prepared. Ends early, with the records so far,
    /// when `stop` is asked for.
    package mutating func records(
        of pipeline: Pipeline, questions: [FileQuestion], output: PathBytes, stop: StopRequest,
        progress: (RunProgress) -> Void
    ) throws -> (records: [FileQuestion: AnnotationRecord], summary: RunSummary) {
        try WholeFile.makeFolder(output.folder)
        let lock = try RunLock(output: output)
        try RunSummary.requirePlace(besides: output)
        let startedAt = Timestamp.now()
        var ledger = try Ledger(readingFrom: output)
        var asked: [PathBytes: [Int]] = [:]
        var paths: [PathBytes] = []
        for question in questions {
            if asked[question.path] == nil { paths.append(question.path) }
            asked[question.path, default: []].append(question.task)
        }
        var plan = try RunPlan(
            pipeline: pipeline, model: identity,
            findings: try ClipFinder.find(paths, output: output), settings: settings,
            contents: contents)
        plan.asked = asked
        try ledger.cutTornLine(of: output)
        let run = AnnotationRun<Tensor>(
            plan: plan, ledger: ledger,
            cut: clipCutter(pipeline.segmentation, decoders: decoders, cache: cache), stop: stop)
        let summary = try run.run(
            writer: try JSONLinesWriter(path: output), isReadable: true,
            annotator: { try self.annotator(for: pipeline) }, progress: progress)
        try summary.append(besides: output, plan: plan, startedAt: startedAt)
        let records = try Self.records(in: output, of: plan)
        _ = consume lock
        return (records, summary)
    }

    /// The model as the run of `pipeline` takes it.
    private mutating func annotator(for pipeline: Pipeline) throws -> Annotator<Tensor> {
        let loaded = try load()
        let model = loaded.annotator.model
        let stages = try AnswerStages(model, loaded.tokenizer, pipeline)
        let engine = loaded.annotator.arithmetic.engine
        let prompts = QuestionPrompts(
            pipeline: pipeline, shared: loaded.prompts, prefixes: loaded.prefixes, clips: clips)
        let batch = settings.batch
        return Annotator(
            batch: batch, encode: loaded.annotator.annotator.encode,
            answer: { questions in
                engine.useThreads(1)
                return answers(questions, prompts, stages, model, batch: batch)
            })
    }

    /// The current records of `plan`'s recipes in `output`.
    private static func records(in output: PathBytes, of plan: RunPlan) throws -> [FileQuestion:
        AnnotationRecord]
    {
        var tasks: [String: Int] = [:]
        for (place, task) in plan.pipeline.tasks.enumerated() { tasks[task.id] = place }
        let paths = Dictionary(
            plan.findings.files.map { ($0.relativePath, $0.path) },
            uniquingKeysWith: { one, _ in one })
        var records: [FileQuestion: AnnotationRecord] = [:]
        try RecordFile(output).forEachRecord { record in
            guard let path = paths[record.video.pathBytes] else { return }
            guard let task = tasks[record.task.id], plan.recipes[task].id == record.recipeID else {
                return
            }
            records[FileQuestion(path: path, task: task)] = record
        }
        return records
    }
}

/// The prompt of each question: one that many share, or one of the demonstrations nearest to its clip.
private struct QuestionPrompts: Sendable {
    let pipeline: Pipeline
    let shared: SharedPrompts
    let prefixes: SharedPrefixes
    let clips: [PathBytes: DemonstrationClip]

    /// What stands before a question.
    struct Chosen {
        let prompt: ReadPrompt
        /// The demonstrations, where they were chosen for the question's clip, and whether there were too few.
        var retrieved: [RetrievedDemonstration]?
        var isShort = false
    }

    /// What stands before `question`.
    func read(_ question: ClipQuestion<Tensor>) throws -> Chosen {
        guard let retrieval = pipeline.retrieval else {
            return Chosen(prompt: try shared.read(Prompt(pipeline, task: question.task)))
        }
        let demonstrations = pipeline.demonstrations(for: question.task)
        let pool = DemonstrationPool(
            demonstrations: demonstrations,
            clips: try demonstrations.map { demonstration in
                guard let path = demonstration.clip, let clip = clips[path] else {
                    throw PipelineError.file(
                        path: demonstration.clip?.shown ?? demonstration.id.shownShort,
                        action: "use the demonstration", reason: "its clip was not encoded")
                }
                return clip
            }, retrieval: retrieval)
        let prompts = RetrievedPrompts(
            question.task, pool, confidence: Confidence(), prefixes: prefixes)
        let (chosen, nearest) = try prompts.prompts(
            to: question.embedding, contentID: question.contentID)
        return Chosen(
            prompt: chosen.prompt, retrieved: nearest, isShort: prompts.isShort(nearest.count))
    }
}

/// The answers to some questions of a run, `batch` of which are read and generated at once; one that fails costs only itself.
private func answers(
    _ questions: [ClipQuestion<Tensor>], _ prompts: QuestionPrompts, _ stages: AnswerStages,
    _ model: Flamingo, batch: Int
) -> [Result<ClipAnswer, ClipFailure>] {
    let clock = ContinuousClock()
    let start = clock.now
    let shelf = MediaShelf(model)
    var asks: [AnswerStage.Ask] = []
    var places: [Result<(QuestionPrompts.Chosen, place: Int), any Error>] = []
    for question in questions {
        places.append(
            Result {
                let chosen = try prompts.read(question)
                asks.append(stages.ask(question, behind: chosen.prompt, shelf))
                return (chosen, asks.count - 1)
            })
    }
    let read = clock.now
    let answered = stages.answers(asks, batch: batch)
    // What all took together is shared out among them.
    let prefill = (read - start).wholeMilliseconds / max(questions.count, 1)
    let generate = (clock.now - read).wholeMilliseconds / max(questions.count, 1)
    return places.map { place in
        do {
            let (chosen, place) = try place.get()
            var answer = try answered[place].get().answer
            answer.retrieved = chosen.retrieved
            if chosen.isShort { answer.flags.append(.demosMissing) }
            answer.prefillMilliseconds = prefill
            answer.generateMilliseconds = generate
            return .success(answer)
        } catch let failure as ClipFailure {
            return .failure(failure)
        } catch {
            return .failure(
                ClipFailure(code: .generationFailed, stage: .generate, message: "\(error)"))
        }
    }
}

extension Duration {
    /// Whole milliseconds.
    fileprivate var wholeMilliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}

/// One language stage for all tasks of a pipeline that differ in their words alone: thousands of questions may share one form.
private struct AnswerStages: Sendable {
    private let stage: AnswerStage
    private let ids: [[String]: String]

    init(_ model: Flamingo, _ tokenizer: Tokenizer, _ pipeline: Pipeline) throws {
        var ids: [[String]: String] = [:]
        var kinds = pipeline
        kinds.tasks = []
        for task in pipeline.tasks where ids[task.choices] == nil {
            ids[task.choices] = task.id
            kinds.tasks.append(task)
        }
        self.ids = ids
        stage = try AnswerStage(model, tokenizer, kinds)
    }

    /// `question` behind `prompt`; `shelf` has what is kept of its clip.
    func ask(_ question: ClipQuestion<Tensor>, behind prompt: ReadPrompt, _ shelf: MediaShelf)
        -> AnswerStage.Ask
    {
        var kind = question.task
        kind.id = ids[kind.choices] ?? kind.id
        return AnswerStage.Ask(
            task: kind, prompt: prompt, media: { shelf.media(question.tokens) },
            framesDigest: question.framesDigest)
    }

    /// One result for every one of `asks`.
    func answers(_ asks: [AnswerStage.Ask], batch: Int) -> [Result<
        AnswerStage.Answered, any Error
    >] {
        stage.answers(asks, batch: batch)
    }
}
