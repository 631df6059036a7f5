//! Facts about what a run, its plan and its exit code say about each other.
import Foundation
import Testing

@testable import WadePipeline

@Suite("what a run says")
struct TruthfulRunTests {
    private func forecast(_ folder: TemporaryFolder, _ output: PathBytes, _ pipeline: Pipeline)
        throws -> [String: RunForecast.State]
    {
        let plan = try RunPlan(
            pipeline: pipeline,
            model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
            findings: try ClipFinder.find([folder("in")]), settings: RunSettings(workers: 1))
        let forecast = RunForecast(
            plan: plan, ledger: try Ledger(readingFrom: output), estimate: nil)
        return Dictionary(uniqueKeysWithValues: forecast.lines.map { ($0.path, $0.state) })
    }

    @Test("a file is done in the plan when all of its clips are, not when the first is")
    func planOfWindows() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("one two three", to: "in/a.mp4")
        var pipeline = plainPipeline([captionTask])
        pipeline.segmentation = .windows(length: 1, stride: 1)
        let output = folder("out.jsonl")
        try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(try forecast(folder, output, pipeline) == ["a.mp4": .done])
        let first = try folder.bytes("out.jsonl").split(separator: 0x0A)[0]
        try folder.replace("out.jsonl", with: first + [0x0A])
        #expect(try forecast(folder, output, pipeline) == ["a.mp4": .todo])
    }

    @Test("what cannot be read is to do until it is recorded, and then done")
    func planOfUnreadable() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("", to: "in/empty.mp4")
        #expect(symlink("nowhere", folder("in/link.mp4").text) == 0)
        let pipeline = plainPipeline([captionTask, colourTask])
        let output = folder("out.jsonl")
        #expect(
            try forecast(folder, output, pipeline) == ["empty.mp4": .todo, "link.mp4": .unreadable])
        try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(try forecast(folder, output, pipeline) == ["empty.mp4": .done, "link.mp4": .done])
    }

    @Test("a file that could not be read and now can has one current record for each task")
    func readableAgain() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("", to: "in/a.mp4")
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask, colourTask])
        try annotate([folder("in")], into: output, pipeline: pipeline)
        folder.write("dog", to: "in/a.mp4", secondsAgo: 1800)
        #expect(try forecast(folder, output, pipeline) == ["a.mp4": .todo])
        let summary = try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(summary.answers == 2 && summary.failures == 0 && summary.exitCode == 0)
        let all = try records(output)
        #expect(all.map(\.status) == [.error, .error, .ok, .ok, .removed, .removed])
        #expect(all[4].key == all[0].key && all[5].key == all[1].key)
        #expect(all[4].video.path == "a.mp4" && all[4].error.code == "")
        let checker = try RecordChecker.check(output)
        #expect(checker.findings == [] && checker.statuses == ["ok": 2, "removed": 2])
        let quiet = try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(quiet.filesDone == 1)
        #expect(try records(output).count == 6)

        folder.write("", to: "in/a.mp4")
        #expect(try forecast(folder, output, pipeline) == ["a.mp4": .todo])
        try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(try records(output).dropFirst(6).map(\.status) == [.error, .error])
    }

    @Test("a file deleted after it was found is counted as skipped and leaves no record")
    func gone() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4")
        folder.write("cat", to: "in/b.mp4")
        let findings = try ClipFinder.find([folder("in")])
        #expect(unlink(folder("in/a.mp4").text) == 0)
        let plan = try RunPlan(
            pipeline: plainPipeline([captionTask]),
            model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
            findings: findings, settings: RunSettings(workers: 1))
        let output = folder("out.jsonl")
        let run = AnnotationRun<String>(
            plan: plan, ledger: Ledger(), cut: FakeAnnotator.cut, stop: StopRequest())
        let summary = try run.run(
            writer: try JSONLinesWriter(path: output), isReadable: true,
            annotator: { FakeAnnotator.make() }, progress: { _ in })
        #expect(summary.failures == 0 && summary.exitCode == 0)
        #expect(summary.skipped == ["gone before it was read": 1])
        #expect(try records(output).map(\.video.path) == ["b.mp4"])
    }

    @Test("a failure of the machine ends the run instead of becoming a record for every clip")
    func faultOfSystem() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4")
        folder.write("cat", to: "in/b.mp4")
        let output = folder("out.jsonl")
        var annotator = FakeAnnotator.make(batch: 1)
        let encode = annotator.encode
        annotator.encode = { source, span in
            guard source.relativePath.text == "b.mp4" else { return encode(source, span) }
            var failure = ClipFailure(code: .inputOutput, stage: .decode, message: "no ffmpeg")
            failure.isFaultOfSystem = true
            return .failure(failure)
        }
        #expect(throws: PipelineError.system("no ffmpeg")) {
            try annotate(
                [folder("in")], into: output, pipeline: plainPipeline([captionTask]),
                annotator: annotator)
        }
        #expect(try records(output).map(\.video.path) == ["a.mp4"])
    }

    @Test("when only failures are left but other files were answered before, some failed, not all")
    func exitCode() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("flaky", to: "in/a.mp4")
        folder.write("dog", to: "in/b.mp4")
        let output = folder("out.jsonl")
        for _ in 0..<2 {
            let summary = try annotate(
                [folder("in")], into: output, pipeline: plainPipeline([captionTask]))
            #expect(summary.failures == 1 && summary.exitCode == 3)
        }
    }
}
