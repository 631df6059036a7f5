//! `wade export`: an output in the layouts that the tools of the field read.

/// An export of what a selection means of a file.
package struct Export: Sendable {
    private let file: RecordFile
    private let selection: RecordSelection
    private let format: ExportFormat
    private let keepsEmpty: Bool

    /// `keepsEmpty` lets records without an answer stand in results with an empty text, for scorers that want every id. Throws
    /// `request` where the layout has no place for what is asked.
    package init(
        _ file: RecordFile, _ selection: RecordSelection, as format: ExportFormat,
        keepsEmpty: Bool = false
    ) throws(PipelineError) {
        guard !format.isOfOneTask || selection.recipes.count <= 1 else {
            throw .request(
                found: "the answers to \(selection.recipes.count) tasks: "
                    + selection.recipes.keys.sorted().map(\.shownShort).joined(separator: ", "),
                expected: "those to one (--task), since \(format.rawValue) holds one per clip")
        }
        guard !keepsEmpty || format.holdsEmptyAnswers else {
            throw .request(
                found: "--keep-errors",
                expected: "none: \(format.rawValue) "
                    + (format.isTable ? "holds all records" : "has no place for them"))
        }
        self.file = file
        self.selection = selection
        self.format = format
        self.keepsEmpty = keepsEmpty
    }

    /// Writes to the file at `output`, whole or not at all.
    package func write(to output: PathBytes) throws -> ExportResult {
        var whole = try WholeFile(output)
        let result = try write { try whole.write($0) }
        try whole.commit()
        return result
    }

    /// Writes piece by piece to `emit`; subtitles have no such form.
    package func write(_ emit: ([UInt8]) throws -> Void) throws -> ExportResult {
        try file.requireRecords()
        switch format {
        case .csv, .parquetReady: return try writeTable(emit)
        case .coco, .vqa: return try writeResults(emit)
        case .activityNet, .msrvtt, .vatex: return try writeGroups(emit)
        case .vtt, .srt:
            throw PipelineError.request(
                found: "one output for \(format.rawValue)",
                expected: "a folder: there is one file per video")
        }
    }

    // MARK: - Tables

    private func writeTable(_ emit: ([UInt8]) throws -> Void) throws -> ExportResult {
        let table = try FlatTable()
        var result = ExportResult()
        if format == .csv { try emit(table.header) }
        try file.forEachLine { record, line in
            guard isMeant(record, &result) else { return }
            result.answers += 1
            try emit(format == .csv ? table.csv(line) : table.json(line))
        }
        return result
    }

    /// Whether the record is to be written; what nobody asked to leave out is counted.
    private func isMeant(_ record: AnnotationRecord, _ result: inout ExportResult) -> Bool {
        if selection.isOvertaken(record) { result.leaveOut("of another recipe") }
        return selection.contains(record)
    }

    // MARK: - Results

    /// Every answer that is meant, in the order of the file; `body` says whether it took the answer, and if not, why.
    private func forEachAnswer(
        _ result: inout ExportResult, _ body: (ExportedAnswer) throws -> String?
    ) throws {
        try file.forEachRecord { record in
            guard isMeant(record, &result) else { return }
            let isAnswer = record.status == .ok || record.status == .degraded
            guard isAnswer || keepsEmpty else { return result.leaveOut(record.status.rawValue) }
            if let reason = try body(ExportedAnswer(record)) {
                result.leaveOut(reason)
            } else {
                result.answers += 1
            }
        }
    }

    private func writeResults(_ emit: ([UInt8]) throws -> Void) throws -> ExportResult {
        var result = ExportResult()
        var seen: [JSONText: PathBytes] = [:]
        var texts = 0
        try emit([0x5B])
        try forEachAnswer(&result) { answer in
            let id = format == .coco ? answer.imageID : try questionID(answer)
            if case .string = id { texts += 1 }
            let spelled = JSONText(bytes: try JSONWriter.bytes(of: id))
            if let other = seen[spelled] { throw doubled(spelled, other, answer.path) }
            let entry: JSONValue =
                format == .coco
                ? ["image_id": id, "caption": .string(answer.text)]
                : ["question_id": id, "answer": .string(answer.text)]
            try emit((seen.isEmpty ? [0x0A] : [0x2C, 0x0A]) + JSONWriter.bytes(of: entry))
            seen[spelled] = answer.path
            return nil
        }
        try emit([0x0A, 0x5D, 0x0A])
        if texts > 0 {
            result.notes.append(
                "\(texts) ids are no whole numbers and are written as texts, as they must stand in the annotations"
            )
        }
        return result
    }

    /// A JSON value as it is spelled.
    private struct JSONText: Hashable {
        let bytes: [UInt8]
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private func questionID(_ answer: ExportedAnswer) throws(PipelineError) -> JSONValue {
        guard answer.questionID >= 0 else {
            throw .request(
                found: "no question id for \(answer.path.shown)",
                expected: "question_id in the task, or a custom_id of digits")
        }
        return .integer(answer.questionID)
    }

    private func doubled(_ id: JSONText, _ one: PathBytes, _ other: PathBytes) -> PipelineError {
        .request(
            found: "the id \(id.text) twice: \(one.shown), \(other.shown)",
            expected: "each once; custom_id in the pipeline's output gives clips ids of their own")
    }

    // MARK: - Groups

    private func writeGroups(_ emit: ([UInt8]) throws -> Void) throws -> ExportResult {
        var result = ExportResult()
        var groups = AnswerGroups()
        try forEachAnswer(&result) { answer in
            if format != .vatex, answer.end <= answer.start { return "without a span of time" }
            try groups.add(answer, by: format == .msrvtt ? answer.clipID : answer.videoID)
            return nil
        }
        let value: JSONValue =
            switch format {
            case .activityNet: groups.activityNet
            case .msrvtt: groups.msrvtt
            default: groups.vatex
            }
        try emit(JSONWriter.bytes(of: value) + [0x0A])
        return result
    }

    // MARK: - Subtitles

    /// Writes one file per video below `folder`, at the video's path with another extension. Nothing is written unless all can be:
    /// throws when a file is there and `replaces` is false, for it may be somebody's own.
    package func write(below folder: PathBytes, replaces: Bool) throws -> ExportResult {
        try file.requireRecords()
        var result = ExportResult()
        var videos: [PathBytes] = []
        var cues: [PathBytes: [Cue]] = [:]
        try forEachAnswer(&result) { answer in
            guard let cue = Cue(start: answer.start, end: answer.end, text: answer.text) else {
                return "without words or a span of time"
            }
            if cues[answer.path] == nil { videos.append(answer.path) }
            cues[answer.path, default: []].append(cue)
            return nil
        }
        let names = try subtitleNames(videos)
        for (name, _) in names where !replaces && !FileStatus.isMissing(folder.appending(name)) {
            throw PipelineError.file(
                path: folder.appending(name).shown, action: "write",
                reason: "it is there; --replace replaces it")
        }
        for (name, video) in names {
            let path = folder.appending(name)
            try WholeFile.makeFolder(path.folder)
            let sorted = (cues[video] ?? []).sorted { ($0.start, $0.end) < ($1.start, $1.end) }
            let text = format == .vtt ? Subtitles.vtt(sorted) : Subtitles.srt(sorted)
            try WholeFile.replace(path, with: Array(text.utf8))
        }
        result.files = names.count
        return result
    }

    /// Where the subtitles of each video go. Players look for the video's name with another extension; two videos that differ in their
    /// extension alone keep it.
    private func subtitleNames(_ videos: [PathBytes]) throws(PipelineError) -> [(
        PathBytes, PathBytes
    )] {
        let ending = Array(".\(format.rawValue)".utf8)
        func name(_ video: PathBytes, keepingExtension: Bool) -> PathBytes {
            let last = keepingExtension ? video.name : video.stem
            let own = PathBytes(bytes: last.bytes + ending)
            return video.folder.bytes.isEmpty ? own : video.folder.appending(own)
        }
        var counts: [PathBytes: Int] = [:]
        for video in videos {
            guard !video.components.isEmpty, video.bytes.first != UInt8(ascii: "/"),
                !video.components.contains([0x2E, 0x2E])
            else {
                throw .request(
                    found: "the path \(video.shown) in a record",
                    expected: "one that stays below the folder")
            }
            counts[name(video, keepingExtension: false), default: 0] += 1
        }
        return videos.map { video in
            let short = name(video, keepingExtension: false)
            return (counts[short] == 1 ? short : name(video, keepingExtension: true), video)
        }
    }
}

/// Answers by the video or clip that they are about, in the order of their first appearance.
private struct AnswerGroups {
    private var order: [String] = []
    private var groups: [String: [ExportedAnswer]] = [:]
    private var latest = ""

    /// Adds `answer` under `id`; throws when another file has that id already.
    mutating func add(_ answer: ExportedAnswer, by id: String) throws(PipelineError) {
        if let other = groups[id]?.first, other.path != answer.path {
            throw .request(
                found: "the id \(id.shownShort) twice: \(other.path.shown), \(answer.path.shown)",
                expected: "each once; files need different names, or their clips a custom_id")
        }
        if groups[id] == nil { order.append(id) }
        groups[id, default: []].append(answer)
        latest = max(latest, answer.createdAt)
    }

    private var all: [(id: String, answers: [ExportedAnswer])] {
        order.map { ($0, groups[$0] ?? []) }
    }

    /// densevid_eval's sample submission: ids begin with `v_`, spans in seconds.
    var activityNet: JSONValue {
        let results = all.map { id, answers in
            JSONMember(
                id.hasPrefix("v_") ? id : "v_" + id,
                .array(
                    answers.map { answer in
                        [
                            "sentence": .string(answer.text),
                            "timestamp": .numbers([answer.start, answer.end]),
                        ]
                    }))
        }
        return [
            "version": .string("VERSION 1.0"), "results": .object(results),
            "external_data": [
                "used": .bool(true), "details": .string("captions by wade \(Program.version)"),
            ],
        ]
    }

    /// The data set's own layout; categories are not known and are -1, everything belongs to the test split.
    var msrvtt: JSONValue {
        var videos: [JSONValue] = []
        var sentences: [JSONValue] = []
        for (index, (id, answers)) in all.enumerated() {
            videos.append([
                "id": .integer(index), "video_id": .string(id), "category": .integer(-1),
                "url": .string(""), "start time": .number(answers[0].start),
                "end time": .number(answers[0].end), "split": .string("test"),
            ])
            for answer in answers {
                sentences.append([
                    "sen_id": .integer(sentences.count), "video_id": .string(id),
                    "caption": .string(answer.text),
                ])
            }
        }
        return [
            "info": [
                "contributor": .string("wade \(Program.version)"),
                "data_created": .string(
                    String(latest.prefix(19)).replacing("T", with: " ")),
                "version": .string("1.0"), "description": .string("captions by wade"),
                "year": .string(String(latest.prefix(4))),
            ],
            "videos": .array(videos), "sentences": .array(sentences),
        ]
    }

    /// The data set's own layout, with the captions of a video's clips together.
    var vatex: JSONValue {
        .array(
            all.map { id, answers in
                ["videoID": .string(id), "enCap": .strings(answers.map(\.text))]
            })
    }
}
