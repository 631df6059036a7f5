//! Facts about following an output: whole lines, each once, whatever happens to the file.
import Foundation
import Testing

@testable import WadePipeline

@Suite("following an output")
struct RecordTailTests {
    /// What a consumer has seen.
    private final class Seen {
        var numbers: [Int] = []
        var notices: [RecordTail.Notice] = []
    }

    private func line(_ sequence: Int, _ path: String = "a.mp4") throws -> String {
        String(decoding: try madeRecord(path, sequence: sequence).line(), as: UTF8.self)
    }

    private func look(_ tail: inout RecordTail, _ seen: Seen, mayBeMissing: Bool = true) throws {
        try tail.read(mayBeMissing: mayBeMissing) { (line) throws(PipelineError) in
            let record = try AnnotationRecord(line: line)
            seen.numbers.append(record.run.sequence)
        } tell: {
            seen.notices.append($0)
        }
    }

    private func append(_ text: String, to path: PathBytes) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path.text))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    @Test("only whole lines beyond the cursor are given, and a torn one once it is whole")
    func wholeLines() throws {
        let folder = try TemporaryFolder()
        let fourth = try line(4)
        let path = folder.write(
            try line(1) + line(2) + line(3) + String(fourth.prefix(20)), to: "out.jsonl")
        let seen = Seen()
        var tail = RecordTail(path, after: 1)
        try look(&tail, seen)
        #expect(seen.numbers == [2, 3])
        try append(String(fourth.dropFirst(20).dropLast(3)), to: path)
        try look(&tail, seen)
        #expect(seen.numbers == [2, 3])
        try append(String(fourth.suffix(3)) + line(5), to: path)
        try look(&tail, seen)
        #expect(seen.numbers == [2, 3, 4, 5] && seen.notices == [])
    }

    @Test("a torn line that is cut off and written anew is given once")
    func cutTornLine() throws {
        let folder = try TemporaryFolder()
        let path = folder.write(try line(1) + "{\"clip\":{\"boun", to: "out.jsonl")
        let seen = Seen()
        var tail = RecordTail(path, after: -1)
        try look(&tail, seen)
        try folder.replace("out.jsonl", with: Array((try line(1) + line(2)).utf8))
        try look(&tail, seen)
        #expect(seen.numbers == [1, 2] && seen.notices == [])
    }

    @Test("of a file that takes its place, and of one that was emptied, every line is given")
    func rotation() throws {
        let folder = try TemporaryFolder()
        let path = folder.write(try line(7) + line(8), to: "out.jsonl")
        let seen = Seen()
        var tail = RecordTail(path, after: 6)
        try look(&tail, seen)
        try append(line(9), to: path)
        #expect(rename(path.text, folder("out.1.jsonl").text) == 0)
        try look(&tail, seen)
        #expect(seen.numbers == [7, 8, 9])
        folder.write(try line(0, "b.mp4") + line(1, "b.mp4"), to: "out.jsonl")
        try look(&tail, seen)
        #expect(seen.numbers == [7, 8, 9, 0, 1] && seen.notices == [.replaced])
        // copytruncate: the same file, empty, then longer than it was.
        try folder.replace("out.jsonl", with: [])
        try append(line(0, "c.mp4") + line(1, "c.mp4") + line(2, "c.mp4"), to: path)
        try look(&tail, seen)
        #expect(seen.numbers == [7, 8, 9, 0, 1, 0, 1, 2])
        #expect(seen.notices == [.replaced, .replaced])
    }

    @Test("a file that was written anew with the line given last goes on after it")
    func rewritten() throws {
        let folder = try TemporaryFolder()
        let path = folder.write(try line(1) + line(2), to: "out.jsonl")
        let seen = Seen()
        var tail = RecordTail(path, after: -1)
        try look(&tail, seen)
        folder.write(try line(2) + line(3), to: "new")
        #expect(rename(folder("new").text, path.text) == 0)
        try look(&tail, seen)
        #expect(seen.numbers == [1, 2, 3] && seen.notices == [])
    }

    @Test("what is no record is passed over and told; a cursor beyond the file is told once")
    func notices() throws {
        let folder = try TemporaryFolder()
        let path = folder.write(try line(1) + "no record\n" + line(2), to: "out.jsonl")
        let seen = Seen()
        var tail = RecordTail(path, after: 40)
        try look(&tail, seen)
        try look(&tail, seen)
        #expect(seen.numbers == [])
        #expect(seen.notices == [.noRecord(line: 2), .cursorBeyond(greatest: 2)])
    }

    @Test("a missing file is waited for or is an error, as asked")
    func missing() throws {
        let folder = try TemporaryFolder()
        let seen = Seen()
        var tail = RecordTail(folder("out.jsonl"), after: -1)
        #expect(throws: PipelineError.self) { try look(&tail, seen, mayBeMissing: false) }
        try look(&tail, seen)
        folder.write(try line(0), to: "out.jsonl")
        try look(&tail, seen)
        #expect(seen.numbers == [0])
        var other = RecordTail(folder.path, after: -1)
        #expect(throws: PipelineError.self) { try look(&other, seen) }
    }
}
