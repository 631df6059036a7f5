//! The shots of videos with their answers, as the output of an earlier pass holds them.
package import WadeVideo

/// A shot with what was said about it.
package struct AnsweredShot: Sendable, Equatable {
    /// Its position among the video's shots.
    package var index: Int
    /// Where it is in the video; nil for a file that was not cut.
    package var span: ClipSpan?
    /// What it adds to the prompt: words, with one `<image>`.
    package var words: String
}

/// The shots of one video that a prompt takes.
package struct ShotChoice: Sendable, Equatable {
    /// Where their lines are.
    fileprivate let places: [ShotTable.Place]
    /// What is to be said about the choice: `shots_missing`, `shots_thinned`.
    package let flags: [AnnotationRecord.Flag]

    /// What records say instead of demonstrations' ids, in the order of the prompt.
    package var ids: [String] { places.map { "shot:\($0.index)" } }

    /// `demos.set_id` of a record about the video whose demonstrations have the id `demonstrations`.
    package func setID(demonstrations: String) -> String {
        var fields = [Array("shots".utf8), Array(demonstrations.utf8)]
        fields += places.map { Array("\($0.digest)".utf8) }
        return String(Hexadecimal.text(Hexadecimal.sha256(fields)).prefix(16))
    }
}

/// An index of a JSONL file, made in one pass: some 60 bytes a line, and no texts. The file stays open, so that what the index says holds
/// while another run appends to the file or puts another one in its place.
package final class ShotTable: Sendable {
    /// Where the record of one shot stands.
    fileprivate struct Place: Sendable, Equatable {
        let content: UInt64
        let recipe: UInt64
        let digest: UInt64
        let sequence: Int
        let offset: Int
        let length: Int32
        let index: Int32
        let count: Int32
        let isAnswer: Bool
        let isRemoved: Bool
    }

    private let source: ShotSource
    private let file: OpenFile
    /// By content, then by position.
    private let places: [Place]
    /// The contents of files by path, size and time, as `PathIdentity` hashes them.
    private let contents: [UInt64: LedgerKey]

    /// Reads the file of `source`; a last line without its end is not there yet. Throws `file` when the file is missing, `pipeline` with
    /// the number of the first line that is no record, and `request` when no line is about the task.
    package init(_ source: ShotSource) throws(PipelineError) {
        self.source = source
        let path = source.file
        var found = Found(task: source.task)
        do {
            file = try OpenFile(path, for: .reading)
            guard try file.status().kind == .regular else {
                throw PipelineError.file(
                    path: path.shown, action: "read the shots", reason: "it is no regular file")
            }
            var reader = LineReader(try OpenFile(path, for: .reading))
            _ = try reader.forEachLine { offset, scan in found.add(scan, at: offset) }
        } catch let error as SystemError {
            let hint =
                FileStatus.isMissing(path) ? "; the first pass, which writes it, comes first" : ""
            throw .file(path: path.shown, action: "read the shots", reason: error.reason + hint)
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .file(path: path.shown, action: "read the shots", reason: "\(error)")
        }
        if let (line, error) = found.fault {
            guard case .record(let field, let found, let expected) = error else { throw error }
            throw .pipeline(
                place: "\(path.shown):\(line): \(field)", found: found, expected: expected)
        }
        contents = found.contents
        guard !found.hasTask, !found.others.isEmpty else {
            places = found.current()
            return
        }
        throw .request(
            found: "no record of task \(source.task.shownShort) in \(path.shown)",
            expected: "one of its tasks as `task` of `shots`: "
                + found.others.map(\.shownShort).joined(separator: ", "))
    }

    /// What has been read.
    private struct Found {
        let task: String
        var places: [Place] = []
        var contents: [UInt64: LedgerKey] = [:]
        var lines = 0
        var hasTask = false
        var others: [String] = []
        var fault: (line: Int, error: PipelineError)?
        var latest = (sequence: Int.min, recipe: UInt64(0))

        init(task: String) { self.task = task }

        mutating func add(_ scan: LineScan, at offset: Int) {
            lines += 1
            guard fault == nil else { return }
            do throws(PipelineError) {
                let line = try ShotLine(scan, task: task)
                guard line.isOfTask else {
                    if others.count < 20, !others.contains(line.otherTask) {
                        others.append(line.otherTask)
                    }
                    return
                }
                hasTask = true
                if line.sequence >= latest.sequence, !line.isRemoved {
                    latest = (line.sequence, line.recipe)
                }
                guard line.content != .none else { return }
                contents[line.place] = line.content
                places.append(
                    Place(
                        content: line.content.words.0, recipe: line.recipe, digest: line.digest,
                        sequence: line.sequence, offset: offset,
                        length: Int32(clamping: scan.count),
                        index: Int32(clamping: line.index), count: Int32(clamping: line.count),
                        isAnswer: line.isAnswer, isRemoved: line.isRemoved))
            } catch {
                fault = (lines, error)
            }
        }

        /// The latest line of every shot by the recipe that wrote last; answers of earlier prompts are not mixed with them.
        func current() -> [Place] {
            let sorted = places.filter { $0.recipe == latest.recipe }.sorted {
                ($0.content, $0.index, $1.sequence, $1.offset)
                    < ($1.content, $1.index, $0.sequence, $0.offset)
            }
            var kept: [Place] = []
            for place in sorted
            where kept.last?.content != place.content || kept.last?.index != place.index {
                kept.append(place)
            }
            return kept.filter { !$0.isRemoved }
        }
    }

    /// The hash of the content that the file at `path` had for the earlier pass when it had this size and time; nil when no line says.
    func content(of path: PathBytes, status: FileStatus) -> [UInt8]? {
        let identity = PathIdentity(path, modified: status.modified)
        return contents[identity.placeHash(bytes: status.size)]?.bytes
    }

    /// Whether there is anything about the shots of the file with `content`.
    func holdsSome(of content: [UInt8]) -> Bool {
        let place = firstPlace(of: LedgerKey(content).words.0)
        return place < places.count && places[place].content == LedgerKey(content).words.0
    }

    /// The number of the first place of the content whose hash begins with `key`, or of the one behind it.
    private func firstPlace(of key: UInt64) -> Int {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].content < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Why a run had nothing to answer: `count` videos wait for their shots, of which `some` have a few.
    func complaint(waiting count: Int, some: Int) -> String {
        let videos =
            count == 1 ? "the one video waits for its" : "all \(count) videos wait for their"
        let place = "in \(source.file.shown), task \(source.task.shownShort)"
        let what =
            some == 0
            ? "none of them is \(place): the first pass is yet to run over these files, or was about others"
            : "\(some) of them \(some == 1 ? "is" : "are") there in part, \(place): the first pass has not ended, or another pipeline of it wrote last; run it again"
        return "nothing was answered: \(videos) shots; \(what)"
    }

    /// The shots of the file with `content` that a prompt takes; nil while the first pass has not written something about each of them.
    /// A shot without an answer is left out, and the flags say so; of more shots than may be taken, those in the middle of equal groups are.
    package func choice(of content: [UInt8]) -> ShotChoice? {
        let key = LedgerKey(content).words.0
        let all = places[firstPlace(of: key)...].prefix { $0.content == key }
        guard let latest = all.max(by: { $0.sequence < $1.sequence }) else { return nil }
        let shots = all.filter { $0.index < latest.count && $0.count == latest.count }
        guard shots.count == Int(latest.count) else { return nil }
        let answered = shots.filter(\.isAnswer)
        var flags: [AnnotationRecord.Flag] = []
        if answered.count < shots.count { flags.append(.shotsMissing) }
        if answered.count > source.limit { flags.append(.shotsThinned) }
        let taken = min(answered.count, source.limit)
        return ShotChoice(
            places: (0..<taken).map { answered[(2 * $0 + 1) * answered.count / (2 * taken)] },
            flags: flags)
    }

    /// Throws `file` unless there are answers about all shots of the file at `path`.
    package func requireShots(of path: PathBytes) throws(PipelineError) {
        guard let identity = try? ContentIdentity.read(path, known: { _ in nil }),
            choice(of: identity.digest) == nil
        else { return }
        throw .file(
            path: path.shown, action: "answer",
            reason: "not all of its shots are in \(source.file.shown) yet")
    }

    /// The shots of `choice` with their words. Fails when their lines are not what they were when the index was made.
    package func shots(_ choice: ShotChoice) throws(ClipFailure) -> [AnsweredShot] {
        var shots: [AnsweredShot] = []
        for place in choice.places { shots.append(try shot(at: place)) }
        return shots
    }

    private func shot(at place: Place) throws(ClipFailure) -> AnsweredShot {
        do {
            var bytes = [UInt8](repeating: 0, count: Int(place.length))
            let count = try file.read(into: &bytes, at: place.offset)
            let record = try AnnotationRecord(line: Array(bytes.prefix(count)))
            let isSame = try unsafe bytes.withUnsafeBufferPointer { buffer in
                try ShotLine(unsafe LineScan(buffer), task: source.task).digest == place.digest
            }
            guard isSame else {
                throw PipelineError.record(
                    field: "output", found: "another line", expected: "the one that was there")
            }
            let template =
                source.template
                ?? .standard(for: record.task.type, hasQuestion: !record.task.question.isEmpty)
            let span = ClipSpan.Boundary(rawValue: record.clip.boundary.rawValue).flatMap {
                $0 == .whole
                    ? nil
                    : ClipSpan(start: record.clip.start, end: record.clip.end, boundary: $0)
            }
            return AnsweredShot(
                index: Int(place.index), span: span,
                words: template.demonstration(
                    question: record.task.question,
                    answer: PromptTemplate.plain(record.output.text), hasClip: true))
        } catch {
            throw ClipFailure(
                code: .inputOutput, stage: .read,
                message:
                    "the record of shot \(place.index) has changed while the run used it: \(error)")
        }
    }
}
