//! What is asked under one number of shots and one seed: a pipeline, and questions to files.
package import WadePipeline

/// A number of demonstrations and the seed that draws them; without demonstrations no seed matters.
package struct Condition: Sendable, Hashable {
    /// Demonstrations.
    package let shots: Int
    /// What draws them; nil at 0 shots.
    package let seed: Int?

    /// The conditions of all `shots` with all `seeds`.
    package static func all(shots: [Int], seeds: [Int]) -> [Condition] {
        shots.flatMap { count in
            count == 0
                ? [Condition(shots: 0, seed: nil)]
                : seeds.map { Condition(shots: count, seed: $0) }
        }
    }

    /// Its name in those of files.
    package var name: String { "\(shots)-shots" + (seed.map { ".seed-\($0)" } ?? "") }
}

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
        let demonstrations: [String]
    }

    private var tasks: [Prompted: Int] = [:]
    private var ids: Set<String> = []
    private var known: Set<FileQuestion> = []
    /// The tasks behind the same demonstrations, by their ids.
    private var uses: [[String]: (list: [LocatedItem], tasks: [String])] = [:]
    private var lists: [[String]] = []

    /// Puts the question of `task`, or of each item where it has its own, to every one of `items` behind `condition`'s demonstrations from
    /// `draw`, in at most `orders` orders.
    package init(
        _ pipeline: Pipeline, task: AnnotationTask, items: [LocatedItem], condition: Condition,
        draw: DemonstrationDraw, barred: Set<PathBytes>, orders: Int
    ) {
        self.pipeline = pipeline
        self.pipeline.tasks = []
        for located in items {
            let list = draw.demonstrations(condition.shots, for: located.path, barred: barred)
            var asked: [FileQuestion] = []
            for order in DemonstrationDraw.orders(
                list.count, most: orders, seed: condition.seed ?? 0)
            {
                let number = add(located, task, order.map { list[$0] })
                asked.append(FileQuestion(path: located.path, task: number))
            }
            ofItem.append(asked)
            for question in asked where known.insert(question).inserted {
                questions.append(question)
            }
        }
        self.pipeline.demonstrations = lists.flatMap { key -> [Demonstration] in
            guard let use = uses[key] else { return [] }
            return use.list.map { located in
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

    /// The number of the task that asks about `located` behind `demonstrations`.
    private mutating func add(
        _ located: LocatedItem, _ base: AnnotationTask, _ demonstrations: [LocatedItem]
    ) -> Int {
        var task = base
        if let question = located.item.question { task.question = question }
        if case .label(_, let choices) = located.item.truth, !choices.isEmpty {
            task.choices = choices
        }
        let list = demonstrations.map(\.item.id)
        let prompted = Prompted(
            question: task.question, choices: task.choices, demonstrations: list)
        if let number = tasks[prompted] { return number }
        if let number = located.item.question.flatMap({ _ in Int(located.item.id) }), number >= 0 {
            task.questionID = number
        }
        task.id = id(for: located.item, base)
        tasks[prompted] = pipeline.tasks.count
        pipeline.tasks.append(task)
        if uses[list] == nil { lists.append(list) }
        uses[list, default: (demonstrations, [])].tasks.append(task.id)
        return pipeline.tasks.count - 1
    }

    /// An id that no other task has, and that the same task has the next time: keys of records depend on it.
    private mutating func id(for item: LabelledItem, _ base: AnnotationTask) -> String {
        var id = "\(base.id):\(item.id)"
        while !ids.insert(id).inserted { id += "'" }
        return id
    }
}
