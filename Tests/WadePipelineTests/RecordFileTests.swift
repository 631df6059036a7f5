//! Facts about reading an output back: which records are current, and what is said about lines that are none.
import Foundation
import Testing

@testable import WadePipeline

/// A record of an answer, made for tests.
func madeRecord(
    _ path: String, task: String = "caption", text: String = "A dog.", sequence: Int,
    recipe: String = "0123456789abcdef"
) -> AnnotationRecord {
    var record = AnnotationRecord()
    record.video.path = path
    record.video.id = PathBytes(path).stem.text
    record.video.contentID = "sha256:" + Hexadecimal.text(Hexadecimal.sha256([Array(path.utf8)]))
    record.video.duration = 4
    record.video.width = 64
    record.video.height = 48
    record.video.codec = "h264"
    record.clip.end = 4
    record.frames.strategy = "uniform:2"
    record.frames.requested = 2
    record.frames.used = 2
    record.frames.times = [1, 3]
    record.task.id = task
    record.output.text = text
    record.output.raw = text
    record.output.finish = .eos
    record.output.tokens = 3
    record.output.attempts = 1
    record.score.meanLogProbability = -0.25
    record.score.minimumLogProbability = -0.5
    record.recipeID = recipe
    record.model.name = "tiny"
    record.run.id = "run-1"
    record.run.sequence = sequence
    record.run.createdAt = "2026-11-23T02:00:07Z"
    record.run.wadeVersion = "0.1.0"
    record.key = Hexadecimal.text(
        Hexadecimal.sha256([Array(path.utf8), Array(task.utf8), Array(recipe.utf8)]))
    return record
}

/// The same record as a failure.
func failed(
    _ record: AnnotationRecord, code: FailureCode = .notMedia, _ message: String = "no container"
)
    -> AnnotationRecord
{
    var record = record
    record.status = .error
    record.output = AnnotationRecord.Output()
    record.score = AnnotationRecord.Score()
    record.frames = AnnotationRecord.Frames()
    record.clip.end = -1
    record.error = AnnotationRecord.Failure(
        ClipFailure(code: code, stage: .decode, message: message))
    return record
}

extension TemporaryFolder {
    /// Makes the file `name` of the lines of `records`.
    @discardableResult
    func write(_ records: [AnnotationRecord], to name: String, rest: String = "") throws
        -> PathBytes
    {
        let lines = try records.map { String(decoding: try $0.line(), as: UTF8.self) }.joined()
        return write(lines + rest, to: name)
    }
}

@Suite("reading an output")
struct RecordFileTests {
    private func read(_ file: RecordFile) throws -> [AnnotationRecord] {
        var records: [AnnotationRecord] = []
        try file.forEachRecord { records.append($0) }
        return records
    }

    @Test("of two lines with one key the later number is current; a removed record is none")
    func current() throws {
        let folder = try TemporaryFolder()
        var removed = madeRecord("c.mp4", sequence: 5)
        removed.status = .removed
        let path = try folder.write(
            [
                madeRecord("a.mp4", text: "old", sequence: 0), madeRecord("b.mp4", sequence: 1),
                madeRecord("c.mp4", sequence: 2), madeRecord("a.mp4", text: "new", sequence: 4),
                removed, madeRecord("b.mp4", text: "stale", sequence: 0),
            ], to: "out.jsonl")
        let file = try RecordFile(path)
        #expect(file.lines == 6 && file.count == 2 && file.faultCount == 0)
        #expect(try read(file).map(\.output.text) == ["A dog.", "new"])
    }

    @Test("lines that are no records are named with their number, and a torn last line is told")
    func faults() throws {
        let folder = try TemporaryFolder()
        let good = try madeRecord("a.mp4", sequence: 0).line()
        let other = String(decoding: good, as: UTF8.self)
            .replacingOccurrences(of: "wade.annotation/1", with: "wade.annotation/2")
        let path = folder.write(
            String(decoding: good, as: UTF8.self) + other + "{\"key\":1}\nplain\n{\"clip\":",
            to: "out.jsonl")
        let file = try RecordFile(path)
        #expect(file.count == 1 && file.faultCount == 3 && file.tornBytes == 8)
        #expect(file.faults[0].line == 2 && file.faults[0].field == "schema")
        #expect(throws: file.error(file.faults[0])) { try file.requireRecords() }
        #expect(
            file.error(file.faults[0]).description
                == "\(path.text):2: schema: found \"wade.annotation/2\", expected wade.annotation/1"
        )
    }

    @Test("of each task the recipe that wrote last is meant, unless another is asked for")
    func selection() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            [
                madeRecord("a.mp4", sequence: 0, recipe: "1111111111111111"),
                madeRecord("a.mp4", sequence: 1, recipe: "2222222222222222"),
                madeRecord("a.mp4", task: "colour", sequence: 2, recipe: "3333333333333333"),
            ], to: "out.jsonl")
        let file = try RecordFile(path)
        #expect(file.tasks == ["caption", "colour"])
        let latest = try RecordSelection(file)
        #expect(
            latest.recipes == ["caption": "2222222222222222", "colour": "3333333333333333"])
        let one = try RecordSelection(file, tasks: ["colour"])
        #expect(one.recipes == ["colour": "3333333333333333"])
        let old = try RecordSelection(file, recipe: "1111111111111111")
        #expect(old.recipes == ["caption": "1111111111111111"])
        #expect(throws: PipelineError.self) { try RecordSelection(file, tasks: ["gone"]) }
        #expect(throws: PipelineError.self) { try RecordSelection(file, recipe: "4444") }
    }

    @Test("a file that is not there or no file is an error that names it")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        #expect(throws: PipelineError.self) { try RecordFile(folder("gone.jsonl")) }
        #expect(throws: PipelineError.self) { try RecordFile(folder.path) }
    }

    @Test("a whole file replaces what was there, and one that is given up leaves it")
    func wholeFile() throws {
        let folder = try TemporaryFolder()
        folder.write("old", to: "page")
        do {
            var given = try WholeFile(folder("page"))
            try given.write("half")
        }
        #expect(try folder.bytes("page") == Array("old".utf8))
        try WholeFile.replace(folder("page"), with: Array("new".utf8))
        #expect(try folder.bytes("page") == Array("new".utf8))
        #expect(throws: PipelineError.self) { try WholeFile.replace(folder.path, with: []) }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path.text) == ["page"])
    }
}
