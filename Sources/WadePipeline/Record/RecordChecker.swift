//! Reads an output and says every line that is not what the schema promises.

/// The result of checking an output.
package struct RecordChecker {
    /// Something wrong with one line.
    package struct Finding: Sendable, Equatable {
        /// Line number, from 1.
        package var line: Int
        /// What is wrong: where, found, expected.
        package var text: String
    }

    /// Complaints, in the order of the file; at most `mostFindings`.
    package private(set) var findings: [Finding] = []
    /// All complaints, counted.
    package private(set) var complaints = 0
    /// Whole lines.
    package private(set) var lines = 0
    /// Different keys.
    package var keys: Int { sequences.count }
    /// Lines that a later line with the same key replaces.
    package private(set) var replaced = 0
    /// Current records by their status.
    package private(set) var statuses: [String: Int] = [:]

    /// Complaints that are kept; the rest is only counted.
    package static let mostFindings = 1000

    private let schema: RecordSchema
    private let quick: RecordScan?
    private var sequences: [LedgerKey: (sequence: Int64, status: UInt8)] = [:]
    private var usedSequences: Set<Int64> = []

    /// With `quick` lines that nothing is wrong with are not read in full.
    private init(schema: RecordSchema, quick: Bool) {
        self.schema = schema
        let scan = quick ? RecordScan(schema) : nil
        self.quick = scan?.statuses == Self.statusWords ? scan : nil
    }

    /// Checks the file at `path`; throws `file` when it cannot be read. Whether lines are passed by `quick` makes no difference
    /// but in time.
    package static func check(_ path: PathBytes, quick: Bool = true) throws(PipelineError)
        -> RecordChecker
    {
        var checker = RecordChecker(schema: try RecordSchema.annotation(), quick: quick)
        let rest: [UInt8]
        do {
            var reader = LineReader(try OpenFile(path, for: .reading))
            rest = try reader.forEachLine { _, scan in
                checker.check(scan)
            }.bytes
        } catch {
            throw .file(path: path.shown, action: "read", reason: error.reason)
        }
        if !rest.isEmpty {
            checker.lines += 1
            checker.complain(
                "found \(rest.count) bytes without a newline, expected a whole line: torn")
            checker.lines -= 1
        }
        var counts = [Int](repeating: 0, count: Self.statusWords.count)
        for (_, state) in checker.sequences { counts[Int(state.status)] += 1 }
        for (word, count) in zip(Self.statusWords, counts) where count > 0 {
            checker.statuses[word] = count
        }
        return checker
    }

    private mutating func complain(_ text: String) {
        complaints += 1
        if findings.count < Self.mostFindings { findings.append(Finding(line: lines, text: text)) }
    }

    private static let statusWords = AnnotationRecord.Status.allCases.map(\.rawValue)

    private mutating func check(_ scan: LineScan) {
        lines += 1
        if let facts = quick?.facts(of: scan) { return checkKey(facts) }
        let line = scan.all
        let value: JSONValue
        do {
            value = try JSONReader.read(line)
        } catch {
            return complain("byte \(error.byte): found \(error.found), expected \(error.expected)")
        }
        let complaints = schema.complaints(about: value)
        for complaint in complaints {
            complain("\(complaint.field): found \(complaint.found), expected \(complaint.expected)")
        }
        guard complaints.isEmpty else { return }
        if let bytes = try? JSONWriter.bytes(of: value), bytes != line {
            complain(
                "found another spelling, expected sorted members without spaces, shortest floats")
        }
        checkConsistency(value)
        guard let key = value["key"]?.text, let status = value["status"]?.text,
            case .integer(let sequence) = value["run"]?["seq"]
        else { return }
        checkKey(
            RecordFacts(
                key: LedgerKey(Hexadecimal.bytes(key.utf8) ?? []), sequence: sequence,
                status: Self.statusWords.firstIndex(of: status) ?? 0))
    }

    /// What a schema cannot say.
    private mutating func checkConsistency(_ value: JSONValue) {
        let isError = value["status"]?.text == "error"
        let code = value["error"]?["code"]?.text ?? ""
        if isError == code.isEmpty {
            complain(
                "error.code: found \(code.shownShort), expected one exactly when status is error")
        }
        if case .integer(let choice) = value["output"]?["choice"],
            let choices = value["task"]?["choices"]?.elements, choice >= choices.count
        {
            complain("output.choice: found \(choice), expected less than \(choices.count)")
        }
        let times = (value["frames"]?["pts_s"]?.elements ?? []).compactMap { element in
            if case .number(let time) = element { return time }
            return nil
        }
        if zip(times, times.dropFirst()).contains(where: { $0 > $1 }) {
            complain("frames.pts_s: found times that fall, expected ascending ones")
        }
    }

    private mutating func checkKey(_ facts: RecordFacts) {
        if !usedSequences.insert(facts.sequence).inserted {
            complain("run.seq: found \(facts.sequence) twice, expected each number once")
        }
        if let old = sequences[facts.key] {
            replaced += 1
            guard facts.sequence > old.sequence else { return }
        }
        sequences[facts.key] = (facts.sequence, UInt8(truncatingIfNeeded: facts.status))
    }
}
