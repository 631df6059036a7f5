//! Facts about the output as a ledger, its writer and its lock.
import Foundation
import Testing

@testable import WadePipeline

@Suite("the ledger")
struct LedgerTests {
    @Test(
        "somebody else's file is neither cut nor appended to",
        arguments: [
            "hello", "hello\nworld\n", "{\"other\":1}\n", "\u{0}\u{0}\u{0}\u{1}ftypmp42",
        ])
    func foreign(content: String) throws {
        let folder = try TemporaryFolder()
        folder.write(content, to: "out.jsonl")
        #expect(throws: PipelineError.self) { try Ledger(readingFrom: folder("out.jsonl")) }
    }

    @Test("of two lines with one key the later number wins, wherever it stands")
    func laterWins() throws {
        let folder = try TemporaryFolder()
        var answer = AnnotationRecordTests.full()
        answer.run.sequence = 7
        var failed = answer
        failed.run.sequence = 3
        failed.status = .error
        failed.error = .init(ClipFailure(code: .timeout, stage: .decode, message: ""))
        try folder.replace(
            "out.jsonl", with: try answer.line() + failed.line() + Array("broken\n".utf8))
        let ledger = try Ledger(readingFrom: folder("out.jsonl"))
        #expect(ledger.lastSequence == 7 && ledger.lines == 3 && ledger.badLines == 1)
        let key = LedgerKey(Array(repeating: 0xAB, count: 32))
        #expect(ledger.verdict(on: key, retries: 2) == .done)
        let entry = try #require(ledger.entries[key])
        let length = try answer.line().count - 1
        #expect(entry.offset == 0 && entry.length == length)
    }

    @Test("lines longer and shorter than a block are read whole", arguments: [1, 7, 64, 4096])
    func blocks(size: Int) throws {
        let folder = try TemporaryFolder()
        folder.write("a\n\nlonger line\nrest", to: "x")
        var reader = LineReader(try OpenFile(folder("x"), for: .reading), blockSize: size)
        var lines: [String] = []
        let rest = try reader.forEachLine { offset, scan in
            lines.append("\(offset):" + String(decoding: scan.all, as: UTF8.self))
        }
        #expect(lines == ["0:a", "2:", "3:longer line"])
        #expect(rest.offset == 15 && rest.bytes == Array("rest".utf8))
    }

    @Test("a full disk takes back the part of the line that was written")
    func diskFull() throws {
        var writer = try JSONLinesWriter(path: PathBytes("/dev/full"))
        #expect(throws: PipelineError.self) { try writer.append(Array("{}\n".utf8)) }
    }

    @Test(
        "a second lock on an output is refused and names the holder; it is free when the first goes"
    )
    func lock() throws {
        let folder = try TemporaryFolder()
        do {
            let first = try RunLock(output: folder("out.jsonl"))
            var complaint = ""
            do {
                _ = try RunLock(output: folder("out.jsonl"))
            } catch {
                complaint = "\(error)"
            }
            #expect(complaint.contains("another run holds this output: process \(getpid()) on"))
            _ = consume first
        }
        _ = try RunLock(output: folder("out.jsonl"))
    }

    @Test(
        "a million lines are read in five seconds by an optimised build",
        .enabled(if: ProcessInfo.processInfo.environment["WADE_SPEED"] != nil))
    func speed() throws {
        let folder = try TemporaryFolder()
        let path = folder("big.jsonl")
        var record = AnnotationRecordTests.full()
        record.output.raw = String(repeating: "A dog runs on a beach. ", count: 8)
        var block: [UInt8] = []
        var writer = try JSONLinesWriter(path: path)
        for number in 0..<1_000_000 {
            record.key = Hexadecimal.text(Hexadecimal.sha256([Array("\(number)".utf8)]))
            record.run.sequence = number
            record.video.path = "folder/clip-\(number).mp4"
            block += try record.line()
            if block.count > 1 << 20 {
                try writer.append(block)
                block = []
            }
        }
        try writer.append(block)
        let clock = ContinuousClock()
        let time = try clock.measure {
            let ledger = try Ledger(readingFrom: path)
            #expect(ledger.entries.count == 1_000_000)
        }
        print(
            "ledger: 1,000,000 lines, \(try OpenFile(path, for: .reading).status().size >> 20) MiB in \(time)"
        )
        #expect(time < .seconds(5))
    }
}
