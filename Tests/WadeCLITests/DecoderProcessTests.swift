//! Facts about the decoder processes of the program as it is run: they die with it, and their deaths cost no record.
import Foundation
import Testing

@Suite(
    "decoder processes of a run", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason),
    .serialized)
struct DecoderProcessTests {
    /// Processes that serve the process `run` as decoders.
    private func decoders(of run: Int32) -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.filter { process in
            let path = "/proc/\(process)/cmdline"
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data()
            return String(decoding: bytes, as: UTF8.self) == "wade\0decode-child\0\(run)\0"
        }
    }

    private func start(_ wade: BuiltProgram, _ more: [String]) throws -> Process {
        try wade.start(
            ["annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl")]
                + more,
            output: Pipe(), errors: Pipe())
    }

    private func waitForDecoder(of run: Process) -> [Int32] {
        for _ in 0..<500 {
            let found = decoders(of: run.processIdentifier)
            if !found.isEmpty || !run.isRunning { return found }
            usleep(10_000)
        }
        return []
    }

    @Test("a run ended by kill -9, or by itself, leaves no decoder behind")
    func noOrphans() throws {
        let wade = try BuiltProgram()
        for number in 0..<200 {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number))
        }
        let run = try start(wade, ["--workers", "3"])
        let found = waitForDecoder(of: run)
        #expect(!found.isEmpty)
        // One that stands still from its first moment on cannot see its run go; the kernel ends it all the same.
        if let one = found.first { kill(one, SIGSTOP) }
        kill(run.processIdentifier, SIGKILL)
        run.waitUntilExit()
        // A decoder that was just being started still has to begin to learn that its run is gone.
        for _ in 0..<200 where !decoders(of: run.processIdentifier).isEmpty { usleep(50_000) }
        #expect(decoders(of: run.processIdentifier) == [])
        let rest = try start(wade, [])
        rest.waitUntilExit()
        #expect(rest.terminationStatus == 0 && decoders(of: rest.processIdentifier) == [])
        let lines = try wade.bytes("out.jsonl").filter { $0 == 0x0A }.count
        #expect(lines == 200)
    }

    @Test("however often decoders are killed during a run, every clip has one record")
    func killedRepeatedly() throws {
        let wade = try BuiltProgram()
        for number in 0..<60 {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number))
        }
        let run = try start(wade, ["--workers", "2"])
        var killed = 0
        while run.isRunning {
            for child in decoders(of: run.processIdentifier) where kill(child, SIGSEGV) == 0 {
                killed += 1
            }
            usleep(50_000)
        }
        run.waitUntilExit()
        // None, some or all clips met two deaths.
        #expect(killed > 0 && [0, 3, 4].contains(run.terminationStatus))
        let lines = String(decoding: try wade.bytes("out.jsonl"), as: UTF8.self)
            .split(separator: "\n")
        var paths: Set<String> = []
        for line in lines {
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            paths.insert((object["video"] as? [String: Any])?["path"] as? String ?? "")
            let code = (object["error"] as? [String: Any])?["code"] as? String
            #expect(["", "decoder_crashed"].contains(code))
        }
        #expect(paths.count == 60 && lines.count == 60)
        #expect(decoders(of: run.processIdentifier) == [])
    }

    @Test("the records of a run with a memory budget are those of one without, byte for byte")
    func budget() throws {
        let wade = try BuiltProgram()
        for number in 0..<6 {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number))
        }
        let free = try wade.annotate("free.jsonl", ["--workers", "1"])
        let bounded = try wade.annotate(
            "bounded.jsonl", ["--workers", "3", "--memory", "900M", "--nice"])
        #expect(free.code == 0 && bounded.code == 0, "\(bounded.errors)")
        let payloads = try ["free.jsonl", "bounded.jsonl"].map { try wade.payloads($0) }
        #expect(payloads[0] == payloads[1] && payloads[0].count == 6)
    }

    @Test(
        "under a budget the lines do not depend on the number of workers, nor on the budget where it holds the largest clip"
    )
    func budgetAndWorkers() throws {
        let wade = try BuiltProgram()
        for number in 0..<5 { try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number)) }
        // One picture of 3840 x 2160: decoding it takes more than 64 MiB.
        var data = Data("YUV4MPEG2 W3840 H2160 F8:1 C420mpeg2\nFRAME\n".utf8)
        data += Data(repeating: 77, count: 3840 * 2160 * 3 / 2)
        try data.write(to: wade.folder.appendingPathComponent("in/102-large.y4m"))
        _ = try wade.shell("touch -d '1 hour ago' \"$1\"/in/102-large.y4m")
        func lines(_ options: [String]) throws -> (code: Int32, lines: [String]) {
            try? FileManager.default.removeItem(atPath: wade.path("out.jsonl"))
            let run = try wade.annotate("out.jsonl", options)
            let lines = String(decoding: try wade.bytes("out.jsonl"), as: UTF8.self)
            return (
                run.code,
                lines.split(separator: "\n").map {
                    String($0.replacing(#/,"run":\{[^{}]*\}/#, with: ""))
                }
            )
        }
        let free = try lines(["--workers", "1"])
        #expect(free.code == 0 && free.lines.count == 6)
        for options in [
            ["--workers", "1", "--memory", "700M"], ["--workers", "2", "--memory", "700M"],
            ["--workers", "8", "--memory", "700M"], ["--workers", "8", "--memory", "1200M"],
        ] {
            let bounded = try lines(options)
            #expect(bounded.code == 0 && bounded.lines == free.lines, "\(options)")
        }
        let small = try lines(["--clip-memory", "64M", "--workers", "1"])
        #expect(small.code == 3 && small.lines.count == 6)
        let refused = small.lines.filter {
            $0.contains("more than the limit of 64 MiB for one clip")
        }
        #expect(refused.count == 1)
        let shared = try lines(["--clip-memory", "64M", "--workers", "8", "--memory", "500M"])
        #expect(shared.code == 3 && shared.lines == small.lines)
        #expect(try wade.annotate("out.jsonl", ["--clip-memory", "63M"]).code == 64)
    }

    @Test(
        "FFmpeg's libraries missing or broken end the run with 1 and their name, before any record")
    func missingLibraries() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        // First in the output, and an error of its own.
        try wade.write("", to: "in/0.mp4")
        _ = try wade.shell("touch -d '1 hour ago' \"$1\"/in/0.mp4")
        // Found before the system's own, and no libraries.
        for version in 50..<70 { try wade.write("no library", to: "libavcodec.so.\(version)") }
        for options in ["", "--memory 900M"] {
            let run = try wade.shell(
                """
                cd "$1"; export LD_LIBRARY_PATH="$1"
                "$0" annotate in -p p.yaml -o out.jsonl --status-file status.json \(options)
                """)
            #expect(run.code == 1)
            #expect(run.errors.hasPrefix("wade: no clip can be decoded: ffmpeg's libavcodec.so."))
            #expect(run.errors.filter { $0 == "\n" }.count == 1, "\(run.errors)")
            #expect(try wade.bytes("out.jsonl").isEmpty)
        }
        let frames = try wade.shell("cd \"$1\"; LD_LIBRARY_PATH=. \"$0\" frames in/a.y4m")
        #expect(frames.code != 0 && frames.errors.contains("libavcodec.so."))
        #expect(try wade.annotate().code == 3)
    }

    @Test("a budget that the model does not fit into ends the run before it begins, with the sizes")
    func tooSmallBudget() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        let run = try wade.annotate("out.jsonl", ["--memory", "20M"])
        #expect(run.code == 1)
        #expect(run.errors.contains("found a memory budget of 20 MiB, expected at least"))
        #expect(run.errors.contains("64 for one clip (--clip-memory)"))
        #expect(try wade.annotate("out.jsonl", ["--memory", "lots"]).code == 64)
        #expect(try wade.annotate("out.jsonl", ["--file-timeout", "x"]).code == 64)
    }
}
