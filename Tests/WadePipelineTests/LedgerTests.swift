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

    @Test(
        "what failed the same way too often is parked until wade's version changes, and says how it failed"
    )
    func parking() throws {
        let folder = try TemporaryFolder()
        func failure(_ sequence: Int, _ code: FailureCode, version: String = Program.version)
            throws -> [UInt8]
        {
            var record = AnnotationRecordTests.full()
            record.run.sequence = sequence
            record.run.wadeVersion = version
            record.status = .error
            record.error = .init(ClipFailure(code: code, stage: .decode, message: ""))
            return try record.line()
        }
        let key = LedgerKey(Array(repeating: 0xAB, count: 32))
        func verdict(_ lines: [UInt8]) throws -> Ledger.Verdict {
            try folder.replace("out.jsonl", with: lines)
            return try Ledger(readingFrom: folder("out.jsonl")).verdict(on: key, retries: 2)
        }
        let twice = try failure(1, .decoderCrashed) + failure(2, .decoderCrashed)
        #expect(try verdict(twice) == .failed)
        #expect(try verdict(twice + failure(3, .timeout)) == .failed)
        #expect(try verdict(twice + failure(3, .decoderCrashed, version: "0.0.1")) == .failed)
        #expect(try verdict(twice + failure(3, .decoderCrashed)) == .parked)
        let ledger = try Ledger(readingFrom: folder("out.jsonl"))
        #expect(
            ledger.reasonForParking(key)
                == "parked: failed 3 times with this version of wade (decoder_crashed)")
    }

    @Test(
        "a record spelled by another program is the same record",
        arguments: ["carriage return", "json.dumps", "pretty"])
    func spellings(kind: String) throws {
        let folder = try TemporaryFolder()
        var record = AnnotationRecordTests.full()
        record.video.path = "caf\u{E9}.mp4"
        let line = Array(try record.line().dropLast())
        let spelled: [UInt8]
        switch kind {
        case "carriage return": spelled = line + [0x0D]
        case "json.dumps":
            let text = String(decoding: line, as: UTF8.self)
                .replacingOccurrences(of: "\":", with: "\": ")
                .replacingOccurrences(of: "\u{E9}", with: "\\u00e9")
            // A member that the line begins with moves to its end.
            let moved = try #require(text.range(of: ",\"custom_id\": "))
            spelled = Array(
                ("{" + text[text.index(after: moved.lowerBound)...].dropLast() + ", "
                    + text[text.index(after: text.startIndex)..<moved.lowerBound] + "}").utf8)
        default: spelled = [0x20] + line + [0x09, 0x20]
        }
        try folder.replace("ours.jsonl", with: line + [0x0A])
        try folder.replace("theirs.jsonl", with: spelled + [0x0A])
        let ours = try Ledger(readingFrom: folder("ours.jsonl"))
        let theirs = try Ledger(readingFrom: folder("theirs.jsonl"))
        #expect(theirs.badLines == 0 && theirs.lastSequence == ours.lastSequence)
        #expect(Set(theirs.entries.keys) == Set(ours.entries.keys))
        #expect(theirs.entries.values.map(\.path) == ours.entries.values.map(\.path))
    }

    @Test("a line that is too long is passed over, and one without an end is refused")
    func tooLong() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "x", count: 300)
        folder.write("a\n\(long)\nb\nrest", to: "x")
        var reader = LineReader(
            try OpenFile(folder("x"), for: .reading), blockSize: 16, longestLine: 100)
        var lines: [String] = []
        let rest = try reader.forEachLine { offset, scan in lines.append("\(offset):\(scan.count)")
        }
        #expect(lines == ["0:1", "2:64", "303:1"])
        #expect(rest.offset == 305 && rest.bytes == Array("rest".utf8))
        folder.write("a\n\(long)", to: "y")
        var endless = LineReader(
            try OpenFile(folder("y"), for: .reading), blockSize: 16, longestLine: 100)
        var error: SystemError?
        do { _ = try endless.forEachLine { _, _ in } } catch let caught { error = caught }
        #expect(error == SystemError(code: EFBIG))
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
