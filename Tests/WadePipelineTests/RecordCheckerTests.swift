//! Facts about the checking of outputs.
import Foundation
import Testing

@testable import WadePipeline

@Suite("wade check")
struct RecordCheckerTests {
    @Test("a good file has no findings; each kind of damage is found on its line")
    func findings() throws {
        let folder = try TemporaryFolder()
        var lines: [String] = []
        for sequence in 0..<6 {
            var record = AnnotationRecordTests.full()
            record.run.sequence = sequence
            if sequence == 5 { record.output.text = "later" }
            lines.append(String(decoding: try record.line(), as: UTF8.self))
        }
        folder.write(lines.joined(), to: "good.jsonl")
        let good = try RecordChecker.check(folder("good.jsonl"))
        #expect(good.findings == [])
        #expect(good.lines == 6 && good.keys == 1 && good.replaced == 5)
        #expect(good.statuses == ["degraded": 1])

        lines[1] = lines[1].replacingOccurrences(of: "\"vfr\":false", with: "\"vfr\":1")
        lines[2] = lines[2].replacingOccurrences(
            of: "\"duration_s\":2.0", with: "\"duration_s\": 2.0")
        lines[3] = lines[0]
        lines[4] = lines[4].replacingOccurrences(of: "degraded", with: "error")
        lines[5] = String(lines[5].dropLast(10))
        folder.write(lines.joined(), to: "bad.jsonl")
        let bad = try RecordChecker.check(folder("bad.jsonl"))
        #expect(bad.findings.map(\.line) == [2, 3, 4, 5, 6])
        #expect(bad.findings[0].text.hasPrefix("video.vfr: found the integer 1, expected boolean"))
        #expect(bad.findings[4].text.contains("torn"))
    }

    @Test("bytes that are not UTF-8 are found")
    func notUTF8() throws {
        let folder = try TemporaryFolder()
        folder.write("", to: "x.jsonl")
        try folder.replace("x.jsonl", with: [0x7B, 0xFF, 0x7D, 0x0A])
        let checker = try RecordChecker.check(folder("x.jsonl"))
        #expect(checker.findings.count == 1)
        #expect(checker.findings.first?.text.contains("UTF-8") == true)
    }
}
