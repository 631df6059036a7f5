//! Facts about files that change while a run reads them, that take too long to read, and about clocks that go wrong.
import Foundation
import Glibc
import Synchronization
import Testing

@testable import WadePipeline

@Suite("files that change under a run")
struct ChangingFileTests {
    /// A model that does `work` when it encodes the content `text`.
    private func annotator(
        whenEncoding text: String, _ work: @escaping @Sendable () -> Void
    ) -> Annotator<String> {
        var annotator = FakeAnnotator.make()
        let encode = annotator.encode
        annotator.encode = { source, span in
            let clip = encode(source, span)
            if case .success(let made) = clip, made.tokens == text { work() }
            return clip
        }
        return annotator
    }

    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4")
        folder.write("cat", to: "in/b.mp4")
        return folder
    }

    /// Writes `content` over the file at `path`.
    private func replace(_ path: PathBytes, with content: String) -> @Sendable () -> Void {
        { try? Data(content.utf8).write(to: URL(fileURLWithPath: path.text)) }
    }

    @Test(
        "a file that is replaced after its content was read leaves no record of a content that it has not"
    )
    func replaced() throws {
        let folder = try folder()
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask])
        let first = try annotate(
            [folder("in")], into: output, pipeline: pipeline,
            annotator: annotator(
                whenEncoding: "dog", replace(folder("in/a.mp4"), with: "horse")))
        #expect(first.deferred == 1 && first.answers == 1 && first.exitCode == 0)
        #expect(try records(output).map(\.output.text) == ["cat for caption"])
        var settings = RunSettings(workers: 2)
        settings.minimumAge = 0
        let second = try annotate(
            [folder("in")], into: output, pipeline: pipeline, settings: settings)
        #expect(second.deferred == 0)
        #expect(
            try records(output).map(\.output.text) == ["cat for caption", "horse for caption"])
    }

    @Test("a file that goes after its content was read is gone, not failed")
    func deleted() throws {
        let folder = try folder()
        let path = folder("in/a.mp4").text
        let summary = try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: plainPipeline([captionTask]),
            annotator: annotator(whenEncoding: "dog") { unlink(path) })
        #expect(summary.failures == 0 && summary.exitCode == 0)
        #expect(summary.skipped == ["gone before it was read": 1])
        #expect(try records(folder("out.jsonl")).map(\.video.id) == ["b"])
    }

    @Test("a file that is named and changes has a record that says so, until it can be read")
    func named() throws {
        let folder = try folder()
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask, colourTask])
        let first = try annotate(
            [folder("in/a.mp4")], into: output, pipeline: pipeline,
            annotator: annotator(
                whenEncoding: "dog", replace(folder("in/a.mp4"), with: "horse")))
        #expect(first.failures == 2 && first.exitCode == 4 && first.deferred == 0)
        #expect(
            try records(output).map(\.error.code)
                == Array(repeating: "changed_while_reading", count: 2))
        let second = try annotate([folder("in/a.mp4")], into: output, pipeline: pipeline)
        #expect(second.exitCode == 0 && second.answers == 2)
        let checker = try RecordChecker.check(output)
        #expect(checker.findings == [] && checker.statuses == ["ok": 2, "removed": 2])
    }

    @Test(
        "the second file with a content waits, too, when the first one changes, and has its own answer then"
    )
    func copies() throws {
        let folder = try folder()
        folder.write("dog", to: "in/c.mp4")
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask])
        let first = try annotate(
            [folder("in")], into: output, pipeline: pipeline,
            annotator: annotator(
                whenEncoding: "dog", replace(folder("in/a.mp4"), with: "horse")))
        #expect(first.deferred == 2 && first.failures == 0)
        var settings = RunSettings(workers: 2)
        settings.minimumAge = 0
        try annotate([folder("in")], into: output, pipeline: pipeline, settings: settings)
        #expect(
            try records(output).map { "\($0.video.id) \($0.output.text)\($0.sameAs)" }
                == ["b cat for caption", "a horse for caption", "c dog for caption"])
    }

    @Test(
        "a file whose size or time changes while its bytes are read has no content",
        arguments: ["grows", "shrinks", "is touched"])
    func whileHashing(kind: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.write("start", to: "a.mp4")
        let name = path.text
        let size = 48 << 20
        #expect(truncate(name, size) == 0)
        let writer = Writer()
        Thread {
            for round in 1... {
                if writer.isOver.withLock({ $0 }) { break }
                switch kind {
                case "grows": truncate(name, size + round)
                case "shrinks": truncate(name, size - round)
                default: utimes(name, nil)
                }
                usleep(1000)
            }
        }.start()
        usleep(5000)
        var code: FailureCode?
        do { _ = try ContentIdentity.read(path, known: { _ in nil }) } catch { code = error.code }
        writer.isOver.withLock { $0 = true }
        #expect(code == .changedWhileReading)
    }

    /// Whether the thread that changes a file may end.
    private final class Writer: Sendable {
        let isOver = Mutex(false)
    }

    @Test(
        "a file that takes longer to hash than one file may is a timeout; the run goes on, and gives it up in time"
    )
    func hashing() throws {
        let folder = try folder()
        let huge = folder.write("", to: "in/huge.mkv").text
        #expect(truncate(huge, 1 << 40) == 0)
        let hour = timeval(tv_sec: time(nil) - 3600, tv_usec: 0)
        #expect(utimes(huge, [hour, hour]) == 0)
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask])
        var settings = RunSettings(workers: 2)
        (settings.fileTimeout, settings.retries) = (1, 1)
        for _ in 0..<2 {
            let start = ContinuousClock.now
            let summary = try annotate(
                [folder("in")], into: output, pipeline: pipeline, settings: settings)
            #expect(summary.failures == 1 && summary.exitCode == 3 && summary.parked == 0)
            #expect(ContinuousClock.now - start < .seconds(20))
        }
        let all = try records(output)
        #expect(all.map(\.video.id) == ["a", "b", "huge", "huge"])
        #expect(all[2].error.code == "timeout" && all[2].error.stage == "read")
        #expect(all[2].error.message.contains("before all 1099511627776 bytes are hashed"))
        #expect(all[2].video.contentID == "" && all[2].video.bytes == 1 << 40)
        #expect(all[2].video.mtime.hasSuffix("Z") && all[2].key == all[3].key)
        #expect(try RecordChecker.check(output).findings == [])

        // Tried as often as it may be: costs nothing any more, until it changes.
        let quiet = try annotate(
            [folder("in")], into: output, pipeline: pipeline, settings: settings)
        #expect(quiet.parked == 1 && quiet.failures == 0 && quiet.exitCode == 0)
        #expect(try records(output).count == 4)
        func states() throws -> [RunForecast.State] {
            let plan = try RunPlan(
                pipeline: pipeline,
                model: ModelIdentity(name: "fake", weightsSHA256: "00", numericsVersion: "1"),
                findings: try ClipFinder.find([folder("in")]), settings: settings)
            return RunForecast(
                plan: plan, ledger: try Ledger(readingFrom: output), estimate: nil
            ).lines.map(\.state)
        }
        #expect(try states() == [.done, .done, .parked])
        folder.write("small now", to: "in/huge.mkv")
        #expect(try states() == [.done, .done, .todo])
        let read = try annotate(
            [folder("in")], into: output, pipeline: pipeline, settings: settings)
        #expect(read.answers == 1)
        #expect(try RecordChecker.check(output).statuses == ["ok": 3, "removed": 1])
    }

    @Test(
        "a clock that was set back between two runs changes neither what is done nor what is current"
    )
    func clockSetBack() throws {
        let folder = try folder()
        let output = folder("out.jsonl")
        let pipeline = plainPipeline([captionTask])
        folder.write("flaky", to: "in/c.mp4")
        try annotate([folder("in")], into: output, pipeline: pipeline)
        // The first run's clock was years ahead, and so are the times of the files that were copied then.
        let ahead = try records(output).map { record in
            var record = record
            record.run.createdAt = "2099-01-01T00:00:00Z"
            return try record.line()
        }
        try folder.replace("out.jsonl", with: ahead.joined())
        folder.write("horse", to: "in/d.mp4", secondsAgo: -86_400 * 365)
        var settings = RunSettings(workers: 2)
        settings.minimumAge = 1
        let second = try annotate(
            [folder("in")], into: output, pipeline: pipeline,
            annotator: FakeAnnotator.make(flakyFails: false), settings: settings)
        #expect(second.answers == 2 && second.filesDone == 2 && second.deferred == 0)
        let all = try records(output)
        #expect(all.map(\.video.id) == ["a", "b", "c", "c", "d"])
        #expect(all.map(\.run.sequence) == [0, 1, 2, 3, 4])
        #expect(all[3].run.createdAt < all[2].run.createdAt && all[3].key == all[2].key)
        let checker = try RecordChecker.check(output)
        #expect(checker.findings == [] && checker.statuses == ["ok": 4])
        let third = try annotate([folder("in")], into: output, pipeline: pipeline)
        #expect(third.filesDone == 4)
    }
}
