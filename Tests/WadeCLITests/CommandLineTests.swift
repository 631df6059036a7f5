//! Facts about the program as a user or cron runs it: exit codes, streams, resuming.
import Foundation
import Testing
import WadeTestSupport

/// What a finished process left.
struct Finished {
    let code: Int32
    let output: String
    let errors: String
}

/// The built program and a folder with a tiny model, a pipeline and clips.
final class BuiltProgram {
    /// The program is built into the folder of the tests, whose bundle the runner is told.
    static let program: URL = {
        let paths = ProcessInfo.processInfo.arguments.map { URL(fileURLWithPath: $0) }
        var bundle = paths.first { $0.path.contains(".xctest") } ?? paths[0]
        while bundle.pathExtension != "xctest", bundle.pathComponents.count > 1 {
            bundle.deleteLastPathComponent()
        }
        return bundle.deletingLastPathComponent().appendingPathComponent("wade")
    }()
    /// A model with 457,000 parameters, as OpenFlamingo published its own; its words are noise.
    static let fixture = Fixtures.bundled.appendingPathComponent(
        "openflamingo-mpt/mpt1b-every2")

    /// Its checkpoint, in pieces small enough to travel with the project.
    static var checkpoint: String { fixture.appendingPathComponent("checkpoint").path }

    /// Why a suite is skipped where it is.
    static let reason: Comment =
        "the program is not built beside the tests, or the bundled model is not there"

    static var isReady: Bool {
        let program = program.path
        return FileManager.default.isExecutableFile(atPath: program)
            && FileManager.default.fileExists(
                atPath: checkpoint)
    }

    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wade-cli-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("in"), withIntermediateDirectories: true)
        let imported = try run([
            "model", "import", Self.checkpoint,
            "--language",
            Self.fixture.appendingPathComponent("lm").path, "--vision",
            Self.fixture.appendingPathComponent("vision").path, "--output", path("model"),
        ])
        precondition(imported.code == 0, imported.errors)
        try write(
            "model: ./model\nsampling: {uniform: 2}\ntasks:\n  - {id: caption, type: caption, max_new_tokens: 4}\n",
            to: "p.yaml")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }

    /// A clip of eight frames in one grey, uncompressed (YUV4MPEG2).
    func makeClip(_ name: String, grey: UInt8) throws {
        var data = Data("YUV4MPEG2 W32 H32 F8:1 C420mpeg2\n".utf8)
        for frame in 0..<8 {
            data += Data("FRAME\n".utf8) + Data(repeating: grey &+ UInt8(frame), count: 1024)
            data += Data(repeating: 128, count: 512)
        }
        try data.write(to: folder.appendingPathComponent(name))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -100)], ofItemAtPath: path(name))
    }

    func bytes(_ name: String) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent(name))
    }

    func start(
        _ arguments: [String], of program: URL = BuiltProgram.program, output: Pipe, errors: Pipe
    ) throws -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        // cron's environment, as far as a program can tell
        process.environment = ["PATH": "/usr/bin:/bin"]
        try process.run()
        return process
    }

    /// Runs a shell's `script`, whose `$0` is the program and whose `$1` is the folder.
    func shell(_ script: String) throws -> Finished {
        try run(
            ["-c", script, Self.program.path, folder.path], of: URL(fileURLWithPath: "/bin/sh"))
    }

    func run(_ arguments: [String], of program: URL = BuiltProgram.program) throws -> Finished {
        let (output, errors) = (Pipe(), Pipe())
        let process = try start(arguments, of: program, output: output, errors: errors)
        let written = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let code =
            process.terminationReason == .exit
            ? process.terminationStatus : -process.terminationStatus
        return Finished(
            code: code, output: String(decoding: written, as: UTF8.self),
            errors: String(decoding: complaints, as: UTF8.self))
    }

    func annotate(_ output: String = "out.jsonl", _ more: [String] = []) throws -> Finished {
        try run(
            [
                "annotate", path("in"), "-p", path("p.yaml"), "-o",
                output == "-" ? "-" : path(output),
            ] + more)
    }
}

@Suite("the command line", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct CommandLineTests {
    @Test(
        "a run that goes well says nothing without a terminal, and the same command again does nothing"
    )
    func quiet() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        try wade.makeClip("in/b.y4m", grey: 90)
        let first = try wade.annotate()
        #expect(first.code == 0 && first.output == "" && first.errors == "")
        let before = try wade.bytes("out.jsonl")
        #expect(before.filter { $0 == 0x0A }.count == 2)
        let second = try wade.annotate()
        #expect(second.code == 0 && second.output == "" && second.errors == "")
        #expect(try wade.bytes("out.jsonl") == before)
        let check = try wade.run(["check", wade.path("out.jsonl")])
        #expect(check.code == 0 && check.output == "")
        let plan = try wade.run([
            "plan", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl"),
        ])
        #expect(plan.code == 0 && plan.output == "done\ta.y4m\t\ndone\tb.y4m\t\n2 done\n")
    }

    @Test("standard output gets the lines and nothing else")
    func standardOutput() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        let finished = try wade.annotate("-", ["--verbose"])
        #expect(finished.code == 0)
        #expect(
            finished.output.hasPrefix("{\"clip\":")
                && finished.output.filter { $0 == "\n" }.count == 1)
        #expect(finished.errors.hasPrefix("wade: 1 answers about 1 clips"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: wade.folder.path).sorted() == [
                "in", "model", "p.yaml",
            ])
    }

    @Test("failed clips are lines, and the exit code tells some from all")
    func failures() throws {
        let wade = try BuiltProgram()
        try wade.write("no video", to: "in/bad.mp4")
        let all = try wade.annotate("all.jsonl", ["--log-format", "json"])
        #expect(all.code == 4)
        #expect(
            all.errors.contains(
                "\"level\":\"warning\",\"message\":\"1 record says an error: 1 not_media\""))
        try wade.makeClip("in/good.y4m", grey: 40)
        #expect(try wade.annotate("some.jsonl").code == 3)
        #expect(try wade.annotate("some.jsonl").code == 0)
        #expect(try wade.run(["check", wade.path("some.jsonl")]).code == 0)
    }

    @Test(
        "what cannot run says where and why and exits 1, wrong usage exits 64, and neither leaves an output"
    )
    func cannotRun() throws {
        let wade = try BuiltProgram()
        try wade.write("model: ./model\ntasks: []\nshoots: 3\n", to: "p.yaml")
        let pipeline = try wade.annotate()
        #expect(pipeline.code == 1)
        #expect(
            pipeline.errors.hasPrefix(
                "wade: \(wade.path("p.yaml")):3:1: found unknown name \"shoots\""))
        try wade.write("model: ./gone\ntasks: [{id: c, type: caption}]\n", to: "p.yaml")
        let model = try wade.annotate()
        #expect(model.code == 1 && model.errors.contains("cannot find the model"))
        try wade.write("model: ./model\ntasks: [{id: c, type: caption}]\n", to: "p.yaml")
        try wade.write("{}", to: "model/config.json")
        #expect(try wade.annotate().code == 1)
        #expect(try wade.run(["annotate"]).code == 64)
        #expect(try wade.annotate("x", ["--workers", "0"]).code == 64)
        #expect(!FileManager.default.fileExists(atPath: wade.path("out.jsonl")))
        #expect(try wade.run(["check", wade.path("gone.jsonl")]).code == 1)
    }

    @Test("an output among the inputs is left alone, and refused when it is named")
    func outputAmongInputs() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        for _ in 0..<3 { #expect(try wade.annotate("in/out.mp4").code == 0) }
        let before = try wade.bytes("in/out.mp4")
        #expect(before.filter { $0 == 0x0A }.count == 1)
        let named = try wade.run([
            "annotate", wade.path("in/out.mp4"), "-p", wade.path("p.yaml"), "-o",
            wade.path("in/out.mp4"),
        ])
        #expect(named.code == 1 && named.errors.contains("among the files to annotate"))
        #expect(try wade.bytes("in/out.mp4") == before)
    }

    @Test("a second run on an output exits 75 at once and names the holder")
    func locked() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        let descriptor = open(wade.path("out.jsonl.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        let text = Array(
            "{\"host\":\"nas\",\"pid\":4711,\"start\":\"2026-11-23T02:00:00Z\"}\n".utf8)
        #expect(pwrite(descriptor, text, text.count, 0) == text.count)
        let second = try wade.annotate()
        #expect(second.code == 75)
        #expect(
            second.errors.contains(
                "another run holds this output: process 4711 on nas since 2026-11-23T02:00:00Z"))
        close(descriptor)
        #expect(try wade.annotate().code == 0)
    }

    @Test("killed in the middle and run again, the output is that of one undisturbed run")
    func killed() throws {
        let wade = try BuiltProgram()
        for number in 0..<60 { try wade.makeClip("in/\(number + 10).y4m", grey: UInt8(number * 4)) }
        #expect(try wade.annotate("whole.jsonl").code == 0)
        var kills = 0
        for signal in [
            SIGKILL, SIGTERM, SIGKILL, SIGINT, SIGKILL, SIGUSR1, SIGKILL, SIGHUP, SIGKILL, SIGKILL,
        ] {
            let (output, errors) = (Pipe(), Pipe())
            let process = try wade.start(
                [
                    "annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o",
                    wade.path("out.jsonl"),
                ],
                output: output, errors: errors)
            let lines = try? wade.bytes("out.jsonl").count
            for _ in 0..<2000 where process.isRunning {
                if let size = try? wade.bytes("out.jsonl").count, size > lines ?? 0 { break }
                usleep(2000)
            }
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            if process.terminationReason == .uncaughtSignal { kills += 1 }
            if process.terminationReason == .exit, process.terminationStatus != 0 {
                #expect(process.terminationStatus == 128 + signal)
                kills += 1
            }
        }
        #expect(kills > 0)
        #expect(try wade.annotate().code == 0)
        #expect(try withoutRun(wade.bytes("out.jsonl")) == withoutRun(wade.bytes("whole.jsonl")))
    }

    @Test("paths that are not UTF-8 are opened and written as they are passed")
    func rawPaths() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("one.y4m", grey: 40)
        let script = """
            cd "$1" && name=$(printf '\\377\\376') && mv one.y4m "$name.y4m" &&
            "$0" annotate "$name.y4m" -p p.yaml --output="$name.jsonl" &&
            "$0" annotate "$name.y4m" -p p.yaml -o "$name.2.jsonl" && "$0" check "$name.jsonl" &&
            test -f "$name.jsonl" && test -f "$name.2.jsonl" &&
            grep -c '"path_bytes_b64":"//4ueTRt"' "$name.jsonl"
            """
        let shell = try wade.shell(script)
        #expect(shell.code == 0, "\(shell.errors)")
        #expect(shell.output == "1\n" && shell.errors.isEmpty)
    }

    @Test("an ignored SIGHUP stays ignored, as nohup wants it")
    func ignoredSignal() throws {
        let wade = try BuiltProgram()
        for number in 0..<20 { try wade.makeClip("in/\(number).y4m", grey: UInt8(number * 8)) }
        let script = """
            cd "$1" && trap '' HUP && { "$0" annotate in -p p.yaml -o out.jsonl & } &&
            while ! test -s out.jsonl; do sleep 0.01; done; kill -HUP $!; wait $!
            """
        #expect(try wade.shell(script).code == 0)
        #expect(try wade.bytes("out.jsonl").filter { $0 == 0x0A }.count == 20)
    }

    @Test("an empty path is wrong usage, a version is told, every failure begins with the program")
    func usage() throws {
        let wade = try BuiltProgram()
        #expect(try wade.run(["annotate", "", "-p", "p.yaml", "-o", "x"]).code == 64)
        #expect(try wade.run(["annotate", "x", "-p", "p.yaml", "-o", ""]).code == 64)
        #expect(try wade.run(["frames", ""]).code == 64)
        let version = try wade.run(["--version"])
        #expect(version.code == 0 && version.output.hasPrefix("0."))
        for arguments in [
            ["ask", wade.path("gone.mp4"), "What?", "--model", wade.path("model")],
            ["frames", wade.path("gone.mp4")], ["model", "inspect", wade.path("gone")],
        ] {
            let failed = try wade.run(arguments)
            #expect(failed.code == 1 && failed.errors.hasPrefix("wade: "), "\(failed.errors)")
            #expect(!failed.errors.contains("Domain="))
        }
    }

    @Test("a full disk ends the run with 1 and a whole file; the next run goes on")
    func fullDisk() throws {
        let wade = try BuiltProgram()
        for number in 0..<4 { try wade.makeClip("in/\(number).y4m", grey: UInt8(number * 40)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        let command = "ulimit -f 5; exec \"$0\" annotate \"$1\" -p \"$2\" -o \"$3\""
        process.arguments = [
            "-c", command, BuiltProgram.program.path, wade.path("in"),
            wade.path("p.yaml"), wade.path("out.jsonl"),
        ]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let complaint = String(
            decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 1)
        #expect(complaint.contains("out.jsonl: cannot write: File too large"))
        let partial = try wade.bytes("out.jsonl")
        #expect(partial.last == 0x0A && partial.filter { $0 == 0x0A }.count < 4)
        #expect(try wade.annotate().code == 0)
        #expect(try wade.annotate("whole.jsonl").code == 0)
        #expect(try withoutRun(wade.bytes("out.jsonl")) == withoutRun(wade.bytes("whole.jsonl")))
    }

    /// The lines without their `run` member, which stands between two members that are always there.
    private func withoutRun(_ data: Data) -> [String] {
        String(decoding: data, as: UTF8.self).split(separator: "\n").map { line in
            let text = String(line)
            guard let start = text.range(of: ",\"run\":{"),
                let end = text.range(of: "},\"same_as\":")
            else { return text }
            return String(text[..<start.lowerBound] + text[end.lowerBound...])
        }
    }
}
