//! Facts about joining parts: the bytes of one machine, and what is said when they cannot be had.
import Foundation
import Testing

@testable import WadePipeline

@Suite("merging parts")
struct MergeTests {
    private let tasks = [captionTask, colourTask]

    /// A folder of `.mp4` files that hold text: many good ones, five copies of one content, a bad one, an empty one, an odd name.
    private func clips() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        for number in 10..<34 { folder.write("dog \(number)", to: "in/\(number).mp4") }
        for name in ["05", "15b", "22b", "30b", "9"] { folder.write("cat", to: "in/\(name).mp4") }
        folder.write("bad", to: "in/17b.mp4")
        folder.write("", to: "in/18b.mp4")
        folder.write(
            "bird",
            to: PathBytes(bytes: Array("in/f\u{E9}\"\\\n".utf8) + [0xFF] + Array(".mp4".utf8)))
        return folder
    }

    private func part(_ folder: TemporaryFolder, _ index: Int, _ count: Int, name: String = "out")
        throws -> PathBytes
    {
        PartName(folder("\(name).jsonl")).part(try #require(Shard(index: index, count: count)))
    }

    /// Does part `index` of `count` as the command does, without a model.
    @discardableResult
    private func annotatePart(
        _ folder: TemporaryFolder, _ index: Int, _ count: Int, pipeline: Pipeline? = nil,
        asked: Asked = Asked(),
        stop: StopRequest = StopRequest()
    ) throws -> RunSummary {
        let output = try part(folder, index, count)
        let shard = try #require(Shard(index: index, count: count))
        var ledger = try Ledger(readingFrom: output)
        try ledger.cutTornLine(of: output)
        var findings = try ClipFinder.find([folder("in")])
        let map = try ShardMap(
            count: count, balancing: findings.files.map { .init(path: $0.relativePath, cost: 1) }
        ).agreed(at: PartName(folder("out.jsonl")).agreement(count))
        findings.files.removeAll { !map.holds($0.relativePath, in: shard) }
        let plan = try RunPlan(
            pipeline: pipeline ?? plainPipeline(tasks),
            model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
            findings: findings, settings: RunSettings(workers: 2))
        for (other, path) in try PartName(folder("out.jsonl")).existing() where other.count != count
        {
            try ledger.add(other: path, about: plan.paths)
        }
        try ledger.add(other: folder("out.jsonl"), about: plan.paths)
        return try AnnotationRun<String>(
            plan: plan, ledger: ledger, cut: FakeAnnotator.cut, stop: stop
        ).run(
            writer: try JSONLinesWriter(path: output), isReadable: true,
            annotator: { FakeAnnotator.make(asked: asked) }, progress: { _ in })
    }

    private func expected(_ folder: TemporaryFolder, pipeline: Pipeline? = nil) throws
        -> Merge.Expected
    {
        let pipeline = pipeline ?? plainPipeline(tasks)
        let findings = try ClipFinder.find([folder("in")])
        let plan = try RunPlan(
            pipeline: pipeline,
            model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
            findings: findings, settings: RunSettings(workers: 1))
        return Merge.Expected(
            files: findings.files.map(\.relativePath),
            tasks: zip(pipeline.tasks, plan.recipes).map { ($0.id, $1.id) })
    }

    private func single(_ folder: TemporaryFolder, pipeline: Pipeline? = nil) throws -> [String] {
        try annotate(
            [folder("in")], into: folder("single.jsonl"), pipeline: pipeline ?? plainPipeline(tasks)
        )
        return try payload(folder("single.jsonl"))
    }

    @Test(
        "parts of any number join into the bytes of one machine, copies of a content among them",
        arguments: [1, 2, 3, 8, 40])
    func equal(count: Int) throws {
        let folder = try clips()
        let whole = try single(folder)
        for index in (1...count).reversed() { try annotatePart(folder, index, count) }
        for expected in [try expected(folder), nil] {
            let report = try Merge.run(folder("out.jsonl"), expected: expected)
            #expect(try payload(folder("out.jsonl")) == whole)
            #expect(report.complaints == [] && report.missingCount == 0)
            #expect(report.lines == whole.count && report.failures == 4 && report.exitCode == 3)
        }
        let merged = try records(folder("out.jsonl"))
        #expect(merged.map(\.run.sequence) == Array(0..<Int(merged.count)).map { Int($0) })
        #expect(try RecordChecker.check(folder("out.jsonl")).findings == [])
        // Merging what is merged changes nothing, byte for byte.
        let bytes = try folder.bytes("out.jsonl")
        #expect(try Merge.run(folder("out.jsonl"), expected: nil).repeated == whole.count - 4)
        #expect(try folder.bytes("out.jsonl") == bytes)
    }

    @Test("a file cut into clips joins with its clips in their order")
    func cut() throws {
        let folder = try clips()
        var pipeline = plainPipeline(tasks)
        pipeline.segmentation = .windows(length: 1, stride: 1)
        let whole = try single(folder, pipeline: pipeline)
        for index in 1...3 { try annotatePart(folder, index, 3, pipeline: pipeline) }
        let report = try Merge.run(
            folder("out.jsonl"), expected: try expected(folder, pipeline: pipeline))
        #expect(try payload(folder("out.jsonl")) == whole)
        #expect(report.missingCount == 0 && report.complaints == [])
    }

    @Test("another number of parts does only what is left, and the whole is that of one machine")
    func changedNumber() throws {
        let folder = try clips()
        let whole = try single(folder)
        let asked = Asked()
        for index in [1, 4, 5] { try annotatePart(folder, index, 8, asked: asked) }
        for index in 1...3 { try annotatePart(folder, index, 3, asked: asked) }
        // Some of the five files of one content are looked at by several parts; of the others none twice.
        let others = asked.encoded.filter { $0 != "cat" && $0 != "bad" }
        #expect(others.count == Set(others).count && Set(others).count == 25)
        let report = try Merge.run(folder("out.jsonl"), expected: try expected(folder))
        #expect(try payload(folder("out.jsonl")) == whole)
        #expect(report.missingCount == 0)
        // Merged, no part of any number has anything to do.
        let again = Asked()
        for index in 1...5 { try annotatePart(folder, index, 5, asked: again) }
        #expect(again.encoded.filter { $0 != "bad" } == [])
        for index in 1...5 { #expect(try records(try part(folder, index, 5)).isEmpty) }
    }

    @Test("a folder that grows between two tasks loses nothing")
    func growing() throws {
        let folder = try clips()
        try annotatePart(folder, 1, 2)
        for number in 50..<60 { folder.write("late \(number)", to: "in/\(number).mp4") }
        let before = try expected(folder)
        try annotatePart(folder, 2, 2)
        let early = try Merge.run(folder("out.jsonl"), expected: before)
        #expect(early.missingCount > 0 && early.exitCode == 3)
        #expect(early.missing.allSatisfy { $0.text.hasPrefix("5") })
        try annotatePart(folder, 1, 2)
        #expect(try Merge.run(folder("out.jsonl"), expected: before).missingCount == 0)
        #expect(try payload(folder("out.jsonl")) == single(folder))
    }

    @Test("torn and damaged lines are told and left out, and what they stood for is missing")
    func damage() throws {
        let folder = try clips()
        for index in 1...2 { try annotatePart(folder, index, 2) }
        let name = try part(folder, 1, 2).name.text
        var bytes = try folder.bytes(name)
        // the last line loses its end, the first one a brace
        bytes.removeLast(40)
        bytes[0] = UInt8(ascii: "[")
        try folder.replace(name, with: bytes)
        let lines = bytes.split(separator: 0x0A).count
        let report = try Merge.run(folder("out.jsonl"), expected: try expected(folder))
        #expect(report.complaints.contains { $0.contains("torn") })
        #expect(report.complaints.contains { $0.contains("1 lines are no records") })
        #expect(report.missingCount == 2 && report.exitCode == 3)
        #expect(report.lines == 64 - 2 && lines > 3)
        // The next run mends both.
        try annotatePart(folder, 1, 2)
        let mended = try Merge.run(folder("out.jsonl"), expected: try expected(folder))
        #expect(mended.missingCount == 0)
        #expect(try payload(folder("out.jsonl")) == single(folder))
    }

    @Test("a part that is not there is told, with or without the folder")
    func absent() throws {
        let folder = try clips()
        for index in [1, 3] { try annotatePart(folder, index, 3) }
        let report = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(report.complaints == ["1 of 3 parts are not there, their tasks never began: 2"])
        #expect(report.exitCode == 3)
        #expect(try Merge.run(folder("out.jsonl"), expected: try expected(folder)).missingCount > 0)
        let empty = try TemporaryFolder()
        #expect(throws: PipelineError.self) { try Merge.run(empty("out.jsonl"), expected: nil) }
    }

    @Test("work done twice is one line where the answers are equal, and told where they differ")
    func twice() throws {
        let folder = try clips()
        for index in 1...2 { try annotatePart(folder, index, 2) }
        let whole = try single(folder)
        // another task did all of part 1 as well
        let bytes = try folder.bytes(try part(folder, 1, 2).name.text)
        try folder.replace(try part(folder, 1, 4).name.text, with: bytes)
        for index in 2...4 { try folder.replace(try part(folder, index, 4).name.text, with: []) }
        let same = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(same.complaints == [] && same.repeated > 20)
        #expect(try payload(folder("out.jsonl")) == whole)
        unlink(folder("out.jsonl").text)
        let other = String(decoding: bytes, as: UTF8.self).replacing("dog 1", with: "cow 1")
        try folder.replace(try part(folder, 1, 4).name.text, with: Array(other.utf8))
        let report = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(report.complaints.contains { $0.contains("has two answers, the earlier is kept") })
        #expect(report.exitCode == 3 && report.lines == whole.count)
    }

    @Test(
        "of answers behind different shots of a video the later one is kept, whatever part has it, and nothing is in doubt"
    )
    func changedShots() throws {
        let folder = try clips()
        for index in 1...2 { try annotatePart(folder, index, 2) }
        /// What a later task wrote behind other shots.
        func later(_ record: AnnotationRecord, at time: String) -> AnnotationRecord {
            var record = record
            record.demonstrations.setID = "0123456789abcdef"
            record.run.createdAt = time
            record.output.text = "newer"
            return record
        }
        let old = try (1...2).map { index in
            try records(try part(folder, index, 2)).filter { $0.status == .ok }
        }
        for (index, records) in old.enumerated() {
            // The first part's answers are the earlier ones, the second part's the later ones: places say nothing.
            let time = index == 0 ? "2099-01-01T00:00:00Z" : "1999-01-01T00:00:00Z"
            let lines = try records.flatMap { try later($0, at: time).line() }
            try folder.replace(try part(folder, index + 1, 3).name.text, with: lines)
        }
        try folder.replace(try part(folder, 3, 3).name.text, with: [])
        let report = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(report.complaints == [] && report.repeated == 0)
        #expect(report.outdated == old[0].count + old[1].count)
        #expect(report.text.contains("\(report.outdated) behind earlier shots left out"))
        let texts = try records(folder("out.jsonl")).filter { $0.status == .ok }
            .reduce(into: [String: Int]()) {
                $0[$1.output.text == "newer" ? "new" : "old", default: 0] += 1
            }
        #expect(texts == ["new": old[0].count, "old": old[1].count])
        // Once more: the merged output is one of the files that are read.
        let bytes = try folder.bytes("out.jsonl")
        _ = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(try folder.bytes("out.jsonl") == bytes)
    }

    @Test("an answer counts more than an error of another part, and spelling does not count")
    func errorAndAnswer() throws {
        let folder = try clips()
        for index in 1...2 { try annotatePart(folder, index, 2) }
        let whole = try single(folder)
        var lines: [UInt8] = []
        for var record in try records(try part(folder, 1, 2)) where record.status == .ok {
            record.status = .error
            record.error.code = "timeout"
            record.error.stage = "decode"
            record.run.createdAt = "2099-01-01T00:00:00Z"
            lines += try record.line()
        }
        try folder.replace(try part(folder, 1, 1).name.text, with: lines)
        // with spaces, as another program would write them
        let name = try part(folder, 2, 2).name.text
        let text = String(decoding: try folder.bytes(name), as: UTF8.self)
        try folder.replace(
            name, with: Array(text.replacing("\"clip\":{", with: "\"clip\": {").utf8))
        _ = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(try payload(folder("out.jsonl")) == whole)
    }

    @Test("records of an earlier recipe come first, and the mixture is told")
    func recipes() throws {
        let folder = try clips()
        try annotatePart(folder, 1, 2)
        let other = plainPipeline([
            captionTask, AnnotationTask(id: "colour", type: .vqa, question: "Which colour?"),
        ])
        for index in 1...2 { try annotatePart(folder, index, 2, pipeline: other) }
        let report = try Merge.run(
            folder("out.jsonl"), expected: try expected(folder, pipeline: other))
        #expect(report.missingCount == 0 && report.exitCode == 3)
        #expect(
            report.complaints.count == 1
                && report.complaints[0].contains("has records of several recipes"))
        let questions = try records(folder("out.jsonl")).filter { $0.task.id == "colour" }.map(
            \.task.question)
        #expect(questions == questions.sorted() && Set(questions).count == 2)
        // asked for the pipeline of before, part 2 lacks all of it
        #expect(try Merge.run(folder("out.jsonl"), expected: try expected(folder)).missingCount > 5)
    }

    @Test(
        "while a run holds the output nothing is merged, and a part that is being written is told")
    func locks() throws {
        let folder = try clips()
        for index in 1...2 { try annotatePart(folder, index, 2) }
        do {
            let lock = try RunLock(output: folder("out.jsonl"))
            #expect(throws: PipelineError.self) {
                try Merge.run(folder("out.jsonl"), expected: nil)
            }
            _ = consume lock
        }
        let lock = try RunLock(output: try part(folder, 2, 2))
        let report = try Merge.run(folder("out.jsonl"), expected: nil)
        #expect(
            report.complaints.count == 1 && report.complaints[0].contains("still being written"))
        _ = consume lock
    }

    @Test("files in the order of the arguments, which need not be that of their names")
    func arguments() throws {
        let folder = try clips()
        folder.makeFolder("more")
        folder.write("owl", to: "more/a.mp4")
        let paths = [folder("more"), folder("in")]
        try annotate(paths, into: folder("single.jsonl"), pipeline: plainPipeline(tasks))
        try annotate(paths, into: try part(folder, 1, 1), pipeline: plainPipeline(tasks))
        let findings = try ClipFinder.find(paths)
        let report = try Merge.run(
            folder("out.jsonl"),
            expected: Merge.Expected(
                files: findings.files.map(\.relativePath), tasks: try expected(folder).tasks))
        #expect(report.missingCount == 0)
        #expect(try payload(folder("out.jsonl")) == payload(folder("single.jsonl")))
    }
}
