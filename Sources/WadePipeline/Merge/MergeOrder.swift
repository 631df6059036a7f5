//! In which order one machine would have written the lines, and which of them it would have written at all.

/// The order of the merged lines.
struct MergeOrder {
    /// Numbers of entries that are to be written, in their order.
    let entries: [Int]
    /// Recipes by task: those that wrote records, the earliest first.
    private let recipes: [[(recipe: Int32, records: Int)]]
    private let current: [String: String]

    /// Files in the order of the input (of `expected` if it says one, else of their names' bytes), in a file the clips, of a clip the
    /// tasks. Where a task has been asked by several recipes, the records of an earlier one come first, as they do in
    /// an output that was continued.
    init(_ index: MergeIndex, _ expected: Merge.Expected?) {
        var earliest = [[Int32: (created: Int, records: Int)]](
            repeating: [:], count: index.tasks.names.count)
        for entry in index.entries where !entry.isRemoved {
            let old = earliest[Int(entry.task)][entry.recipe] ?? (entry.created, 0)
            earliest[Int(entry.task)][entry.recipe] = (
                min(old.created, entry.created), old.records + 1
            )
        }
        let current = Dictionary(
            (expected?.tasks ?? []).map { ($0.id, $0.recipe) },
            uniquingKeysWith: { first, _ in first })
        self.current = current
        let sorted = earliest.enumerated().map { task, recipes in
            // What the pipeline asks now is the latest, whenever it was asked first.
            let id = String(decoding: index.tasks.names[task], as: UTF8.self)
            let rank = { (recipe: Int32) in
                current[id] == String(decoding: index.recipes[recipe], as: UTF8.self) ? 1 : 0
            }
            return recipes.sorted {
                (rank($0.key), $0.value.created, $0.key) < (rank($1.key), $1.value.created, $1.key)
            }
        }
        recipes = sorted.map { $0.map { ($0.key, $0.value.records) } }
        let generations = sorted.map { recipes in
            Dictionary(uniqueKeysWithValues: recipes.enumerated().map { ($1.key, $0) })
        }
        let ids = expected?.tasks.map { Array($0.id.utf8) } ?? []
        let tasks = index.tasks.names.enumerated().map { number, name in
            ids.firstIndex(of: name) ?? ids.count + number
        }
        let ranks = Self.ranks(index.paths, expected)
        let keys = index.entries.map { entry -> (Int, Int32, Int32, Int, Int) in
            (
                generations[Int(entry.task)][entry.recipe] ?? 0, ranks[Int(entry.path)],
                entry.clipIndex, tasks[Int(entry.task)], entry.created
            )
        }
        entries = index.entries.indices.filter { !index.entries[$0].isRemoved }
            .sorted { keys[$0] == keys[$1] ? $0 < $1 : keys[$0] < keys[$1] }
    }

    /// The order of the paths' bytes, which is that of a folder's files, unless several arguments came in another one.
    private static func ranks(_ paths: PathTable, _ expected: Merge.Expected?) -> [Int32] {
        let ranks = paths.ranks()
        guard let files = expected?.files,
            zip(files, files.dropFirst()).contains(where: { $0 > $1 })
        else { return ranks }
        var ordered = ranks.map { $0 &+ Int32(clamping: files.count) }
        for (place, file) in files.enumerated() {
            if let number = paths.known(file.bytes) {
                ordered[Int(number)] = Int32(clamping: place)
            }
        }
        return ordered
    }

    /// What is to be said about tasks that were not asked in one way.
    func complaints(_ index: MergeIndex) -> [String] {
        recipes.enumerated().compactMap { task, recipes in
            let id = String(decoding: index.tasks.names[task], as: UTF8.self)
            let name = { (recipe: Int32) in String(decoding: index.recipes[recipe], as: UTF8.self) }
            guard let first = recipes.first,
                recipes.count > 1 || (current[id].map { $0 != name(first.recipe) } ?? false)
            else { return nil }
            let said = recipes.map { "\($0.records) by \(name($0.recipe).shownShort)" }
                .joined(separator: ", ")
            let now = current[id].map { "; the pipeline's recipe is \($0)" } ?? ""
            return "task \(id.shownShort) has records of several recipes: \(said)\(now)"
        }
    }
}

/// Whether every file of a folder has a record for every clip and task.
struct MergeCoverage {
    private let expected: Merge.Expected?
    /// The task's place in the pipeline, by the numbers of task and recipe.
    private var places: [Int64: Int] = [:]
    /// Records that are there, and clips that the file was cut into, by path and task.
    private var counts: [Int64: (found: Int32, needed: Int32)] = [:]

    init(_ index: MergeIndex, _ expected: Merge.Expected?) {
        self.expected = expected
        for (place, task) in (expected?.tasks ?? []).enumerated() {
            guard let id = index.tasks.names.firstIndex(of: Array(task.id.utf8)),
                let recipe = index.recipes.names.firstIndex(of: Array(task.recipe.utf8))
            else { continue }
            places[Self.pair(Int32(id), Int32(recipe))] = place
        }
    }

    private static func pair(_ one: Int32, _ other: Int32) -> Int64 {
        Int64(one) << 32 | Int64(other)
    }

    /// The place in the pipeline of the task that `entry` is of, if that is what the pipeline asks now.
    func task(of entry: MergeIndex.Entry) -> Int? { places[Self.pair(entry.task, entry.recipe)] }

    /// Notes a record of the merged output.
    mutating func count(_ entry: MergeIndex.Entry) {
        guard let place = task(of: entry) else { return }
        let key = Self.pair(entry.path, Int32(place))
        let old = counts[key] ?? (0, .max)
        // A file whose content has changed has records of both; the new ones are whole if they are as many as they say.
        counts[key] = (old.found + 1, min(old.needed, max(1, entry.clipCount)))
    }

    /// The first files that lack a record, and the number of all.
    func missing(_ index: MergeIndex) -> ([PathBytes], Int) {
        var named: [PathBytes] = []
        var count = 0
        for file in expected?.files ?? [] {
            let number = index.paths.known(file.bytes)
            let isWhole = (expected?.tasks.indices ?? 0..<0).allSatisfy { task in
                guard let number, let counts = counts[Self.pair(number, Int32(task))] else {
                    return false
                }
                return counts.found >= counts.needed
            }
            guard !isWhole else { continue }
            count += 1
            if named.count < MergeReport.mostNamed { named.append(file) }
        }
        return (named, count)
    }
}

extension AnnotationJob {
    /// Joins the parts of the output, and says what of the paths is missing.
    package static func merge(
        _ paths: [PathBytes], pipeline: Pipeline?, output: PathBytes
    ) throws -> MergeReport {
        guard let pipeline else { return try Merge.run(output, expected: nil) }
        let findings = try ClipFinder.find(paths, output: output)
        let location = try ModelLocation(pipeline.model)
        let plan = try RunPlan(
            pipeline: pipeline, model: try location.identity(), findings: findings,
            settings: RunSettings(workers: 1))
        var expected = Merge.Expected(
            files: findings.files.map(\.relativePath),
            tasks: zip(pipeline.tasks, plan.recipes).map { ($0.id, $1.id) })
        if plan.shots != nil {
            expected.isOutdated = { line, task in
                guard line.content != .none else { return false }
                let set = plan.setID(line.content.bytes, task: task)
                return line.set != PathIdentity.hash(Array(set.utf8))
            }
        }
        return try Merge.run(output, expected: expected)
    }
}
