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

    private func facts(_ line: String) throws -> RecordFacts? {
        let scan = try #require(RecordScan(try RecordSchema.annotation()))
        return Array(line.utf8).withUnsafeBufferPointer { scan.facts(of: LineScan($0)) }
    }

    private func isRight(_ line: String) throws -> Bool {
        let folder = try TemporaryFolder()
        folder.write(line + "\n", to: "x.jsonl")
        return try RecordChecker.check(folder("x.jsonl"), quick: false).complaints == 0
    }

    @Test("right lines of every kind are passed without being read in full")
    func quick() throws {
        var record = AnnotationRecordTests.full()
        record.run.sequence = 41
        record.output.text =
            "a \u{E9}\u{1F40E} \"quoted\" \\ \n\r\t \u{1} \u{7F} \u{85} \u{2028} end"
        record.video.path = "caf\u{E9}/\u{65E5}\u{672C}.mp4"
        var line = String(decoding: try record.line().dropLast(), as: UTF8.self)
        var found = try #require(try facts(line))
        #expect(found.sequence == 41 && found.key == LedgerKey(Array(repeating: 0xAB, count: 32)))
        record.status = .error
        record.output = AnnotationRecord.Output()
        record.error = .init(ClipFailure(code: .timeout, stage: .decode, message: "late"))
        line = String(decoding: try record.line().dropLast(), as: UTF8.self)
        found = try #require(try facts(line))
        #expect(found.status == 3)
        #expect(try facts(String(line.dropLast())) == nil && facts(line + " ") == nil)
        #expect(try facts("") == nil && facts("{}") == nil)
    }

    @Test(
        "a number is passed exactly when it is spelled as we spell it",
        arguments: [
            "0.0", "-0.0", "1.0", "0.1", "0.001", "0.0011", "123456789012345.0",
            "0.333333333333333",
            "0.3333333333333333", "-0.13346396200358868", "1.0e-05", "1.5e+20", "5.0e-324",
            "1.7976931348623157e+308", "9007199254740993.0", "999999999999999.9", "0.10", "1.00",
            "01.0",
            "1", "1.", ".5", "+1.0", "1e5", "1.0E5", "1e-05", "0.00001", "1.0e400", "-", "--1.0",
            "1.0.0",
            "0.1000000000000000055511151231257827", "12345678901234567.0", "1.0e16", "1.0e+16",
            "nan",
            "0.30000000000000004", "0.00099", "0.0001", "00.0", "-00.0", "1.0 ",
            "1000000000000000.0",
        ])
    func numbers(text: String) throws {
        let line = String(
            decoding: try AnnotationRecordTests.full().line().dropLast(), as: UTF8.self)
        let place = try #require(line.range(of: "\"duration_s\":2.0"))
        let changed = line.replacingCharacters(in: place, with: "\"duration_s\":\(text)")
        #expect(try (facts(changed) != nil) == isRight(changed))
    }

    @Test(
        "a text, a whole number, a flag or a word is passed exactly when it is spelled as we spell it",
        arguments: [
            ("\"text\":", "\"\\u00e9\""), ("\"text\":", "\"\\u0001\""),
            ("\"text\":", "\"\\u001F\""),
            ("\"text\":", "\"\\u001f\""), ("\"text\":", "\"\\u000a\""), ("\"text\":", "\"\\/\""),
            ("\"text\":", "\"\\u2028\""), ("\"text\":", "\"\u{2028}\""),
            ("\"text\":", "\"\u{7F}\""),
            ("\"text\":", "\"\u{85}\""), ("\"text\":", "\"\\ud83d\\udc0e\""),
            ("\"text\":", "\"\\ud83d\""),
            ("\"text\":", "\"a\tb\""), ("\"text\":", "\"\\\""), ("\"text\":", "\"\\x\""),
            ("\"text\":", "\"\\u00\""),
            ("\"text\":", "null"), ("\"tokens\":", "-0"), ("\"tokens\":", "007"),
            ("\"tokens\":", "-1"),
            ("\"tokens\":", "2147483647"), ("\"tokens\":", "2147483648"), ("\"tokens\":", "3.0"),
            ("\"seq\":", "9223372036854775808"), ("\"vfr\":", "True"), ("\"vfr\":", "true"),
            ("\"vfr\":", "0"),
            ("\"boundary\":", "\"Whole\""), ("\"boundary\":", "\"whole\""), ("\"id\":", "\"\""),
            ("\"recipe_id\":", "\"ABCDEF0123456789\""), ("\"recipe_id\":", "\"abcdef012345678\""),
            ("\"recipe_id\":", "\"abcdef0123456789\""), ("\"mtime\":", "\"2026-11-26T01:13:46Z\""),
            ("\"mtime\":", "\"2026-11-26T01:13:46.Z\""),
            ("\"mtime\":", "\"2026-11-26T01:13:46.5Z\""),
            ("\"mtime\":", "\"2026-11-26 01:13:46Z\""), ("\"content_id\":", "\"\""),
            ("\"content_id\":", "\"sha256:0\""),
            ("\"choice\":", "7"), ("\"choice\":", "-1"), ("\"pts_s\":", "[1.0,0.5]"),
            ("\"pts_s\":", "[0.5,0.5]"),
            ("\"pts_s\":", "[]"), ("\"pts_s\":", "[0.5,]"), ("\"pts_s\":", "[0.5 ,1.0]"),
            ("\"pts_s\":", "[1]"),
            ("\"code\":", "\"timeout\""), ("\"code\":", "\"nothing\""),
            ("\"choices\":", "[\"a\",\"b\"]"),
        ])
    func spellings(name: String, value: String) throws {
        let line = String(
            decoding: try AnnotationRecordTests.full().line().dropLast(), as: UTF8.self)
        let start = try #require(line.range(of: name)).upperBound
        let isList = line[start] == "["
        let end = try #require(
            line[start...].firstIndex { isList ? $0 == "]" : $0 == "," || $0 == "}" })
        let changed =
            String(line[..<start]) + value + line[(isList ? line.index(after: end) : end)...]
        let isRight = try isRight(changed)
        if isRight {
            #expect(try facts(changed) != nil, "\(changed)")
        } else {
            #expect(try facts(changed) == nil, "\(changed)")
        }
    }

    @Test("whatever happens to the bytes, the quick check finds what the full one finds")
    func equalFindings() throws {
        let folder = try TemporaryFolder()
        var random = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for sequence in 0..<150 {
            var record = AnnotationRecordTests.full()
            record.run.sequence = sequence
            var line = try record.line()
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let at = Int.random(in: 0..<(line.count - 1), using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: line.remove(at: at)
                case 1:
                    line.insert(line[Int.random(in: 0..<(line.count - 1), using: &random)], at: at)
                case 2: line[at] = UInt8.random(in: 0x0B...0xFF, using: &random)
                default:
                    line[at] =
                        Array("0123456789.-eE\"\\{}[],: ".utf8).randomElement(using: &random)
                        ?? 0x30
                }
            }
            bytes += line
        }
        try folder.replace("x.jsonl", with: bytes)
        let quick = try RecordChecker.check(folder("x.jsonl"))
        let full = try RecordChecker.check(folder("x.jsonl"), quick: false)
        #expect(quick.findings == full.findings && quick.statuses == full.statuses)
        #expect(quick.replaced == full.replaced && quick.keys == full.keys && quick.lines == 150)
    }

    @Test("shapes match what their expression matches, where they match at all")
    func shapes() throws {
        for pattern in ["^$|^[0-9a-f]{4}$", "^[0-9]{2}T(\\.[0-9]+)?Z$", "^.+$", "^ab-c$"] {
            let shape = try #require(TextShape(pattern))
            let regex = try Regex(pattern)
            for text in [
                "", "0", "00ff", "00fF", "00ff0", "12TZ", "12T.5Z", "12T.Z", "12TZ ", "ab-c",
                "\u{E9}",
            ] {
                let bytes = Array(text.utf8)
                let matches = shape.matches(count: bytes.count) { bytes[$0] }
                #expect(matches == (text.firstMatch(of: regex) != nil), "\(pattern) \(text)")
            }
        }
        for pattern in [
            "a", "^a*$", "^(a|b)$", "^[^a]$", "^\\d$", "^a{2,3}$", "^[a$", "^(a$", "^a)$",
        ] {
            #expect(TextShape(pattern) == nil, "\(pattern)")
        }
    }
}
