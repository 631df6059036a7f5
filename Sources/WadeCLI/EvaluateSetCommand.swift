//! `wade evaluate set`: a pipeline measured over a labelled set.
import ArgumentParser
import Foundation
import Logging
import WadeEvaluation
import WadeImage
import WadePipeline

extension LabelLayout: ExpressibleByArgument {}

/// How `--demonstrations` may be chosen.
private enum ChosenDemonstrations: String, ExpressibleByArgument, CaseIterable {
    case fixed, rices

    var policy: DemonstrationPolicy { self == .fixed ? .fixed : .rices }
}

struct EvaluateSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Scores of a pipeline over a labelled set, at several numbers of demonstrations.",
        discussion: """
            Asks one task of the pipeline about every item of LABELS, after 0 and more demonstrations, and scores the answers: captions \
            by CIDEr-D and BLEU-4 as the COCO evaluation computes them, answers by the accuracy of the VQA challenge (where \
            there are at least four for each question) and by exact match (whatever the case), labels by top-1 and ROC-AUC from the \
            likelihood of the choices. Prints a table; writes OUTPUT.json, OUTPUT.png (score over shots), and OUTPUT.records, one \
            file of records for each number of shots and seed. Run it again after a stop, and only what is missing is asked.

              wade evaluate set labels.jsonl --layout jsonl --videos Videos --pipeline Pipelines/describe.yaml \\
                --shots 0 4 8 --seeds 0 1 2 --output Outputs/evaluation

            Layouts: jsonl is one object a line: {"video": "a.mp4", "captions": ["…"]}, {"video": "a.mp4", "question": "…", "answers": \
            ["…"]} or {"video": "a.mp4", "label": "keep", "choices": ["keep", "drop"]}; "id" if wanted, question and choices are \
            the task's where they are not given. coco, vqa, msrvtt, msrvtt-qa and vatex are the files of these data sets; \
            videos are found below --videos by file name or by id.

            Demonstrations come from --pool, or from LABELS itself; a query's own video is never among them. They replace those of the \
            pipeline. fixed ones are drawn by seed, the same for every query. rices takes for each query those that look most like it \
            (the pipeline's `near_duplicates` says what counts as a copy and is left out), once for each number of shots. With both, \
            which is the default for a pipeline with `retrieve`, the table, the JSON and the plot also have the difference, with an \
            interval over the same items. Items that get no answer count as wrong and are counted.

            Exit codes: 0 done; 1 could not run; 3 some items have no answer; 64 wrong usage; 75 another run holds the records; 128+n \
            ended by signal n.
            """)

    @Argument(help: "The label file.")
    var labels: PathBytes

    @Option(help: "How LABELS is laid out.")
    var layout: LabelLayout

    @Option(help: "The folder of the videos; that of LABELS if not given.")
    var videos: PathBytes?

    @Option(help: "The file with the questions, for vqa annotations that do not have them.")
    var questions: PathBytes?

    @Option(help: "The split that is meant, for msrvtt: train, validate or test.")
    var split: String?

    @OptionGroup var pipeline: PipelineOptions

    @Option(
        help: "The task that is asked; the pipeline's only one that fits the labels if not given.")
    var task: String?

    @Option(
        name: .shortAndLong, help: "Where results go: OUTPUT.json, OUTPUT.png and OUTPUT.records.")
    var output: PathBytes

    @Option(parsing: .upToNextOption, help: "Numbers of demonstrations.")
    var shots = [0, 4, 8]

    @Option(parsing: .upToNextOption, help: "Seeds; each draws other fixed demonstrations.")
    var seeds = [0, 1, 2]

    @Option(
        parsing: .upToNextOption,
        help:
            "How demonstrations are chosen: fixed, rices or both; fixed if not given, both for a pipeline with `retrieve`."
    )
    private var demonstrations: [ChosenDemonstrations] = []

    @Option(help: "Draw demonstrations from this label file instead, of the same layout.")
    var pool: PathBytes?

    @Option(help: "The folder of the pool's videos; --videos if not given.")
    var poolVideos: PathBytes?

    @Option(help: "The file with the questions of the pool, for vqa.")
    var poolQuestions: PathBytes?

    @Option(help: "The split that demonstrations are drawn from, for msrvtt.")
    var poolSplit: String?

    @Option(
        help: "Orders of the demonstrations over which the likelihoods of the choices are averaged."
    )
    var orders = 1

    @Flag(
        inversion: .prefixedNo,
        help: "Take the mean over a choice's tokens as its likelihood, not the sum.")
    var lengthNormalized = true

    @Option(help: "Use only so many items, the first ones.")
    var items: Int?

    @Flag(help: "Leave out items whose video is not there, and count them.")
    var skipMissing = false

    @Option(help: "Threads that decode and encode; as many as cores if not given.")
    var workers: Int?

    @OptionGroup var cache: CacheOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        try cache.validate()
        if shots.isEmpty || !shots.allSatisfy({ (0...256).contains($0) })
            || Set(shots).count < shots.count
        {
            throw ValidationError(
                "--shots: found \(shots), expected numbers from 0 to 256, each once")
        }
        if seeds.isEmpty || Set(seeds).count < seeds.count {
            throw ValidationError("--seeds: found \(seeds), expected numbers, each once")
        }
        if Set(demonstrations).count < demonstrations.count {
            throw ValidationError(
                "--demonstrations: found \(demonstrations.map(\.rawValue)), expected each once")
        }
        for (name, value) in [("orders", orders), ("items", items ?? 1), ("workers", workers ?? 1)]
        where !(1...1_000_000).contains(value) {
            throw ValidationError("--\(name): found \(value), expected 1 to 1000000")
        }
        if orders > 24 { throw ValidationError("--orders: found \(orders), expected 1 to 24") }
        if pool == nil, poolVideos != nil || poolQuestions != nil {
            throw ValidationError("--pool-videos and --pool-questions belong to --pool")
        }
        if questions != nil, layout != .vqa {
            throw ValidationError("--questions belongs to --layout vqa")
        }
        if split != nil || poolSplit != nil, layout != .msrvtt {
            throw ValidationError("--split and --pool-split belong to --layout msrvtt")
        }
    }

    func run() throws {
        let logger = logging.logger()
        let stop = Interruption.watch(limit: nil)
        do {
            let read = try pipeline.read()
            var set = try LabelledSet(labels, layout: layout, questions: questions, split: split)
            if let items { set = set.prefix(items) }
            let task = try SetEvaluation.task(self.task, of: read, for: set.kind)
            let folder = videos ?? labels.folder
            let located = try LocatedSet(
                set, labels: labels, folder: folder, skipsMissing: skipMissing)
            let pool = try readPool(folder, kind: set.kind)
            var settings = EvaluationSettings()
            settings.shots = shots
            settings.seeds = seeds
            settings.policies = policies(read)
            if let retrieval = read.retrieval { settings.nearDuplicate = retrieval.nearDuplicate }
            settings.orders = orders
            settings.isLengthNormalized = lengthNormalized
            let evaluation = try SetEvaluation(
                located.items, pool: pool?.items, pipeline: read, task: task, settings: settings)
            var running = RunSettings(workers: workers ?? RunSettings.coreCount)
            running.cache = cache.settings
            var model = try QuestionRun(one(read, task), settings: running)
            let progress = ProgressLine(isShown: logging.showsProgress)
            let result = try evaluation.run(by: &model, output: output, stop: stop) {
                condition, state in
                if let state { return progress.show(state) }
                progress.clear()
                logger.info("\(condition.name)")
            }
            progress.clear()
            for complaint in model.complaints { logger.warning("\(complaint)") }
            guard let result else {
                logger.warning("stopped; the same command goes on with what is missing")
                throw ExitCode(stop.reason?.exitCode ?? 1)
            }
            var subject = EvaluationSubject(
                labels: labels.shown, layout: layout, pool: poolWords(pool?.items.count),
                pipeline: read.name, task: task.id, model: model.identity.name,
                weightsSHA256: model.identity.weightsSHA256, items: located.items.count,
                settings: settings)
            subject.unlabelled = set.unlabelled
            subject.missing = located.missing.count
            subject.otherSplits = set.otherSplits
            subject.notes = notes(read, set, result)
            if settings.policies.contains(.rices) {
                subject.notes.append(
                    "rices: the nearest by the vision encoder's mean features, the most similar last; "
                        + (settings.nearDuplicate.map { "copies from \($0) on left out" }
                            ?? "copies of the same content alone left out"))
            }
            try write(EvaluationReport(subject, result))
            if result.unanswered > 0 { throw ExitCode(3) }
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }

    /// How demonstrations are chosen, fixed ones first.
    private func policies(_ pipeline: Pipeline) -> [DemonstrationPolicy] {
        guard demonstrations.isEmpty else {
            return ChosenDemonstrations.allCases.filter { demonstrations.contains($0) }.map(
                \.policy)
        }
        return pipeline.retrieval == nil ? [.fixed] : [.fixed, .rices]
    }

    /// The pipeline with the task that is asked alone.
    private func one(_ pipeline: Pipeline, _ task: AnnotationTask) -> Pipeline {
        var pipeline = pipeline
        pipeline.tasks = [task]
        return pipeline
    }

    private func readPool(_ folder: PathBytes, kind: Truth.Kind) throws(PipelineError)
        -> LocatedSet?
    {
        guard pool != nil || poolSplit != nil else { return nil }
        let file = pool ?? labels
        let set = try LabelledSet(
            file, layout: layout, questions: pool == nil ? questions : poolQuestions,
            split: poolSplit)
        guard set.kind == kind else {
            throw .request(
                found: "a pool of \(set.kind.rawValue), \(file.shown)",
                expected: "\(kind.rawValue), as \(labels.shown) has them")
        }
        return try LocatedSet(
            set, labels: file, folder: poolVideos ?? (pool == nil ? folder : videos ?? file.folder),
            skipsMissing: skipMissing)
    }

    private func poolWords(_ count: Int?) -> String {
        guard let count else { return "the set itself, without the query's own video" }
        let split = poolSplit.map { ", split \($0)" } ?? ""
        return "\((pool ?? labels).shown)\(split) (\(count) items), without the query's own video"
    }

    private func notes(_ pipeline: Pipeline, _ set: LabelledSet, _ result: EvaluationResult)
        -> [String]
    {
        var notes: [String] = []
        if let items { notes.append("only the first \(items) items of the labels were used") }
        if pipeline.confidence != Confidence() {
            notes.append("the pipeline's `confidence` was left out: nothing was withheld")
        }
        if set.kind == .answers, !result.figures.contains(where: { $0.metric == .vqaAccuracy }) {
            notes.append(
                "no VQA accuracy: some questions have fewer than \(SetScores.fewestAnswers) answers, so that it cannot reach 1"
            )
        }
        if set.kind == .labels, !result.figures.contains(where: { $0.metric == .rocAUC }) {
            notes.append(
                "no ROC-AUC: it needs the same choices for all items, and items of at least two of them"
            )
        }
        return notes
    }

    private func write(_ report: EvaluationReport) throws {
        let picture = try PNG.encode(report.plot.picture())
        try WholeFile.replace(named(".png"), with: picture)
        try WholeFile.replace(named(".json"), with: report.json())
        try StandardOutput.write(Array(report.table.utf8))
    }

    private func named(_ ending: String) -> PathBytes {
        PathBytes(bytes: output.bytes + Array(ending.utf8))
    }
}
