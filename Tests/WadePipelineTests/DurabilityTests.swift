//! Facts about files under way and about outputs that something happens to.
import Foundation
import Glibc
import Synchronization
import Testing

@testable import WadePipeline

@Suite("what happens to files")
struct DurabilityTests {
    private func isMissing(_ bytes: [UInt8], cutTo count: Int? = nil) throws -> Bool {
        let folder = try TemporaryFolder()
        folder.write("", to: "file")
        try folder.replace("file", with: bytes.prefix(count ?? bytes.count))
        return ContainerEnd.isMissing(folder("file"), size: count ?? bytes.count)
    }

    @Test(
        "a file that ends before its container says so is incomplete at every cut, a whole one is not"
    )
    func containerEnds() throws {
        let matroska: [UInt8] =
            [0x1A, 0x45, 0xDF, 0xA3, 0x84, 1, 2, 3, 4, 0x18, 0x53, 0x80, 0x67, 0x40, 0x06]
            + [9, 9, 9, 9, 9, 9]
        let riff = Array("RIFF".utf8) + [14, 0, 0, 0] + Array("AVI LIST abcdef".utf8).prefix(14)
        let boxes =
            [0, 0, 0, 16] + Array("ftypisom".utf8) + [0, 0, 2, 0] + [0, 0, 0, 20]
            + Array("mdat".utf8) + [UInt8](repeating: 7, count: 12) + [0, 0, 0, 9]
            + Array("moov".utf8) + [7]
        for whole in [matroska, riff, boxes] {
            #expect(try !isMissing(whole))
            for count in 12..<whole.count {
                #expect(try isMissing(whole, cutTo: count), "\(count)")
            }
        }
        #expect(try isMissing(boxes, cutTo: 0))
    }

    @Test(
        "a picture without the mark at its end is incomplete, one with something behind it is not")
    func pictureEnds() throws {
        let scan = [UInt8](repeating: 0x5A, count: 9000)
        let jpeg: [UInt8] =
            [0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xD8, 0xFF, 0xD9] + scan + [0xFF, 0xD9]
        let png = [0x89] + Array("PNG\r\n".utf8) + scan + Array("IEND".utf8) + [1, 2, 3, 4]
        let gif = Array("GIF89a".utf8) + scan + [0x00, 0x3B]
        for (whole, mark) in [(jpeg, 2), (png, 8), (gif, 2)] {
            #expect(try !isMissing(whole) && !isMissing(whole + [0, 0, 0]))
            for count in [5000, whole.count - mark, whole.count - mark + 1] {
                #expect(try isMissing(whole, cutTo: count), "\(count)")
            }
        }
    }

    @Test(
        "a live recording in Matroska may be cut anywhere, and other files say nothing about their end"
    )
    func withoutEnd() throws {
        let live: [UInt8] =
            [0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67, 0x01]
            + [UInt8](repeating: 0xFF, count: 7) + [9, 9, 9]
        #expect(try !isMissing(live))
        #expect(try !isMissing(live, cutTo: live.count - 2))
        #expect(try !isMissing(Array("YUV4MPEG2 W32".utf8)))
        #expect(try !isMissing(Array("no video".utf8)))
    }

    @Test(
        "a transport stream that ends within a packet is incomplete",
        arguments: [(188, 0), (192, 4)])
    func transportStream(packet: Int, sync: Int) throws {
        var one = [UInt8](repeating: 0, count: packet)
        one[sync] = 0x47
        let stream = one + one + one + one + one
        #expect(try !isMissing(stream))
        #expect(try isMissing(stream, cutTo: 4 * packet + 17))
    }

    @Test(
        "an output whose name goes, or means another file, ends the run at the next synchronisation"
    )
    func vanishedOutput() throws {
        let folder = try TemporaryFolder()
        for replacement in [nil, "{}\n"] {
            var writer = try JSONLinesWriter(path: folder("out.jsonl"))
            try writer.append(Array("{}\n".utf8))
            try writer.synchronize()
            #expect(unlink(folder("out.jsonl").text) == 0)
            if let replacement { folder.write(replacement, to: "out.jsonl") }
            #expect(throws: PipelineError.self) { try writer.synchronize() }
        }
    }

    @Test("a line is never glued to a torn one")
    func tornBefore() throws {
        let folder = try TemporaryFolder()
        folder.write("{\"a\":1}\n{\"b", to: "runs.jsonl")
        var writer = try JSONLinesWriter(path: folder("runs.jsonl"))
        #expect(try writer.append(Array("{\"c\":3}\n".utf8)) == 12)
        #expect(try folder.bytes("runs.jsonl") == Array("{\"a\":1}\n{\"b\n{\"c\":3}\n".utf8))
    }

    @Test("a file that is known by its size and time is not opened")
    func knownIsNotOpened() throws {
        let digest = [UInt8](repeating: 7, count: 32)
        // it can be opened but is empty to whoever does
        let known = try ContentIdentity.read(PathBytes("/proc/self/mem"), known: { _ in digest })
        #expect(known.digest == digest)
        #expect(throws: ClipFailure.self) {
            try ContentIdentity.read(PathBytes("/proc/self/mem"), known: { _ in nil })
        }
    }

    @Test(
        "a time of change that lies ahead is waited for 10 s, and by a file without its end in full"
    )
    func future() throws {
        let folder = try TemporaryFolder()
        let gate = SettledGate(minimumAge: 20)
        func remaining(_ content: String, ahead: Int) -> Double? {
            let path = folder.write(content, to: "a.mp4", secondsAgo: -ahead)
            guard case .young(_, let remaining, _, _) = gate.look(at: path, isKnown: { _ in false })
            else { return nil }
            return remaining
        }
        let start = "\0\0\0\u{10}ftypisom\0\0\u{2}\0"
        #expect(remaining(start, ahead: 3600) == 100)
        #expect(remaining(start + "\0\0\0\u{8}moov", ahead: 3600) == 10)
        #expect(remaining(start, ahead: 2 * 86_400) == 10)
    }

    @Test("a signal outranks the clock, the first signal stands, and last words are said once")
    func stopRequest() {
        let stop = StopRequest()
        let said = Mutex<[StopRequest.Reason]>([])
        stop.beforeAbandoning { reason in said.withLock { $0.append(reason) } }
        #expect(!stop.abandon())
        stop.stop(.timeLimit)
        stop.stop(.signal(15))
        stop.stop(.signal(2))
        stop.stop(.timeLimit)
        #expect(stop.reason == .signal(15))
        #expect(stop.abandon() && stop.abandon())
        #expect(said.withLock { $0 } == [.signal(15)])
    }

    @Test("either the run or the end of the grace speaks for it, whoever comes first")
    func oneSpeaker() {
        let said = Mutex(0)
        let abandoned = StopRequest()
        abandoned.beforeAbandoning { _ in said.withLock { $0 += 1 } }
        abandoned.stop(.signal(15))
        abandoned.whileRunning { said.withLock { $0 += 10 } }
        #expect(abandoned.abandon() && !abandoned.settle())
        abandoned.whileRunning { said.withLock { $0 += 100 } }
        #expect(said.withLock { $0 } == 11)
        let settled = StopRequest()
        settled.beforeAbandoning { _ in said.withLock { $0 += 1000 } }
        settled.stop(.signal(15))
        #expect(settled.settle() && settled.settle() && !settled.abandon())
        #expect(said.withLock { $0 } == 11)
    }

    @Test("an end of the run and an end of the grace at the same time make one message, not two")
    func race() {
        for _ in 0..<200 {
            let said = Mutex(0)
            let stop = StopRequest()
            stop.stop(.signal(15))
            stop.beforeAbandoning { _ in said.withLock { $0 += 1 } }
            DispatchQueue.concurrentPerform(iterations: 2) { number in
                if number == 0 {
                    _ = stop.abandon()
                } else if stop.settle() {
                    said.withLock { $0 += 1 }
                }
            }
            #expect(said.withLock { $0 } == 1)
        }
    }

    @Test("who asks for a held lock learns the holder, and asking makes no file and holds nothing")
    func refusal() throws {
        let folder = try TemporaryFolder()
        #expect(RunLock.refusal(output: folder("out.jsonl")) == nil)
        #expect(access(folder("out.jsonl.lock").text, F_OK) != 0)
        do {
            let held = try RunLock(output: folder("out.jsonl"))
            let refusal = try #require(RunLock.refusal(output: folder("out.jsonl")))
            #expect("\(refusal)".contains("another run holds this output: process \(getpid()) on"))
            _ = consume held
        }
        #expect(RunLock.refusal(output: folder("out.jsonl")) == nil)
        _ = try RunLock(output: folder("out.jsonl"))
    }
}
