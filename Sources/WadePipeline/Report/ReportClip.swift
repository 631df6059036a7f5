//! What a report shows together: the answers to all tasks about one clip.

/// A clip with its answers.
struct ReportClip: Sendable {
    /// Position in the file, from 0.
    let number: Int
    /// Its records, in the order of the file's tasks; at least one.
    fileprivate(set) var records: [AnnotationRecord]

    /// What makes two records be about one clip.
    fileprivate struct Identity: Hashable {
        let path: PathBytes
        let content: String
        let boundary: AnnotationRecord.Boundary
        let index: Int
        let start: Double
        let end: Double

        init(_ record: AnnotationRecord) {
            path = record.video.pathBytes
            content = record.video.contentID
            boundary = record.clip.boundary
            index = record.clip.index
            start = record.clip.start
            end = record.clip.end
        }
    }

    /// The record that says most about the file and its frames.
    var shown: AnnotationRecord { records.first { !$0.frames.times.isEmpty } ?? records[0] }

    /// The worst status of its records.
    var status: AnnotationRecord.Status {
        let statuses = records.map(\.status)
        return Self.worstFirst.first { statuses.contains($0) } ?? .ok
    }

    /// The order in which statuses call for attention.
    static let worstFirst: [AnnotationRecord.Status] = [.error, .degraded, .abstained, .ok]

    /// The confidence of the answer that is least sure; nil when none has one.
    var confidence: Double? { records.compactMap { $0.confidence?.value }.min() }

    /// The times of the frames to show, each once, at most `limit`, spread evenly over those recorded.
    func times(atMost limit: Int) -> [Double] {
        var distinct: [Double] = []
        for time in shown.frames.times where distinct.last != time { distinct.append(time) }
        guard distinct.count > limit else { return distinct }
        return (0..<limit).map { distinct[(2 * $0 + 1) * distinct.count / (2 * limit)] }
    }
}

/// The clips of a file, and what the records say together.
struct ReportContent: Sendable {
    /// A task with the recipe by which it was answered.
    struct TaskRecipe: Sendable, Equatable {
        let task: String
        let recipe: String
    }

    /// Clips, those that call for attention first, else in the order of the file.
    private(set) var clips: [ReportClip] = []
    /// Different files.
    private(set) var files = 0
    /// Records by status.
    private(set) var statuses: [AnnotationRecord.Status: Int] = [:]
    /// Error records by code.
    private(set) var codes: [String: Int] = [:]
    /// Current records that are not shown because they belong to another recipe.
    private(set) var leftOut = 0
    /// Confidences of answers.
    private(set) var confidences: [Double] = []
    /// Different values, in the order of their first appearance.
    private(set) var models: [AnnotationRecord.Model] = []
    private(set) var recipes: [TaskRecipe] = []
    private(set) var strategies: [String] = []
    private(set) var demonstrations: [String] = []
    private(set) var hosts: [String] = []
    private(set) var versions: [String] = []
    private(set) var runs: [String] = []
    /// When the first and the last record were made.
    private(set) var times: (first: String, last: String)?

    /// Reads the records of `file` that `selection` means; those of one clip become one.
    init(_ file: RecordFile, _ selection: RecordSelection) throws {
        var places: [ReportClip.Identity: Int] = [:]
        var paths: Set<PathBytes> = []
        try file.forEachRecord { record in
            if selection.isOvertaken(record) { leftOut += 1 }
            guard selection.contains(record) else { return }
            count(record)
            paths.insert(record.video.pathBytes)
            let identity = ReportClip.Identity(record)
            if let place = places[identity] {
                clips[place].records.append(record)
            } else {
                places[identity] = clips.count
                clips.append(ReportClip(number: clips.count, records: [record]))
            }
        }
        files = paths.count
        let order = Dictionary(
            uniqueKeysWithValues: file.tasks.enumerated().map { ($0.element, $0.offset) })
        for index in clips.indices {
            clips[index].records.sort { order[$0.task.id] ?? 0 < order[$1.task.id] ?? 0 }
        }
        clips = ReportClip.worstFirst.flatMap { status in clips.filter { $0.status == status } }
    }

    private mutating func count(_ record: AnnotationRecord) {
        statuses[record.status, default: 0] += 1
        if record.status == .error { codes[record.error.code, default: 0] += 1 }
        if let confidence = record.confidence { confidences.append(confidence.value) }
        note(record.model, in: &models)
        note(TaskRecipe(task: record.task.id, recipe: record.recipeID), in: &recipes)
        if record.frames.used > 0 { note(record.frames.strategy, in: &strategies) }
        if record.demonstrations.policy != .none {
            note(
                "\(record.demonstrations.ids.count), \(record.demonstrations.policy.rawValue)",
                in: &demonstrations)
        }
        note(record.run.host, in: &hosts)
        note(record.run.wadeVersion, in: &versions)
        note(record.run.id, in: &runs)
        let made = record.run.createdAt
        times = times.map { (min($0.first, made), max($0.last, made)) } ?? (made, made)
    }

    private func note<Value: Equatable>(_ value: Value, in values: inout [Value]) {
        if values.last != value, !values.contains(value) { values.append(value) }
    }
}
