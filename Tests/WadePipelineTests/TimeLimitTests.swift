//! Facts about the end of a run: which moment a time of day means, and what a run does when it comes.
import Dispatch
import Foundation
import Testing

@testable import WadePipeline

@Suite("the time limit of a run", .serialized)
struct TimeLimitTests {
    private func utc(_ text: String) throws -> Int {
        let date = try #require(ISO8601DateFormatter().date(from: "2026-\(text)Z"))
        return Int(date.timeIntervalSince1970)
    }

    private func end(_ zone: String, _ hour: Int, _ minute: Int, now: String) throws -> Int? {
        let before = ProcessInfo.processInfo.environment["TZ"]
        setenv("TZ", zone, 1)
        tzset()
        defer {
            if let before { setenv("TZ", before, 1) } else { unsetenv("TZ") }
            tzset()
        }
        return TimeLimit.end(hour: hour, minute: minute, now: try utc(now))
    }

    @Test(
        "a time of day is the next one, and a quarter of an hour long the last one",
        arguments: [
            // Berlin is an hour ahead of UTC in winter: a job of 23:00 that is to end at 06:00, and the same job started late.
            ("11-26T22:00:00", "11-27T05:00:00"), ("11-27T05:00:00", "11-27T05:00:00"),
            ("11-27T05:01:00", "11-27T05:00:00"), ("11-27T05:15:00", "11-27T05:00:00"),
            ("11-27T05:15:01", "11-28T05:00:00"), ("11-27T04:59:59", "11-27T05:00:00"),
        ])
    func lateness(now: String, expected: String) throws {
        #expect(try end("Europe/Berlin", 6, 0, now: now) == utc(expected))
    }

    @Test(
        "summer time: what it leaves out is an hour later, of what its end brings twice the next one counts",
        arguments: [
            ("03-28T23:00:00", "03-29T01:30:00"), ("03-29T10:00:00", "03-30T00:30:00"),
            ("10-24T23:00:00", "10-25T00:30:00"), ("10-25T00:50:00", "10-25T01:30:00"),
            ("10-25T01:50:00", "10-26T01:30:00"),
        ])
    func summerTime(now: String, expected: String) throws {
        #expect(try end("Europe/Berlin", 2, 30, now: now) == utc(expected))
    }

    @Test("a zone that is spelled by its rules counts as one that has a name")
    func rules() throws {
        let rules = "CET-1CEST,M3.5.0,M10.5.0/3"
        #expect(try end(rules, 6, 0, now: "07-01T22:00:00") == utc("07-02T04:00:00"))
        #expect(try end("XXX-0:00:30", 6, 0, now: "07-01T22:00:00") == utc("07-02T05:59:30"))
    }

    /// A run over the files of `in`, a quarter of a second each, that ends by `limit`.
    private func run(_ folder: TemporaryFolder, limit: TimeLimit?) throws -> RunSummary {
        var annotator = FakeAnnotator.make(batch: 1)
        let answer = annotator.answer
        annotator.answer = { questions in
            usleep(250_000)
            return answer(questions)
        }
        let stop = StopRequest()
        if let limit { Interruption.watch(limit, stop, DispatchQueue(label: "clock")) }
        return try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: plainPipeline([captionTask]),
            workers: 1, annotator: annotator, stop: stop)
    }

    @Test(
        "a run ends with 5 between two records when its time comes, and the next one does the rest",
        arguments: [true, false])
    func ends(byTimeOfDay: Bool) throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        for number in 0..<8 { folder.write("clip \(number)", to: "in/\(number).mp4") }
        let limit =
            byTimeOfDay
            ? TimeLimit(maximumRuntime: nil, until: Int(time(nil)) + 1)
            : TimeLimit(maximumRuntime: 1, until: nil)
        let first = try run(folder, limit: limit)
        #expect(first.exitCode == 5 && first.stop == .timeLimit)
        let written = try records(folder("out.jsonl")).count
        #expect(first.answers < 8 && first.answers == written)
        let rest = try run(folder, limit: nil)
        #expect(rest.exitCode == 0 && first.answers + rest.answers == 8)
        #expect(try records(folder("out.jsonl")).map(\.video.id) == (0..<8).map { "\($0)" })
    }

    @Test("a run that begins when its time is over begins nothing")
    func over() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("clip", to: "in/a.mp4")
        let summary = try run(folder, limit: TimeLimit(maximumRuntime: nil, until: Int(time(nil))))
        #expect(summary.exitCode == 5 && summary.answers == 0 && summary.files == 1)
    }

    @Test("a time that comes when nothing is left has ended nothing")
    func nothingLeft() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("clip", to: "in/a.mp4")
        let stop = StopRequest()
        var annotator = FakeAnnotator.make(batch: 4)
        let answer = annotator.answer
        annotator.answer = { questions in
            stop.stop(.timeLimit)
            return answer(questions)
        }
        let summary = try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: plainPipeline([captionTask]),
            annotator: annotator, stop: stop)
        #expect(summary.exitCode == 0 && summary.answers == 1 && summary.stop == nil)
    }
}
