//! The schema in other tools' words, and one lock per output whatever its name.
import Foundation
import Testing

@testable import WadePipeline

@Suite("schemas for readers")
struct SchemaExportTests {
    private func object(_ reader: SchemaReader) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(reader.schema().utf8))
        return try #require(json as? [String: Any])
    }

    @Test("DuckDB's columns and Hugging Face's features name every member of a record's line")
    func everyMember() throws {
        let line = try AnnotationRecord().line()
        let record = try #require(
            JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        #expect(Set(try object(.duckDB).keys) == Set(record.keys))
        let features = try object(.huggingFace)
        #expect(Set(features.keys) == Set(record.keys))
        for (name, value) in record {
            guard let members = value as? [String: Any] else { continue }
            let feature = try #require(features[name] as? [String: Any])
            #expect(Set(feature.keys) == Set(members.keys), "\(name)")
        }
    }

    @Test("lists, integers of both sizes and words have the types that an empty line cannot tell")
    func types() throws {
        let columns = try object(.duckDB)
        #expect(columns["flags"] as? String == "VARCHAR[]")
        #expect((columns["frames"] as? String)?.contains("\"pts_s\" DOUBLE[]") == true)
        #expect((columns["video"] as? String)?.contains("\"bytes\" BIGINT") == true)
        #expect((columns["video"] as? String)?.contains("\"width\" INTEGER") == true)
        #expect(columns["status"] as? String == "VARCHAR")
        let features = try object(.huggingFace)
        let flags = try #require(features["flags"] as? [[String: String]])
        #expect(flags == [["_type": "Value", "dtype": "string"]])
    }

    @Test("an output is locked under every name it has")
    func oneLockPerOutput() throws {
        let folder = try TemporaryFolder()
        let output = folder("out.jsonl")
        try Data().write(to: URL(fileURLWithPath: output.text))
        let names = (folder("hard.jsonl"), folder("soft.jsonl"))
        #expect(link(output.text, names.0.text) == 0)
        #expect(symlink("out.jsonl", names.1.text) == 0)
        let lock = try RunLock(output: output)
        for name in [names.0, names.1] {
            do {
                _ = try RunLock(output: name)
                Issue.record("\(name.text) was not locked")
            } catch PipelineError.locked {}
        }
        _ = consume lock
        _ = try RunLock(output: names.0)
    }
}
