//! An output as the readers of its answers see it: one current record for every key, whatever was written before.

/// The current records of a JSONL file, read in two passes, so that a file of any size takes little memory. What is written to the
/// file after the first pass is not seen.
package struct RecordFile: Sendable {
    /// A line that is no annotation record.
    package struct Fault: Sendable, Equatable {
        /// Line number, from 1.
        package let line: Int
        /// The member at fault.
        package let field: String
        /// What was found.
        package let found: String
        /// What was expected.
        package let expected: String
    }

    /// Where a current record stands.
    private struct Place: Sendable {
        let line: Int
        let offset: Int
        let length: Int
        let sequence: Int
        let isRemoved: Bool
    }

    /// The file.
    package let path: PathBytes
    /// Whole lines.
    package private(set) var lines = 0
    /// Lines that are no records, the first hundred.
    package private(set) var faults: [Fault] = []
    /// Lines that are no records, counted.
    package private(set) var faultCount = 0
    /// Bytes after the last newline: a line that is being written, or was torn.
    package private(set) var tornBytes = 0
    /// Task ids in the order in which they first appear.
    package private(set) var tasks: [String] = []
    /// The recipe that wrote last, by task.
    package private(set) var latestRecipes: [String: String] = [:]
    private var latestSequences: [String: Int] = [:]
    private var places: [Place] = []

    private static let mostFaults = 100

    /// Reads the file at `path` once; throws `file` when it cannot be read or is no regular file. Lines that are no records
    /// are faults, which the caller may forgive.
    package init(_ path: PathBytes) throws(PipelineError) {
        self.path = path
        var current: [LedgerKey: Place] = [:]
        do {
            let file = try OpenFile(path, for: .reading)
            guard try file.status().kind == .regular else {
                throw PipelineError.file(
                    path: path.shown, action: "read", reason: "it is no regular file")
            }
            var reader = LineReader(file)
            tornBytes = try reader.forEachLine { offset, scan in
                lines += 1
                add(scan.all, at: offset, to: &current)
            }.bytes.count
        } catch let error as PipelineError {
            throw error
        } catch let error as SystemError {
            throw .file(path: path.shown, action: "read", reason: error.reason)
        } catch {
            throw .file(path: path.shown, action: "read", reason: "\(error)")
        }
        places = current.values.filter { !$0.isRemoved }.sorted { $0.offset < $1.offset }
    }

    private mutating func add(_ line: [UInt8], at offset: Int, to current: inout [LedgerKey: Place])
    {
        do throws(PipelineError) {
            let record = try AnnotationRecord(line: line)
            guard let digest = Hexadecimal.bytes(record.key.utf8), digest.count == 32 else {
                throw .record(
                    field: "key", found: record.key.shownShort,
                    expected: "64 hexadecimal digits")
            }
            let sequence = record.run.sequence
            if !tasks.contains(record.task.id) { tasks.append(record.task.id) }
            if sequence >= latestSequences[record.task.id] ?? .min, record.status != .removed {
                latestSequences[record.task.id] = sequence
                latestRecipes[record.task.id] = record.recipeID
            }
            if let old = current[LedgerKey(digest)], old.sequence > sequence { return }
            current[LedgerKey(digest)] = Place(
                line: lines, offset: offset, length: line.count, sequence: sequence,
                isRemoved: record.status == .removed)
        } catch {
            faultCount += 1
            guard faults.count < Self.mostFaults else { return }
            if case .record(let field, let found, let expected) = error {
                faults.append(
                    Fault(line: lines, field: field, found: found, expected: expected))
            } else {
                faults.append(
                    Fault(line: lines, field: "line", found: "\(error)", expected: "a record"))
            }
        }
    }

    /// Current records.
    package var count: Int { places.count }

    /// Throws the first line that is no record, with its number.
    package func requireRecords() throws(PipelineError) {
        guard let fault = faults.first else { return }
        throw error(fault)
    }

    /// The error that a faulty line is.
    package func error(_ fault: Fault) -> PipelineError {
        .pipeline(
            place: "\(path.shown):\(fault.line): \(fault.field)", found: fault.found,
            expected: fault.expected)
    }

    /// Calls `body` with every current record, in the order of the file.
    package func forEachRecord(_ body: (AnnotationRecord) throws -> Void) throws {
        try forEachLine { record, _ in try body(record) }
    }

    /// Calls `body` with every current record and its line without the newline, in the order of the file.
    func forEachLine(_ body: (AnnotationRecord, [UInt8]) throws -> Void) throws {
        let file: OpenFile
        do {
            file = try OpenFile(path, for: .reading)
        } catch {
            throw PipelineError.file(path: path.shown, action: "read", reason: error.reason)
        }
        for place in places {
            var bytes = [UInt8](repeating: 0, count: place.length)
            let count: Int
            do {
                count = try file.read(into: &bytes, at: place.offset)
            } catch {
                throw PipelineError.file(path: path.shown, action: "read", reason: error.reason)
            }
            do {
                let line = Array(bytes.prefix(count))
                try body(AnnotationRecord(line: line), line)
            } catch PipelineError.record(let field, let found, let expected) {
                throw self.error(
                    Fault(line: place.line, field: field, found: found, expected: expected))
            }
        }
    }
}

/// Which records of a file are meant: of each task the answers of one recipe, since those of an earlier prompt stay in the file.
package struct RecordSelection: Sendable {
    /// The recipe that is taken for each task; tasks without one are left out.
    package let recipes: [String: String]

    /// The latest recipe of every task, or of `tasks` alone, or the one whose id is `recipe`. Throws `request` when the file has no such
    /// task or recipe.
    package init(_ file: RecordFile, tasks: [String] = [], recipe: String? = nil)
        throws(PipelineError)
    {
        for task in tasks where !file.tasks.contains(task) {
            throw .request(
                found: "task \(task.shownShort)",
                expected: "one of the file's: "
                    + file.tasks.map(\.shownShort).joined(separator: ", "))
        }
        var chosen = tasks.isEmpty ? file.tasks : tasks
        guard let recipe else {
            recipes = file.latestRecipes.filter { chosen.contains($0.key) }
            return
        }
        let having = Set(try Self.tasks(having: recipe, in: file))
        chosen.removeAll { !having.contains($0) }
        guard !chosen.isEmpty else {
            throw .request(
                found: "recipe \(recipe.shownShort), which wrote no record of the file",
                expected: "a recipe_id of the file")
        }
        recipes = Dictionary(uniqueKeysWithValues: chosen.map { ($0, recipe) })
    }

    private static func tasks(having recipe: String, in file: RecordFile) throws(PipelineError)
        -> [String]
    {
        var found: [String] = []
        do {
            try file.forEachRecord { record in
                if record.recipeID == recipe, !found.contains(record.task.id) {
                    found.append(record.task.id)
                }
            }
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .file(path: file.path.shown, action: "read", reason: "\(error)")
        }
        return found
    }

    /// Whether `record` answers a task that is meant, by another recipe.
    func isOvertaken(_ record: AnnotationRecord) -> Bool {
        recipes[record.task.id].map { $0 != record.recipeID } ?? false
    }

    /// Whether `record` is meant.
    package func contains(_ record: AnnotationRecord) -> Bool {
        recipes[record.task.id] == record.recipeID
    }
}
