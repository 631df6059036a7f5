//! Facts about exports: each layout as its readers expect it, byte for byte where bytes matter.
import Foundation
import Testing

@testable import WadePipeline

@Suite("exports")
struct ExportTests {
    private func export(
        _ records: [AnnotationRecord], as format: ExportFormat, keepsEmpty: Bool = false,
        tasks: [String] = []
    ) throws -> (text: String, result: ExportResult) {
        let folder = try TemporaryFolder()
        let file = try RecordFile(try folder.write(records, to: "out.jsonl"))
        var bytes: [UInt8] = []
        let result = try Export(
            file, RecordSelection(file, tasks: tasks), as: format, keepsEmpty: keepsEmpty
        ).write { bytes += $0 }
        return (String(decoding: bytes, as: UTF8.self), result)
    }

    private func parsed(_ text: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(text.utf8))
    }

    @Test("COCO results have integer ids, an answer each, and no failures")
    func coco() throws {
        let records = [
            madeRecord("42.mp4", text: "A \"dog\".", sequence: 0),
            failed(madeRecord("43.mp4", sequence: 1)),
            madeRecord("COCO_val2014_000000391895.jpg", text: "A bike.", sequence: 2),
        ]
        let (text, result) = try export(records, as: .coco)
        #expect(
            text == """
                [
                {"caption":"A \\"dog\\".","image_id":42},
                {"caption":"A bike.","image_id":391895}
                ]

                """)
        #expect(result.answers == 2 && result.leftOut == ["error": 1] && result.notes.isEmpty)
        let kept = try export(records, as: .coco, keepsEmpty: true)
        #expect(kept.text.contains("{\"caption\":\"\",\"image_id\":43}"))
        #expect(kept.result.answers == 3)
    }

    @Test("ids that are no numbers are texts, and said to be; an id that comes twice is an error")
    func ids() throws {
        let named = try export([madeRecord("video7010.mp4", sequence: 0)], as: .coco)
        #expect(named.text.contains("\"image_id\":\"video7010\"") && named.result.notes.count == 1)
        #expect(throws: PipelineError.self) {
            try export(
                [madeRecord("a/1.mp4", sequence: 0), madeRecord("b/1.mp4", sequence: 1)], as: .coco)
        }
        var one = madeRecord("a/1.mp4", sequence: 0)
        one.customID = "9"
        let own = try export([one, madeRecord("b/1.mp4", sequence: 1)], as: .coco)
        #expect(own.text.contains("\"image_id\":9}") && own.text.contains("\"image_id\":1}"))
    }

    @Test("VQA results take question ids from custom_id or the task, and want one")
    func vqa() throws {
        var first = madeRecord("a.mp4", task: "colour", text: "red", sequence: 0)
        first.customID = "458752000"
        var second = madeRecord("b.mp4", task: "colour", text: "blue", sequence: 1)
        second.task.questionID = 7
        let (text, _) = try export([first, second], as: .vqa)
        #expect(
            text == """
                [
                {"answer":"red","question_id":458752000},
                {"answer":"blue","question_id":7}
                ]

                """)
        #expect(throws: PipelineError.self) {
            try export([madeRecord("a.mp4", task: "colour", sequence: 0)], as: .vqa)
        }
    }

    /// Two shots of one video, and another video.
    private var shots: [AnnotationRecord] {
        var first = madeRecord("x/dive.mp4", text: "A man dives.", sequence: 0)
        (first.clip.count, first.clip.end, first.clip.boundary) = (2, 1.5, .scene)
        var second = madeRecord("x/dive.mp4", text: "He swims.", sequence: 1)
        (second.clip.count, second.clip.index, second.clip.start) = (2, 1, 1.5)
        second.clip.boundary = .scene
        second.key = String(repeating: "c", count: 64)
        return [first, second, madeRecord("v_run.mp4", text: "A run.", sequence: 2)]
    }

    @Test("an ActivityNet submission has sentences with spans under ids that begin with v_")
    func activityNet() throws {
        let (text, result) = try export(shots, as: .activityNet)
        let value = try #require(try parsed(text) as? [String: Any])
        #expect(value["version"] as? String == "VERSION 1.0")
        let external = try #require(value["external_data"] as? [String: Any])
        #expect(external["used"] as? Bool == true && external["details"] is String)
        let results = try #require(value["results"] as? [String: [[String: Any]]])
        #expect(results.keys.sorted() == ["v_dive", "v_run"])
        #expect(
            results["v_dive"]?.compactMap { $0["sentence"] as? String } == [
                "A man dives.", "He swims.",
            ])
        #expect(results["v_dive"]?[1]["timestamp"] as? [Double] == [1.5, 4])
        #expect(result.answers == 3)
    }

    @Test("MSR-VTT's layout has videos and sentences that name each other")
    func msrvtt() throws {
        let (text, _) = try export(shots, as: .msrvtt)
        let value = try #require(try parsed(text) as? [String: Any])
        let info = try #require(value["info"] as? [String: String])
        #expect(info["year"] == "2026" && info["data_created"] == "2026-11-23 02:00:07")
        let videos = try #require(value["videos"] as? [[String: Any]])
        #expect(videos.compactMap { $0["video_id"] as? String } == ["dive_0", "dive_1", "v_run"])
        #expect(videos.compactMap { $0["id"] as? Int } == [0, 1, 2])
        #expect(videos[1]["start time"] as? Double == 1.5 && videos[1]["end time"] as? Double == 4)
        #expect(videos[0]["split"] as? String == "test" && videos[0]["category"] as? Int == -1)
        let sentences = try #require(value["sentences"] as? [[String: Any]])
        #expect(sentences.compactMap { $0["sen_id"] as? Int } == [0, 1, 2])
        #expect(sentences[1]["caption"] as? String == "He swims.")
        #expect(sentences[1]["video_id"] as? String == "dive_1")
    }

    @Test("VATEX's layout has the captions of a video together")
    func vatex() throws {
        let (text, _) = try export(shots, as: .vatex)
        let value = try #require(try parsed(text) as? [[String: Any]])
        #expect(value.compactMap { $0["videoID"] as? String } == ["dive", "v_run"])
        #expect(value[0]["enCap"] as? [String] == ["A man dives.", "He swims."])
    }

    @Test("two files with one id, and the answers to two tasks, fit no layout of one per clip")
    func contradictions() throws {
        for format in [ExportFormat.activityNet, .msrvtt, .vatex] {
            #expect(throws: PipelineError.self) {
                try export(
                    [madeRecord("a/1.mp4", sequence: 0), madeRecord("b/1.mp4", sequence: 1)],
                    as: format)
            }
            #expect(throws: PipelineError.self) {
                try export(
                    [
                        madeRecord("a.mp4", sequence: 0),
                        madeRecord("a.mp4", task: "q", sequence: 1),
                    ],
                    as: format)
            }
        }
        #expect(throws: PipelineError.self) {
            try export([madeRecord("a.mp4", sequence: 0)], as: .csv, keepsEmpty: true)
        }
    }

    @Test("a line that is no record stops an export with its number")
    func otherVersion() throws {
        let folder = try TemporaryFolder()
        let file = try RecordFile(
            try folder.write([madeRecord("a.mp4", sequence: 0)], to: "out.jsonl", rest: "{}\n"))
        #expect {
            try Export(file, RecordSelection(file), as: .csv).write { _ in }
        } throws: { "\($0)".contains("out.jsonl:2: schema: found nothing") }
    }

    @Test(
        "CSV follows RFC 4180: CR LF, quotes doubled, one row per record and the header's columns")
    func csv() throws {
        var record = madeRecord("a,b.mp4", text: "He said \"no\",\nthen left. ", sequence: 0)
        record.task.choices = ["yes", "no"]
        let (text, result) = try export(
            [record, failed(madeRecord("c.mp4", sequence: 1))], as: .csv)
        let rows = try CSVReader.rows(text)
        #expect(rows.count == 3 && Set(rows.map(\.count)).count == 1)
        let columns = try SchemaReader.columns().map(\.name)
        #expect(rows[0] == columns && columns == columns.sorted())
        func field(_ row: Int, _ name: String) throws -> String {
            rows[row][try #require(rows[0].firstIndex(of: name))]
        }
        #expect(try field(1, "video_path") == "a,b.mp4")
        #expect(try field(1, "output_text") == "He said \"no\",\nthen left. ")
        #expect(try field(1, "task_choices") == "[\"yes\",\"no\"]")
        #expect(try field(1, "frames_pts_s") == "[1.0,3.0]")
        #expect(try field(1, "clip_end_s") == "4.0")
        #expect(try field(2, "error_code") == "not_media" && field(2, "status") == "error")
        #expect(try field(2, "error_retryable") == "false")
        #expect(result.answers == 2 && result.leftOut.isEmpty)
    }

    @Test("a flat row has every column of the schema with its type, and nothing else")
    func parquetReady() throws {
        let (text, _) = try export(
            [madeRecord("a.mp4", sequence: 0), failed(madeRecord("c.mp4", sequence: 1))],
            as: .parquetReady)
        let types = try JSONReader.read(Array(SchemaReader.parquetReady.schema().utf8))
        let columns = try SchemaReader.columns()
        for line in text.split(separator: "\n") {
            guard case .object(let members) = try JSONReader.read(Array(line.utf8)) else {
                Issue.record("no object")
                continue
            }
            #expect(members.map(\.name) == columns.map(\.name))
            for member in members {
                let type = types[member.name]?.text
                switch member.value {
                case .string: #expect(type == "string", "\(member.name)")
                case .bool: #expect(type == "bool", "\(member.name)")
                case .integer: #expect(type == "int32" || type == "int64", "\(member.name)")
                case .number: #expect(type == "float64", "\(member.name)")
                default: Issue.record("\(member.name): \(member.value.summary)")
                }
            }
        }
    }

    @Test(
        "subtitles: one file per video where players look for it, times in order, no markup from answers"
    )
    func subtitles() throws {
        let folder = try TemporaryFolder()
        var late = shots[1]
        late.output.text = "<b>He</b> & --> she\n\nswim."
        let file = try RecordFile(
            try folder.write(
                [
                    late, shots[0], madeRecord("clip.mp4", sequence: 3),
                    madeRecord("clip.mkv", sequence: 4),
                ],
                to: "out.jsonl"))
        let selection = try RecordSelection(file)
        let vtt = try Export(file, selection, as: .vtt).write(
            below: folder("subs"), replaces: false)
        #expect(vtt.files == 3)
        #expect(
            String(decoding: try folder.bytes("subs/x/dive.vtt"), as: UTF8.self) == """
                WEBVTT

                00:00:00.000 --> 00:00:01.500
                A man dives.

                00:00:01.500 --> 00:00:04.000
                &lt;b&gt;He&lt;/b&gt; &amp; --&gt; she swim.

                """)
        #expect(try folder.bytes("subs/clip.mkv.vtt") == folder.bytes("subs/clip.mp4.vtt"))
        _ = try Export(file, selection, as: .srt).write(below: folder("subs"), replaces: false)
        #expect(
            String(decoding: try folder.bytes("subs/x/dive.srt"), as: UTF8.self) == """
                1
                00:00:00,000 --> 00:00:01,500
                A man dives.

                2
                00:00:01,500 --> 00:00:04,000
                <b>He</b> & -> she swim.


                """)
    }

    @Test(
        "files that are there are not replaced unasked, and no path of a record leads out of the folder"
    )
    func subtitleSafety() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("subs")
        folder.write("by hand", to: "subs/a.srt")
        let file = try RecordFile(
            try folder.write([madeRecord("a.mp4", sequence: 0)], to: "out.jsonl"))
        let export = try Export(file, RecordSelection(file), as: .srt)
        #expect(throws: PipelineError.self) {
            try export.write(below: folder("subs"), replaces: false)
        }
        #expect(try folder.bytes("subs/a.srt") == Array("by hand".utf8))
        _ = try export.write(below: folder("subs"), replaces: true)
        #expect(try folder.bytes("subs/a.srt") != Array("by hand".utf8))
        for path in ["../a.mp4", "/tmp/a.mp4", "x/../../a.mp4"] {
            let hostile = try RecordFile(
                try folder.write([madeRecord(path, sequence: 0)], to: "hostile.jsonl"))
            #expect(throws: PipelineError.self) {
                try Export(hostile, RecordSelection(hostile), as: .srt)
                    .write(below: folder("subs"), replaces: true)
            }
        }
    }
}

/// A reader of CSV by the grammar of RFC 4180.
private enum CSVReader {
    struct Fault: Error {}

    static func rows(_ text: String) throws -> [[String]] {
        var rows: [[String]] = [[]]
        var rest = Array(text.unicodeScalars)[...]
        while !rest.isEmpty {
            rows[rows.count - 1].append(try field(&rest))
            switch rest.popFirst() {
            case ",": continue
            case "\r":
                guard rest.popFirst() == "\n" else { throw Fault() }
                if !rest.isEmpty { rows.append([]) }
            default: throw Fault()
            }
        }
        return rows
    }

    private static func field(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> String {
        var field = String.UnicodeScalarView()
        guard rest.first == "\"" else {
            while let next = rest.first, next != ",", next != "\r" {
                guard next != "\"", next != "\n" else { throw Fault() }
                field.append(next)
                rest.removeFirst()
            }
            return String(field)
        }
        rest.removeFirst()
        while let next = rest.popFirst() {
            guard next == "\"" else {
                field.append(next)
                continue
            }
            guard rest.first == "\"" else { return String(field) }
            field.append("\"")
            rest.removeFirst()
        }
        throw Fault()
    }
}
