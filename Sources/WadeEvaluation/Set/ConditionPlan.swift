//! What is asked under one condition: a pipeline, and questions to files.
package import WadePipeline

/// The questions of a condition.
package struct ConditionPlan: Sendable {
    /// One task for each prompt.
    package private(set) var pipeline: Pipeline
    /// Every question once.
    package private(set) var questions: [FileQuestion] = []
    /// The questions of every item, in the items' order: one for each order of the demonstrations.
    package private(set) var ofItem: [[FileQuestion]] = []

    /// A prompt: what is asked behind which demonstrations.
    private struct Prompted: Hashable {
        let question: String
        let choices: [String]
        /// The number of the list.
        let demonstrations: Int
    }

    /// Demonstrations, and the ids of the tasks behind them.
    private struct Use {
        let list: [LocatedItem]
        var tasks: [String] = []
    }

    private var tasks: [Prompted: Int] = [:]
    private var ids: Set<String> = []
    private var known: Set<FileQuestion> = []
    /// In the order in which they were met.
    private var uses: [Use] = []
    /// Their places, by the items' ids.
    private var places: [[String]: Int] = [:]

    /// Puts the question of `task`, or of each item where it has its own, to every one of `items` behind `condition`'s demonstrations out of
    /// `pool`, of which those in `barred` cannot be used: drawn ones in at most `orders` orders, or those nearest to the query, where
    /// what is as similar as `nearDuplicate` counts as a copy of it.
    package init(
        _ pipeline: Pipeline, task: AnnotationTask, items: [LocatedItem], condition: Condition,
        pool: [LocatedItem], barred: Set<PathBytes>, orders: Int = 1,
        nearDuplicate: Double? = DemonstrationRetrieval.standardNearDuplicate
    ) {
        self.pipeline = pipeline
        self.pipeline.tasks = []
        self.pipeline.retrieval = nil
        if condition.policy == .rices {
            self.pipeline.retrieval = DemonstrationRetrieval(
                count: condition.shots, nearDuplicate: nearDuplicate)
            let whole = place(of: pool.filter { !barred.contains($0.path) })
            for located in items { ask(located, [add(located, task, whole)]) }
        } else {
            let draw = DemonstrationDraw(pool, seed: condition.seed ?? 0)
            for located in items {
                let list = draw.demonstrations(condition.shots, for: located.path, barred: barred)
                let orders = DemonstrationDraw.orders(
                    list.count, most: orders, seed: condition.seed ?? 0)
                ask(
                    located,
                    orders.map { order in
                        add(located, task, place(of: order.map { list[$0] }))
                    })
            }
        }
        self.pipeline.demonstrations = uses.flatMap { use in
            use.list.map { located in
                let item = located.item
                var questions: [String: String] = [:]
                if let question = item.question {
                    for task in use.tasks { questions[task] = question }
                }
                let answers = use.tasks.map { ($0, item.truth.shown) }
                return Demonstration(
                    id: item.id, clip: located.path,
                    answers: Dictionary(answers, uniquingKeysWith: { one, _ in one }),
                    questions: questions)
            }
        }
    }

    /// The number of `list` in `uses`.
    private mutating func place(of list: [LocatedItem]) -> Int {
        let ids = list.map(\.item.id)
        if let place = places[ids] { return place }
        places[ids] = uses.count
        uses.append(Use(list: list))
        return uses.count - 1
    }

    /// Notes that the tasks numbered `tasks` are asked about `located`.
    private mutating func ask(_ located: LocatedItem, _ tasks: [Int]) {
        let asked = tasks.map { FileQuestion(path: located.path, task: $0) }
        ofItem.append(asked)
        for question in asked where known.insert(question).inserted { questions.append(question) }
    }

    /// The number of the task that asks about `located` behind the demonstrations at `list` of `uses`.
    private mutating func add(_ located: LocatedItem, _ base: AnnotationTask, _ list: Int) -> Int {
        var task = base
        if let question = located.item.question { task.question = question }
        if case .label(_, let choices) = located.item.truth, !choices.isEmpty {
            task.choices = choices
        }
        let prompted = Prompted(
            question: task.question, choices: task.choices, demonstrations: list)
        if let number = tasks[prompted] { return number }
        if let number = located.item.question.flatMap({ _ in Int(located.item.id) }), number >= 0 {
            task.questionID = number
        }
        task.id = id(for: located.item, base)
        tasks[prompted] = pipeline.tasks.count
        pipeline.tasks.append(task)
        uses[list].tasks.append(task.id)
        return pipeline.tasks.count - 1
    }

    /// An id that no other task has, and that the same task has the next time: keys of records depend on it.
    private mutating func id(for item: LabelledItem, _ base: AnnotationTask) -> String {
        var id = "\(base.id):\(item.id)"
        while !ids.insert(id).inserted { id += "'" }
        return id
    }
}
