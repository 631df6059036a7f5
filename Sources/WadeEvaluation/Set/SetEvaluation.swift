//! A pipeline measured over a labelled set at several numbers of shots and seeds.
internal import Foundation
package import WadePipeline
import WadeVideo

/// How a set is evaluated.
package struct EvaluationSettings: Sendable {
    /// Numbers of demonstrations.
    package var shots = [0, 4, 8]
    /// What draws them.
    package var seeds = [0, 1, 2]
    /// How demonstrations are chosen.
    package var policies: [DemonstrationPolicy] = [.fixed]
    /// What is at least so similar to a query is a copy of it and not retrieved for it; nil leaves out only the same content.
    package var nearDuplicate: Double? = DemonstrationRetrieval.standardNearDuplicate
    /// Orders of the demonstrations whose likelihoods are averaged, for labels.
    package var orders = 1
    /// Whether a choice's likelihood is the mean over its tokens; else the sum.
    package var isLengthNormalized = true
    /// How intervals are made.
    package var bootstrap = Bootstrap()

    /// The defaults.
    package init() {}
}

/// A set, where its demonstrations come from, and a pipeline with the one task that is asked.
package struct SetEvaluation {
    /// Told of every condition that begins, and then how far it has come.
    package typealias Listener = (Condition, RunProgress?) -> Void

    private let items: [LocatedItem]
    private let pool: [LocatedItem]
    private let pipeline: Pipeline
    private let task: AnnotationTask
    private let settings: EvaluationSettings

    /// The task of `pipeline` called `id`, or its only one for truths of `kind`. Throws `request` when there is none, or more than one.
    package static func task(_ id: String?, of pipeline: Pipeline, for kind: Truth.Kind)
        throws(PipelineError) -> AnnotationTask
    {
        let type: AnnotationRecord.TaskType =
            switch kind {
            case .captions: .caption
            case .answers: .vqa
            case .labels: .classify
            }
        let ids = pipeline.tasks.map { "\($0.id) (\($0.type.rawValue))" }.joined(separator: ", ")
        let fitting = pipeline.tasks.filter { $0.type == type && (id == nil || $0.id == id) }
        guard fitting.count == 1, let task = fitting.first else {
            throw .request(
                found: id.map { "task \(quoted($0)) among \(ids)" }
                    ?? "\(fitting.count) \(type.rawValue) tasks among \(ids)",
                expected: fitting.isEmpty
                    ? "a \(type.rawValue) task, since the labels are \(kind.rawValue)"
                    : "one, or --task with its id")
        }
        return task
    }

    /// An evaluation of `task` over `items`. Demonstrations come from `pool`, or from `items` themselves. Throws `request` when the
    /// pool is too small for the shots, when files are cut into clips, or when a label is no choice of the task.
    package init(
        _ items: [LocatedItem], pool: [LocatedItem]?, pipeline: Pipeline, task: AnnotationTask,
        settings: EvaluationSettings
    ) throws(PipelineError) {
        self.items = items
        self.pool = pool ?? items
        self.pipeline = pipeline
        self.task = task
        self.settings = settings
        guard pipeline.segmentation == .whole else {
            throw .request(
                found: "a pipeline that cuts files into clips",
                expected: "segmentation: whole, since labels are about whole files")
        }
        guard pipeline.shots == nil else {
            throw .request(
                found: "a pipeline with `shots`",
                expected: "one without: only annotate and ask answer behind them")
        }
        try checkLabels()
        // A query may be in the pool, and is never its own demonstration.
        var counts: [PathBytes: Int] = [:]
        for item in self.pool { counts[item.path, default: 0] += 1 }
        let most = settings.shots.max() ?? 0
        let available =
            self.pool.count - (items.map { counts[$0.path] ?? 0 }.max() ?? 0)
        guard available >= most else {
            throw .request(
                found: "a pool of \(self.pool.count) with \(available) besides a query's own video",
                expected: "at least \(most), for \(most) shots")
        }
        if settings.orders > 1, task.choices.isEmpty, items.contains(where: { !$0.hasChoices }) {
            throw .request(
                found:
                    "\(settings.orders) orders of the demonstrations for a \(task.type.rawValue) task",
                expected: "1, or choices, whose likelihoods can be averaged")
        }
        if settings.orders > 1, settings.policies.contains(.rices) {
            throw .request(
                found: "\(settings.orders) orders of demonstrations that are retrieved",
                expected: "1: they stand in the order of their similarity")
        }
    }

    /// Every label has to be a choice; demonstrations, too, since the model would be shown what it may not answer.
    private func checkLabels() throws(PipelineError) {
        for located in items + pool {
            let item = located.item
            guard case .label(let label, let own) = item.truth, own.isEmpty,
                !task.choices.contains(label)
            else { continue }
            throw .request(
                found: "the label \(quoted(label)) in \(item.place)",
                expected: "one of the choices of task \(task.id): "
                    + task.choices.map(quoted).joined(separator: ", "))
        }
        if task.type == .vqa, task.question.isEmpty,
            let item = items.first(where: { $0.item.question == nil })?.item
        {
            throw .request(
                found: "no question in \(item.place)", expected: "one there or in the task")
        }
    }

    /// Asks everything and scores it; records go to files in a folder beside `output`, whose answers are not asked for again. Nil when `stop`
    /// ended it early: what is there by then is used the next time.
    package func run(
        by model: inout QuestionRun, output: PathBytes, stop: StopRequest, listener: Listener
    ) throws -> EvaluationResult? {
        var results: [ConditionResult] = []
        var scores: [SetScores] = []
        var barred: [PathBytes: String] = [:]
        for condition in Condition.all(
            shots: settings.shots, seeds: settings.seeds, policies: settings.policies)
        {
            listener(condition, nil)
            guard try bar(&barred, condition, &model, stop) else { return nil }
            let plan = ConditionPlan(
                pipeline, task: task, items: items, condition: condition, pool: pool,
                barred: Set(barred.keys), orders: settings.orders,
                nearDuplicate: settings.nearDuplicate)
            let folder = PathBytes(bytes: output.bytes + Array(".records".utf8))
            let file = folder.appending(PathBytes("\(condition.name).jsonl"))
            let (records, _) = try model.records(
                of: plan.pipeline, questions: plan.questions, output: file, stop: stop
            ) { listener(condition, $0) }
            if stop.reason != nil, !plan.questions.allSatisfy({ records[$0] != nil }) {
                return nil
            }
            let predictions = try zip(items, plan.ofItem).map { item, questions in
                try prediction(questions.map { records[$0] }, item, model)
            }
            var failures: [String: Int] = [:]
            for (questions, prediction) in zip(plan.ofItem, predictions)
            where !prediction.isAnswer {
                let codes = questions.map { records[$0].map(Self.reason) ?? "no_record" }
                failures[codes.first { $0 != "" } ?? "no_likelihood", default: 0] += 1
            }
            let scored = SetScores(predictions, items.map(\.item.truth))
            results.append(
                ConditionResult(
                    condition, records: "\(folder.name.text)/\(file.name.text)",
                    unanswered: failures, shown: Self.shown(plan, records, model.contents),
                    short: plan.questions.count {
                        records[$0]?.flags.contains(.demosMissing) ?? false
                    },
                    scores: scored.metrics.compactMap { metric in
                        scored.score(metric, of: Array(items.indices)).map { (metric, $0) }
                    }))
            scores.append(scored)
        }
        let figures = SetFigures(
            results, scores, items: items.count, bootstrap: settings.bootstrap)
        return EvaluationResult(
            conditions: results, figures: figures.figures, differences: figures.differences,
            barred: barred.map { ($0.key.shown, $0.value) }.sorted { $0.0 < $1.0 },
            items: items.count)
    }

    /// Finds the demonstrations that cannot be encoded; others take their places. False when `stop` came first.
    private func bar(
        _ barred: inout [PathBytes: String], _ condition: Condition, _ model: inout QuestionRun,
        _ stop: StopRequest
    ) throws -> Bool {
        guard condition.shots > 0 else { return true }
        let draw = DemonstrationDraw(pool, seed: condition.seed ?? 0)
        while true {
            let out = Set(barred.keys)
            var wanted: Set<PathBytes> = []
            if condition.policy == .rices {
                wanted = Set(pool.map(\.path)).subtracting(out)
                let counts = pool.reduce(into: [PathBytes: Int]()) { $0[$1.path, default: 0] += 1 }
                let usable = pool.count { !out.contains($0.path) }
                for item in items {
                    let own = out.contains(item.path) ? 0 : counts[item.path] ?? 0
                    try require(usable - own, condition, for: item, barred)
                }
            } else {
                for item in items {
                    let list = draw.demonstrations(condition.shots, for: item.path, barred: out)
                    try require(list.count, condition, for: item, barred)
                    wanted.formUnion(list.map(\.path))
                }
            }
            guard let failures = try model.prepare(demonstrations: wanted.sorted(), stop: stop)
            else { return false }
            for (path, failure) in failures {
                barred[path] = "\(failure.code.rawValue): \(failure.message)"
            }
            if failures.isEmpty { return true }
        }
    }

    /// Throws `request` when only `count` demonstrations are left for `item`.
    private func require(
        _ count: Int, _ condition: Condition, for item: LocatedItem, _ barred: [PathBytes: String]
    ) throws(PipelineError) {
        guard count < condition.shots else { return }
        throw .request(
            found:
                "\(count) demonstrations for \(item.path.shown), since \(barred.count) clips of the pool cannot be used: "
                + barred.sorted { $0.key < $1.key }.prefix(3)
                .map { "\($0.key.shown): \($0.value)" }.joined(separator: "; "),
            expected: "\(condition.shots)")
    }

    /// Questions whose video was among their own demonstrations after all, in a file of another name.
    private static func shown(
        _ plan: ConditionPlan, _ records: [FileQuestion: AnnotationRecord],
        _ contents: [PathBytes: String]
    ) -> Int {
        // What is retrieved is never the same content.
        guard plan.pipeline.retrieval == nil else { return 0 }
        let clips = plan.pipeline.tasks.map { task in
            Set(
                plan.pipeline.demonstrations(for: task).compactMap {
                    $0.clip.flatMap { contents[$0] }
                })
        }
        return plan.questions.count { question in
            guard let content = records[question]?.video.contentID, !content.isEmpty else {
                return false
            }
            return clips[question.task].contains(content)
        }
    }

    /// Why a record is no answer; empty when it is one.
    private static func reason(_ record: AnnotationRecord) -> String {
        switch record.status {
        case .ok, .degraded: ""
        case .error: record.error.code
        case .abstained, .removed: record.status.rawValue
        }
    }

    /// What the records of an item, one for each order, say together.
    private func prediction(
        _ records: [AnnotationRecord?], _ item: LocatedItem, _ model: QuestionRun
    ) throws -> Prediction {
        let answers = records.compactMap { $0 }.filter { Self.reason($0) == "" }
        guard answers.count == records.count, let first = answers.first else { return Prediction() }
        guard task.type == .classify else { return Prediction(text: first.output.text) }
        let choices = first.task.choices
        guard answers.allSatisfy({ $0.output.choiceLogProbabilities.count == choices.count }) else {
            return Prediction()
        }
        let counts =
            settings.isLengthNormalized
            ? choices.map { _ in 1 } : try model.tokenCounts(choices)
        let likelihoods = choices.indices.map { choice in
            answers.reduce(0) { $0 + $1.output.choiceLogProbabilities[choice] }
                / Double(answers.count) * Double(counts[choice])
        }
        return Prediction(choices: choices, likelihoods: likelihoods)
    }
}

extension LocatedItem {
    /// Whether it brings choices of its own.
    fileprivate var hasChoices: Bool {
        if case .label(_, let choices) = item.truth { return !choices.isEmpty }
        return false
    }
}
