//! Facts about the record and its line.
import Foundation
import Testing

@testable import WadePipeline

@Suite("the annotation record")
struct AnnotationRecordTests {
    static func full() -> AnnotationRecord {
        var record = AnnotationRecord()
        record.key = String(repeating: "ab", count: 32)
        record.recipeID = "0123456789abcdef"
        record.customID = "clip-1"
        record.status = .degraded
        record.video.path = "a\u{2028}b\u{9b}\"\\\n/c\u{FFFD}.mp4"
        record.video.pathBytesBase64 = "YQ=="
        record.video.contentID = "sha256:" + String(repeating: "0f", count: 32)
        record.video.mtime = "2026-11-23T02:00:07.000000001Z"
        record.video.bytes = 9_007_199_254_740_993
        record.video.duration = 2
        record.clip.end = 0.1 + 0.2
        record.frames.times = [0, .leastNonzeroMagnitude, 1e-7, 1e20]
        record.task.id = "caption"
        record.task.choices = ["ja", "nein"]
        record.output.text = "A dog 🐕"
        record.output.choice = 1
        record.output.choiceLogProbabilities = [-0.5, -1]
        record.demonstrations.setID = "0123456789abcdef"
        record.flags = [.truncatedFile, .shortClip]
        record.run.createdAt = "2026-11-23T02:00:07Z"
        return record
    }

    @Test("a line read back is the same record")
    func roundTrip() throws {
        let record = Self.full()
        var read = try AnnotationRecord(line: record.line())
        #expect(read.flags == [.shortClip, .truncatedFile])
        read.flags = record.flags
        #expect(read == record)
    }

    @Test("members are sorted, floats have a point, and nothing breaks a line")
    func spelling() throws {
        let line = String(decoding: try Self.full().line(), as: UTF8.self)
        #expect(
            line.hasPrefix(
                "{\"clip\":{\"boundary\":\"whole\",\"count\":1,\"end_s\":0.30000000000000004"))
        #expect(line.contains("\"duration_s\":2.0,"))
        #expect(line.contains("\"pts_s\":[0.0,5.0e-324,1.0e-07,1.0e+20]"))
        #expect(line.contains("a\\u2028b\\u009b\\\"\\\\\\n/c"))
        #expect(line.contains("\"bytes\":9007199254740993,"))
        #expect(line.filter { $0 == "\n" }.count == 1 && line.hasSuffix("}\n"))
        #expect(!line.contains("null"))
    }

    @Test("every line has the same members with the same types as every other")
    func sameMembers() throws {
        func shape(_ value: JSONValue) -> String {
            switch value {
            case .object(let members):
                return "{" + members.map { "\($0.name):\(shape($0.value))" }.joined(separator: ",")
                    + "}"
            case .array: return "[]"
            case .string: return "s"
            case .integer: return "i"
            case .number: return "n"
            case .bool: return "b"
            case .null: return "null"
            }
        }
        var failed = AnnotationRecord()
        failed.error = .init(ClipFailure(code: .notMedia, stage: .decode, message: "x"))
        let full = try JSONReader.read(Self.full().line())
        #expect(try shape(full) == shape(JSONReader.read(failed.line())))
        #expect(!shape(full).contains("null"))
    }

    @Test("a number that JSON cannot say is refused by name")
    func notFinite() throws {
        var record = Self.full()
        record.score.meanLogProbability = -.infinity
        #expect(throws: PipelineError.notFinite(field: "score.mean_logprob", found: "-inf")) {
            try record.line()
        }
    }

    @Test("the shipped schema accepts records, and names the member of those it does not")
    func schema() throws {
        let schema = try RecordSchema.annotation()
        let good = try JSONReader.read(Self.full().line())
        #expect(schema.complaints(about: good) == [])
        var failed = Self.full()
        failed.error = .init(ClipFailure(code: .notMedia, stage: .decode, message: "x"))
        failed.status = .error
        #expect(schema.complaints(about: try JSONReader.read(failed.line())) == [])
        for (old, new, field) in [
            ("\"vfr\":false", "\"vfr\":0", "video.vfr"),
            ("\"duration_s\":2.0", "\"duration_s\":2", "video.duration_s"),
            ("\"rotation_deg\":0", "\"rotation_deg\":null", "video.rotation_deg"),
            ("\"status\":\"degraded\"", "\"status\":\"fine\"", "status"),
            ("\"same_as\":\"\",", "", "same_as"),
            ("\"flags\":[\"short_clip\"", "\"flags\":[\"shiny\"", "flags[0]"),
            ("\"key\":\"ab", "\"key\":\"AB", "key"),
            ("\"count\":1", "\"count\":1,\"colour\":2", "clip.colour"),
        ] {
            let line = String(decoding: try Self.full().line(), as: UTF8.self)
            let broken = line.replacingOccurrences(of: old, with: new)
            #expect(broken != line, "\(old)")
            let complaints = schema.complaints(about: try JSONReader.read(Array(broken.utf8)))
            #expect(complaints.map(\.field) == [field], "\(old)")
        }
    }

    @Test("every failure code, stage and flag of the program is in the schema and nothing else")
    func closedLists() throws {
        let schema = try JSONReader.read(PackageResources.annotation_schema_json)
        func words(_ path: [String]) -> [String]? {
            var value: JSONValue? = schema
            for name in path { value = value?["properties"]?[name] ?? value?[name] }
            return (value?["enum"] ?? value?["items"]?["enum"])?.elements?.compactMap(\.text)
                .sorted()
        }
        #expect(words(["error", "code"]) == ([""] + FailureCode.allCases.map(\.rawValue)).sorted())
        #expect(
            words(["error", "stage"]) == ([""] + FailureStage.allCases.map(\.rawValue)).sorted())
        #expect(words(["flags"]) == AnnotationRecord.Flag.allCases.map(\.rawValue).sorted())
        #expect(words(["status"]) == AnnotationRecord.Status.allCases.map(\.rawValue).sorted())
        #expect(
            words(["output", "finish"]) == AnnotationRecord.Finish.allCases.map(\.rawValue).sorted()
        )
    }

    @Test(
        "times of files are RFC 3339 with nanoseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000000005Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000005Z"),
            (-1, "1969-12-31T23:59:59.000000005Z"),
            (4_102_444_800, "2100-01-01T00:00:00.000000005Z"),
            (Int.max, "9999-12-31T23:59:59.000000005Z"),
        ])
    func times(seconds: Int, text: String) {
        #expect(Timestamp.text(seconds: seconds, nanoseconds: 5) == text)
    }

    @Test(
        "malformed lines are refused without a crash",
        arguments: [
            "", "{", "{}", "[1", "{\"a\":01}", "{\"a\":1,\"a\":2}", "\"\\ud800\"", "{\"a\":1e999}",
            "nul",
            String(repeating: "[", count: 100_000), "{\"schema\":\"other\"}", "\u{FEFF}{}",
            "\"\u{1}\"",
        ])
    func malformed(text: String) {
        #expect(throws: PipelineError.self) { try AnnotationRecord(line: Array(text.utf8)) }
    }
}
