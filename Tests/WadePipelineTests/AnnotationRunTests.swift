//! Facts about runs, with a model that answers what stands in the file.
import Foundation
import Testing
import WadeVideo

@testable import WadePipeline

@Suite("a run")
struct AnnotationRunTests {
    /// A folder of `.mp4` files that hold text: good ones, a copy, a bad one, an empty one, a dangling link.
    private func clips() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("slow dog", to: "in/a.mp4")
        folder.write("cat", to: "in/b.mp4")
        folder.write("bad", to: "in/c.mp4")
        folder.write("cat", to: "in/d.mp4")
        folder.write("", to: "in/e.mp4")
        folder.write(
            "torn horse",
            to: PathBytes(bytes: Array("in/f\u{E9}-".utf8) + [0xFF] + Array(".mp4".utf8)))
        #expect(symlink("nowhere", folder("in/g.mp4").text) == 0)
        folder.write("x", to: "in/notes.txt")
        return folder
    }

    @Test("one line per clip and task, in the order of the input; failures are lines too")
    func lines() throws {
        let folder = try clips()
        let output = folder("out.jsonl")
        let asked = Asked()
        let summary = try annotate(
            [folder("in")], into: output, pipeline: plainPipeline([captionTask, colourTask]),
            annotator: FakeAnnotator.make(asked: asked))
        let all = try records(output)
        #expect(
            all.map(\.video.id) == [
                "a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f\u{E9}-\u{FFFD}",
                "f\u{E9}-\u{FFFD}", "g", "g",
            ])
        #expect(all.map(\.task.id) == (0..<7).flatMap { _ in ["caption", "colour"] })
        #expect(
            all.map(\.status) == [
                .ok, .ok, .ok, .ok, .error, .error, .ok, .ok, .error, .error, .degraded, .degraded,
                .error, .error,
            ])
        #expect(all[0].output.text == "slow dog for caption")
        #expect(
            all[4].error.code == "not_media" && all[8].error.code == "empty_file"
                && all[12].error.code == "broken_symlink")
        #expect(
            all[6].sameAs == all[2].key && all[6].key != all[2].key
                && all[6].output == all[2].output)
        #expect(all.map(\.run.sequence) == Array(0..<14))
        #expect(asked.encoded == ["bad", "cat", "slow dog", "torn horse"])
        #expect(summary.exitCode == 3)
        #expect(
            summary.answers == 6 && summary.copies == 2 && summary.failures == 6
                && summary.degraded == 2)
        #expect(summary.skipped == ["not a video's or picture's extension": 1])
        let checker = try RecordChecker.check(output)
        #expect(checker.findings == [])
    }

    @Test("the bytes do not depend on the number of workers or the batch")
    func workers() throws {
        let folder = try clips()
        let pipeline = plainPipeline([captionTask, colourTask])
        var payloads: [[String]] = []
        for (workers, batch) in [(1, 1), (2, 3), (7, 1), (7, 16)] {
            let output = folder("out-\(workers)-\(batch).jsonl")
            try annotate(
                [folder("in")], into: output, pipeline: pipeline, workers: workers,
                annotator: FakeAnnotator.make(batch: batch))
            payloads.append(try payload(output))
        }
        #expect(payloads.allSatisfy { $0 == payloads[0] && $0.count == 14 })
    }

    @Test("the same command again does nothing")
    func again() throws {
        let folder = try clips()
        let output = folder("out.jsonl")
        try annotate([folder("in")], into: output, pipeline: plainPipeline([captionTask]))
        let before = try folder.bytes("out.jsonl")
        let asked = Asked()
        let summary = try annotate(
            [folder("in")], into: output, pipeline: plainPipeline([captionTask]),
            annotator: FakeAnnotator.make(asked: asked))
        #expect(try folder.bytes("out.jsonl") == before)
        #expect(asked.encoded == [] && asked.answered == 0)
        #expect(summary.exitCode == 0 && summary.filesDone == 7)
    }

    /// All bytes near the ends of lines, and every eleventh between: all 4,000 take a minute.
    @Test("stopped after any byte and run again, the output is that of one undisturbed run")
    func anyByte() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4")
        folder.write("bad", to: "in/b.mp4")
        folder.write("dog", to: "in/c.mp4")
        let pipeline = plainPipeline([captionTask])
        try annotate([folder("in")], into: folder("whole.jsonl"), pipeline: pipeline)
        let whole = try folder.bytes("whole.jsonl")
        let expected = try payload(folder("whole.jsonl"))
        let annotator = FakeAnnotator.make()
        let ends = whole.indices.filter { whole[$0] == 0x0A } + [0]
        for cut in 0...whole.count
        where cut % 11 == 0 || ends.contains(where: { abs($0 - cut) < 12 }) {
            try folder.replace("cut.jsonl", with: whole[..<cut])
            try annotate(
                [folder("in")], into: folder("cut.jsonl"), pipeline: pipeline, workers: 1,
                annotator: annotator)
            let after = try payload(folder("cut.jsonl"))
            try #require(after == expected, "cut after \(cut) of \(whole.count) bytes")
        }
        let torn = try folder.bytes("cut.jsonl.torn")
        #expect(torn.count > whole.count)
    }

    @Test("a changed prompt redoes its own task only")
    func changedPrompt() throws {
        let folder = try clips()
        let output = folder("out.jsonl")
        try annotate(
            [folder("in")], into: output, pipeline: plainPipeline([captionTask, colourTask]))
        var asks = colourTask
        asks.question = "Which colour?"
        let summary = try annotate(
            [folder("in")], into: output, pipeline: plainPipeline([captionTask, asks]))
        let fresh = try records(output).dropFirst(14)
        #expect(
            fresh.count == 7
                && fresh.allSatisfy {
                    $0.task.id == "colour" && $0.task.question == "Which colour?"
                })
        #expect(summary.answers == 3 && summary.copies == 1 && summary.failures == 3)
    }

    @Test(
        "a rename redoes nothing, a changed file is redone, a new copy repeats the answer without the model"
    )
    func changes() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4")
        folder.write("cat", to: "in/b.mp4")
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask])
        try annotate([folder("in")], into: output, pipeline: pipeline)
        rename(folder("in/a.mp4").text, folder("in/z.mp4").text)
        let renamed = try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(renamed.answers == 0 && renamed.copies == 0 && renamed.filesDone == 2)

        let asked = Asked()
        folder.write("cow", to: "in/b.mp4", secondsAgo: 1800)
        folder.write("dog", to: "in/c.mp4")
        try annotate(
            [folder("in")], into: output, pipeline: pipeline,
            annotator: FakeAnnotator.make(asked: asked))
        #expect(asked.encoded == ["cow"])
        let all = try records(output)
        #expect(
            all.map(\.output.text) == [
                "dog for caption", "cat for caption", "cow for caption", "dog for caption",
            ]
                || all.count == 3)
        let quiet = try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(quiet.answers == 0 && quiet.copies == 0 && quiet.exitCode == 0)
    }

    @Test("a file is not read again when path, size and time are those of its record")
    func knownContent() throws {
        let folder = try clips()
        let output = folder("out.jsonl")
        try annotate([folder("in")], into: output, pipeline: plainPipeline([captionTask]))
        let ledger = try Ledger(readingFrom: output)
        let all = try records(output)
        for record in all where !record.video.contentID.isEmpty {
            let path =
                Data(base64Encoded: record.video.pathBytesBase64).flatMap {
                    $0.isEmpty ? nil : PathBytes(bytes: $0)
                } ?? PathBytes(record.video.path)
            let status = try FileStatus.of(folder("in").appending(path), followingLinks: true)
            let content = try #require(ledger.content(of: path, status: status))
            #expect("sha256:" + Hexadecimal.text(content) == record.video.contentID)
            var later = status
            later.modifiedNanoseconds += 1
            #expect(ledger.content(of: path, status: later) == nil)
        }
    }

    @Test("what may have failed by chance is tried again, a bounded number of times")
    func retries() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("flaky", to: "in/a.mp4")
        folder.write("bad", to: "in/b.mp4")
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask])
        for run in 0..<5 {
            let summary = try annotate([folder("in")], into: output, pipeline: pipeline)
            #expect(summary.failures == (run == 0 ? 2 : run < 3 ? 1 : 0))
            #expect(summary.parked == (run < 3 ? 0 : 1))
            #expect(summary.exitCode == (run < 3 ? 4 : 0))
        }
        #expect(
            try records(output).map(\.error.code) == ["timeout", "not_media", "timeout", "timeout"])
        let other = folder("other.jsonl")
        try annotate([folder("in")], into: other, pipeline: pipeline)
        try annotate(
            [folder("in")], into: other, pipeline: pipeline,
            annotator: FakeAnnotator.make(flakyFails: false))
        let both = try records(other)
        #expect(both.map(\.status) == [.error, .error, .ok] && both[0].key == both[2].key)
    }

    @Test("files cut into clips give a line per clip, and the ledger knows all of them")
    func segments() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("one two three", to: "in/a.mp4")
        folder.write("four", to: "in/b.mp4")
        folder.write("one two three", to: "in/c.mp4")
        var pipeline = plainPipeline([captionTask])
        pipeline.segmentation = .windows(length: 1, stride: 1)
        let output = folder("out.jsonl")
        let asked = Asked()
        try annotate(
            [folder("in")], into: output, pipeline: pipeline,
            annotator: FakeAnnotator.make(asked: asked))
        let all = try records(output)
        #expect(
            all.map(\.output.raw)
                == ["one", "two", "three", "four", "one", "two", "three"].map {
                    "\($0) for caption"
                })
        #expect(all.map(\.clip.index) == [0, 1, 2, 0, 0, 1, 2])
        #expect(all.map(\.clip.count) == [3, 3, 3, 1, 3, 3, 3])
        #expect(all[1].clip.start == 1 && all[1].clip.end == 2 && all[1].clip.boundary == .stride)
        #expect(asked.answered == 4)
        let lines = try folder.bytes("out.jsonl").split(separator: 0x0A)
        for kept in 0..<lines.count {
            try folder.replace(
                "cut.jsonl",
                with: lines[..<kept].joined(separator: [0x0A]) + (kept > 0 ? [0x0A] : []))
            try annotate([folder("in")], into: folder("cut.jsonl"), pipeline: pipeline)
            let after = try payload(folder("cut.jsonl"))
            let whole = try payload(output)
            #expect(after == whole, "kept \(kept) lines")
        }
    }

    @Test("an answer that JSON cannot say becomes an error record, not a broken line")
    func notANumber() throws {
        let folder = try TemporaryFolder()
        folder.write("nan", to: "a.mp4")
        let output = folder("out.jsonl")
        try annotate([folder("a.mp4")], into: output, pipeline: plainPipeline([captionTask]))
        let record = try #require(try records(output).first)
        #expect(
            record.error.code == "internal" && record.error.message.contains("score.mean_logprob"))
        #expect(try RecordChecker.check(output).findings == [])
    }

    @Test("a file that is still being written is left to the next run, one that has settled is not")
    func deferred() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4", secondsAgo: 0)
        folder.write("cat", to: "in/b.mp4", secondsAgo: 0)
        let output = folder("out.jsonl")
        let growing = folder("in/a.mp4").text
        let writer = Thread {
            usleep(700_000)
            try? Data("doggy".utf8).write(to: URL(fileURLWithPath: growing))
        }
        writer.start()
        let first = try annotate(
            [folder("in")], into: output, pipeline: plainPipeline([captionTask]))
        #expect(first.deferred == 1 && first.answers == 1)
        let second = try annotate(
            [folder("in")], into: output, pipeline: plainPipeline([captionTask]))
        #expect(second.deferred == 0 && second.answers == 1)
        #expect(try records(output).map(\.output.text) == ["cat for caption", "doggy for caption"])
    }

    @Test("a wish to stop ends the run before the next clip, and the exit code names the signal")
    func stop() throws {
        let folder = try clips()
        let stop = StopRequest()
        stop.stop(.signal(15))
        let summary = try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: plainPipeline([captionTask]),
            stop: stop)
        #expect(summary.answers == 0 && summary.exitCode == 143)
        #expect(try folder.bytes("out.jsonl") == [])
    }
}
