//! Joins the parts of an output into what one machine would have written.
internal import CLinux
import Glibc
import WadeVideo

/// The merge of an output's parts: two passes, the first of which learns what every line is about, and the second copies lines in the
/// order of the input.
///
/// Note [The bytes of a single machine]: apart from `run`, lines say the same whoever wrote them, but for one thing: of files with the
/// same content the first is answered and the others repeat its record, and a part knows its own files only. So the first path of
/// each content becomes the original here, and the others its copies. Times, host and id of the run that made a line stay in `run`;
/// `run.seq` counts the lines of the merged output, from 0.
package struct Merge {
    /// What the folder should have given, for telling what is missing.
    package struct Expected {
        /// Files in the order of the run.
        let files: [PathBytes]
        /// Task and recipe ids in the order of the pipeline.
        let tasks: [(id: String, recipe: String)]
        /// Whether an answer to the task numbered `task` stands behind other shots than its video has now; nil where no shots do.
        var isOutdated: ((_ line: LedgerLine, _ task: Int) -> Bool)?
    }

    private let output: PathBytes
    private let expected: Expected?
    private var index = MergeIndex()
    private var sources: [MergeSource] = []
    private var report = MergeReport()
    private let schema: RecordScan?

    /// Joins the parts beside `output`, and what is in `output` already, and puts the result in its place. With `expected` it also
    /// says what is missing. Throws `locked` when a run or another merge holds the output, and `file` when a part cannot be read
    /// or the result not be written: then the output is as it was.
    package static func run(_ output: PathBytes, expected: Expected?) throws -> MergeReport {
        let name = PartName(output)
        guard try !name.existing().isEmpty else {
            throw PipelineError.file(
                path: output.shown, action: "merge",
                reason: "found none of its parts, NAME.part-I-of-N.jsonl, beside it")
        }
        let lock = try RunLock(output: output)
        linux_raise_open_files()
        var merge = Merge(output: output, expected: expected, schema: RecordScan(try .annotation()))
        try merge.read(try name.existing())
        try merge.write()
        _ = consume lock
        return merge.report
    }

    private init(output: PathBytes, expected: Expected?, schema: RecordScan?) {
        self.output = output
        self.expected = expected
        self.schema = schema
    }

    // MARK: - Reading

    private mutating func read(_ parts: [(shard: Shard, path: PathBytes)]) throws {
        if (try? FileStatus.of(output, followingLinks: true))?.kind == .regular { try read(output) }
        for (_, path) in parts {
            if case .locked(_, let holder) = RunLock.refusal(output: path) {
                report.complaints.append("\(path.shown): still being written: \(holder)")
            }
            try read(path)
        }
        // Parts of an earlier number need not be whole: later ones have taken over.
        let latest = parts.map(\.shard.count).max { modified($0, parts) < modified($1, parts) }
        let indexes = Set(parts.filter { $0.shard.count == latest }.map(\.shard.index))
        let absent = (1...(latest ?? 1)).filter { !indexes.contains($0) }
        if !absent.isEmpty {
            let named = absent.prefix(MergeReport.mostNamed).map(String.init).joined(
                separator: ", ")
            let rest = absent.count > MergeReport.mostNamed ? ", …" : ""
            report.complaints.append(
                "\(absent.count) of \(latest ?? 1) parts are not there, their tasks never began: \(named)\(rest)"
            )
        }
        // A volume that is not mounted looks like this.
        if let expected, expected.files.isEmpty, index.paths.count > 0 {
            report.complaints.append(
                "found records of \(index.paths.count) files, but no file in the folders that were given: is a volume not mounted?"
            )
        }
        report.sources = sources.count
        report.repeated = index.repeated
        report.outdated = index.outdated
        for difference in index.differences {
            report.complaints.append(
                "\(difference.path.shown): task \(difference.task.shownShort) has two answers, the earlier is kept"
            )
        }
        if index.differenceCount > index.differences.count {
            report.complaints.append("\(index.differenceCount) answers differ from others, in all")
        }
    }

    /// When the parts of so many were changed last.
    private func modified(_ count: Int, _ parts: [(shard: Shard, path: PathBytes)]) -> Int {
        parts.filter { $0.shard.count == count }.compactMap {
            (try? FileStatus.of($0.path, followingLinks: true))?.modifiedSeconds
        }.max() ?? 0
    }

    private mutating func read(_ path: PathBytes) throws {
        let source = try MergeSource(path)
        let number = sources.count
        sources.append(source)
        var damaged = 0
        do {
            var reader = LineReader(try OpenFile(path, for: .reading))
            let rest = try reader.forEachLine { offset, scan in
                if !add(scan, number, offset) { damaged += 1 }
            }
            if !rest.bytes.isEmpty {
                report.complaints.append(
                    "\(path.shown): the last line is torn (\(rest.bytes.count) bytes): its task ended in the middle of it"
                )
            }
        } catch {
            throw PipelineError.file(path: path.shown, action: "read", reason: error.reason)
        }
        if damaged > 0 {
            report.complaints.append(
                "\(path.shown): \(damaged) lines are no records and are left out; wade check names them"
            )
        }
    }

    /// Whether the line is a record.
    private mutating func add(_ scan: LineScan, _ source: Int, _ offset: Int) -> Bool {
        if schema?.facts(of: scan) != nil, let line = MergeLine(scan) {
            add(line, scan, source, offset, length: scan.count, isSpelled: true)
            return true
        }
        // Another spelling, or damage: the full reading tells.
        guard let record = try? AnnotationRecord(line: scan.all), let spelled = try? record.line()
        else { return false }
        return unsafe spelled.dropLast().withUnsafeBufferPointer { buffer in
            let respelled = unsafe LineScan(buffer)
            guard let line = MergeLine(respelled) else { return false }
            add(line, respelled, source, offset, length: scan.count, isSpelled: false)
            return true
        }
    }

    private mutating func add(
        _ line: MergeLine, _ scan: LineScan, _ source: Int, _ offset: Int, length: Int,
        isSpelled: Bool
    ) {
        let sources = sources
        index.add(
            line, source: source, offset: offset, length: length, isSpelled: isSpelled,
            answer: scan.all[line.output]
        ) { other in
            guard let bytes = try? sources[Int(other.source)].record(other) else { return [] }
            return unsafe bytes.withUnsafeBufferPointer { buffer in
                guard let line = MergeLine(unsafe LineScan(buffer)) else { return [] }
                return Array(bytes[line.output])
            }
        }
    }

    // MARK: - Writing

    private mutating func write() throws {
        let order = MergeOrder(index, expected)
        var coverage = MergeCoverage(index, expected)
        var outdated = 0
        let temporary = PathBytes(bytes: output.bytes + Array(".merging".utf8))
        do {
            var file = try ReplacementFile(of: output, by: temporary)
            var answered: Set<LedgerKey> = []
            for number in order.entries {
                let entry = index.entries[number]
                coverage.count(entry)
                let isFirst = !entry.hasContent || answered.insert(entry.original).inserted
                let bytes = try line(entry, isCopy: !isFirst)
                try file.append(bytes)
                try file.append([0x0A])
                if let task = coverage.task(of: entry), isOutdated(bytes, task) { outdated += 1 }
                report.lines += 1
                if entry.isError { report.failures += 1 }
            }
            try file.place()
        } catch let error as SystemError {
            throw PipelineError.file(
                path: output.shown, action: "write the merged output", reason: error.reason)
        }
        (report.missing, report.missingCount) = coverage.missing(index)
        report.complaints += order.complaints(index)
        if outdated > 0 {
            report.complaints.append(
                "\(outdated) \(outdated == 1 ? "answer stands" : "answers stand") behind shots that have changed since; annotate makes \(outdated == 1 ? "it" : "them") anew"
            )
        }
    }

    /// Whether the record on the line of `bytes` is to be made anew, since the shots of its video are others now.
    private func isOutdated(_ bytes: [UInt8], _ task: Int) -> Bool {
        guard let isOutdated = expected?.isOutdated else { return false }
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            LedgerLine(unsafe LineScan(buffer)).map { isOutdated($0, task) } ?? false
        }
    }

    /// The line of `entry` with its number in the merged output, as an original or as a copy.
    private func line(_ entry: MergeIndex.Entry, isCopy: Bool) throws -> [UInt8] {
        let source = sources[Int(entry.source)]
        let bytes = try source.record(entry)
        guard isCopy != entry.isCopy else {
            let place = unsafe bytes.withUnsafeBufferPointer {
                MergeLine.sequencePlace(in: unsafe LineScan($0))
            }
            guard let place else { throw source.changed }
            return bytes[..<place.lowerBound] + Array("\(report.lines)".utf8)
                + bytes[place.upperBound...]
        }
        var record: AnnotationRecord
        do { record = try AnnotationRecord(line: bytes) } catch { throw source.changed }
        let path = PathBytes(bytes: index.paths[entry.path])
        record.key = Hexadecimal.text(entry.original.bytes)
        record.sameAs = ""
        if isCopy {
            let content = Hexadecimal.bytes(record.video.contentID.utf8.dropFirst(7)) ?? []
            record.sameAs = record.key
            record.key =
                RecordKey(
                    content: content, index: record.clip.index,
                    boundary: record.clip.boundary.rawValue, task: record.task.id,
                    recipe: record.recipeID, copy: path
                ).text
        }
        record.run.sequence = report.lines
        return Array(try record.line().dropLast())
    }
}

/// A file that lines are copied from, open from the first pass to the end of the second, so that both see the same.
final class MergeSource {
    private let file: OpenFile
    private let path: PathBytes

    init(_ path: PathBytes) throws(PipelineError) {
        self.path = path
        do { file = try OpenFile(path, for: .reading) } catch {
            throw .file(path: path.shown, action: "read the part", reason: error.reason)
        }
    }

    /// The line of `entry` without its newline, spelled as we do.
    func record(_ entry: MergeIndex.Entry) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(entry.length))
        let count: Int
        do { count = try file.read(into: &bytes, at: entry.offset) } catch {
            throw PipelineError.file(
                path: path.shown, action: "read the part", reason: error.reason)
        }
        guard count == bytes.count else { throw changed }
        guard !entry.isSpelled else { return bytes }
        do { return Array(try AnnotationRecord(line: bytes).line().dropLast()) } catch {
            throw changed
        }
    }

    /// What is thrown when a line is not there any more.
    var changed: PipelineError {
        .file(
            path: path.shown, action: "copy its lines",
            reason: "it was changed while it was read; run merge again")
    }
}
