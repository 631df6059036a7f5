//! Facts about runs that nobody watches: files under way, time limits, order, monitoring, schedules.
import Foundation
import Testing
import WadeTestSupport

@Suite("unattended runs", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct UnattendedTests {
    private func paths(_ wade: BuiltProgram, _ output: String = "out.jsonl") throws -> [String] {
        String(decoding: try wade.bytes(output), as: UTF8.self).split(separator: "\n").map { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return (object?["video"] as? [String: Any])?["path"] as? String ?? ""
        }
    }

    private func age(_ wade: BuiltProgram, _ name: String, seconds: Double) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -seconds)],
            ofItemAtPath: wade.path(name))
    }

    @Test("a file younger than --min-age is deferred, in the plan too, and done once it is older")
    func minimumAge() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        let first = try wade.annotate("out.jsonl", ["--min-age", "10m", "--verbose"])
        #expect(first.code == 0 && first.errors.contains("1 deferred"))
        let plan = try wade.run([
            "plan", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl"),
            "--min-age", "10m",
        ])
        #expect(plan.output.hasPrefix("deferred\ta.y4m\tchanged 10"))
        try age(wade, "in/a.y4m", seconds: 700)
        #expect(try wade.annotate("out.jsonl", ["--min-age", "10m"]).code == 0)
        #expect(try paths(wade) == ["a.y4m"])
        #expect(try wade.annotate("out.jsonl", ["--min-age", "10x"]).code == 64)
    }

    @Test(
        "an mp4 that trickles in with pauses is deferred until its index is there, never an error")
    func trickle() throws {
        let wade = try BuiltProgram()
        // ftyp, an mdat of 64 bytes, then (once it is whole) a box named moov.
        let start = Data([0, 0, 0, 16]) + Data("ftypisom".utf8) + Data([0, 0, 2, 0])
        let media = Data([0, 0, 0, 64]) + Data("mdat".utf8) + Data(repeating: 7, count: 56)
        try (start + media).write(to: wade.folder.appendingPathComponent("in/a.mp4"))
        // 30 s ago is older than the age asked for and younger than five times of it.
        try age(wade, "in/a.mp4", seconds: 30)
        let early = try wade.annotate("out.jsonl", ["--min-age", "20s", "--verbose"])
        #expect(early.code == 0 && early.errors.contains("1 deferred"))
        #expect(try wade.bytes("out.jsonl").isEmpty)
        let index = Data([0, 0, 0, 8]) + Data("moov".utf8)
        try (start + media + index).write(to: wade.folder.appendingPathComponent("in/a.mp4"))
        try age(wade, "in/a.mp4", seconds: 30)
        // Complete by its boxes, so it is tried; this one holds no picture.
        #expect(try wade.annotate("out.jsonl", ["--min-age", "20s"]).code == 4)
    }

    @Test("an mp4 that never gets its index is an error once it has rested five times --min-age")
    func neverComplete() throws {
        let wade = try BuiltProgram()
        try wade.write("\0\0\0\u{10}ftypisom\0\0\u{2}\0", to: "in/a.mp4")
        try age(wade, "in/a.mp4", seconds: 101)
        #expect(try wade.annotate("out.jsonl", ["--min-age", "20s"]).code == 4)
    }

    @Test("--order decides which files come first, the same for any number of workers")
    func order() throws {
        let wade = try BuiltProgram()
        for (name, seconds) in [("a", 300.0), ("b", 100), ("c", 200)] {
            try wade.makeClip("in/\(name).y4m", grey: UInt8(seconds / 2))
            try age(wade, "in/\(name).y4m", seconds: seconds)
        }
        for (order, expected) in [
            ("name", ["a", "b", "c"]), ("newest", ["b", "c", "a"]), ("oldest", ["a", "c", "b"]),
        ] {
            for workers in ["1", "3"] {
                let output = "\(order)\(workers).jsonl"
                let run = try wade.annotate(output, ["--order", order, "--workers", workers])
                #expect(run.code == 0)
                #expect(try paths(wade, output) == expected.map { $0 + ".y4m" })
            }
        }
    }

    @Test("--max-runtime ends a run between two records with exit code 5, and the next one goes on")
    func maximumRuntime() throws {
        let wade = try BuiltProgram()
        for number in 0..<250 {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number))
        }
        let first = try wade.annotate(
            "out.jsonl", ["--max-runtime", "1s", "--status-file", wade.path("status.json")])
        let written = try wade.bytes("out.jsonl")
        #expect(first.code == 5 && (written.isEmpty || written.last == 0x0A))
        let status = try JSONSerialization.jsonObject(with: wade.bytes("status.json"))
        let members = try #require(status as? [String: Any])
        #expect(members["state"] as? String == "stopped" && members["exit_code"] as? Int == 5)
        #expect(members["answers"] as? Int == written.filter { $0 == 0x0A }.count)
        #expect(try wade.annotate("out.jsonl", ["--until", "25:00"]).code == 64)
    }

    @Test(
        "--until ends a run between two records with 5; one that begins a minute after it begins nothing and says why"
    )
    func until() throws {
        let wade = try BuiltProgram()
        for number in 0..<250 {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number))
        }
        // A time zone in which the next minute begins in two seconds.
        let run = { (minutesAhead: Int) throws -> Finished in
            let now = Int(time(nil))
            let offset = 58 - now % 60
            let until = (now + offset) / 60 + minutesAhead
            return try wade.shell(
                """
                export TZ='XXX\(offset < 0 ? "+" : "-")0:00:\(abs(offset))'; cd "$1"
                "$0" annotate in -p p.yaml -o out.jsonl --until \(until / 60 % 24):\(until % 60)
                """)
        }
        let first = try run(1)
        let written = try wade.bytes("out.jsonl")
        let count = written.filter { $0 == 0x0A }.count
        #expect(first.code == 5 && first.errors == "")
        #expect(count < 250 && (written.isEmpty || written.last == 0x0A))
        let late = try run(-1)
        #expect(late.code == 5 && late.errors.contains(" was 1 min ago, so no clip is begun"))
        #expect(try wade.bytes("out.jsonl") == written)
        let rest = try run(60)
        #expect(rest.code == 0 && rest.errors == "")
        #expect(try wade.bytes("out.jsonl").filter { $0 == 0x0A }.count == 250)
    }

    @Test(
        "the status file and --on-finish tell how a run went; a command that fails changes no exit code"
    )
    func finish() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        let command =
            "echo \"$WADE_EXIT_CODE $WADE_ANSWERS $WADE_OUTPUT\" > \(wade.path("told")); exit 7"
        let run = try wade.annotate(
            "out.jsonl", ["--status-file", wade.path("status.json"), "--on-finish", command])
        #expect(run.code == 0)
        #expect(run.errors == "wade: --on-finish: the command ended with exit code 7\n")
        let told = String(decoding: try wade.bytes("told"), as: UTF8.self)
        #expect(told == "0 1 \(wade.path("out.jsonl"))\n")
        let status = try JSONSerialization.jsonObject(with: wade.bytes("status.json"))
        let members = try #require(status as? [String: Any])
        #expect(members["state"] as? String == "finished" && members["answers"] as? Int == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: wade.folder.path)
        #expect(!names.contains { $0.hasSuffix(".part") })
    }

    @Test("a status file that cannot be written is complained of once, and only files are replaced")
    func statusElsewhere() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a.y4m", grey: 40)
        _ = try wade.shell("mkfifo \"$1\"/pipe; ln -s pipe \"$1\"/link")
        for (name, reason) in [
            ("nowhere/s.json", "No such file or directory"),
            ("pipe", "it is there and is no regular file"),
            ("link", "it is there and is no regular file"),
            ("in", "it is there and is no regular file"),
        ] {
            let path = wade.path(name)
            let run = try wade.annotate("\(name.count).jsonl", ["--status-file", path])
            #expect(run.code == 0)
            #expect(run.errors == "wade: \(path): cannot write the status: \(reason)\n")
        }
        #expect(try wade.shell("test -p \"$1\"/pipe && test -h \"$1\"/link").code == 0)
    }

    @Test("the crontab line runs as it stands, says nothing when all is well and speaks on trouble")
    func crontab() throws {
        let wade = try BuiltProgram()
        try wade.makeClip("in/a 100% 'b'.y4m", grey: 40)
        let printed = try wade.run([
            "schedule", "--cron", "--at", "22:05", wade.path("in"), "-p", wade.path("p.yaml"),
            "-o", wade.path("out 1%.jsonl"), "--until", "06:00", "--min-age", "5s",
        ])
        #expect(printed.code == 0 && printed.output.hasPrefix("5 22 * * * "))
        #expect(printed.output.filter { $0 == "\n" }.count == 1)
        #expect(printed.errors.contains("crontab -e"))
        // what cron makes of the line: five fields off, `\%` is `%`
        let command = String(printed.output.dropFirst("5 22 * * * ".count)).dropLast()
            .replacing("\\%", with: "%")
        #expect(try shell(command) == "")
        #expect(try paths(wade, "out 1%.jsonl") == ["a 100% 'b'.y4m"])
        try wade.write("no video", to: "in/bad.mp4")
        try age(wade, "in/bad.mp4", seconds: 100)
        #expect(try shell(command).contains("1 not_media"))
    }

    private func shell(_ command: some StringProtocol) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", String(command)]
        process.environment = ["PATH": "/usr/bin:/bin"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }

    @Test("names that are not UTF-8 keep their bytes in a schedule, and as a status file's name")
    func bytes() throws {
        let wade = try BuiltProgram()
        let run = try wade.shell(
            """
            cd "$1"; name=$(printf 'in\\377'); mv in "$name"
            printf 'YUV4MPEG2 W2 H2 F8:1 C420mpeg2\\nFRAME\\n123456' > "$name/a.y4m"
            touch -d '1 hour ago' "$name/a.y4m"; status=$(printf 's\\376.json')
            export LC_ALL=C
            "$0" schedule --cron "$name" -p p.yaml -o out.jsonl 2>/dev/null | grep -caF "/$name' "
            "$0" annotate "$name" -p p.yaml -o out.jsonl --status-file "$status"; echo $?
            wc -l < out.jsonl; test -s "$status"; echo $?
            "$0" schedule --systemd "$name" -p p.yaml -o out.jsonl 2>/dev/null | grep -c '/in.xff"'
            """)
        #expect(run.output == "1\n0\n1\n0\n1\n" && run.errors == "", "\(run.output)\(run.errors)")
    }

    @Test("systemd accepts the service and the timer")
    func systemd() throws {
        let wade = try BuiltProgram()
        let printed = try wade.run([
            "schedule", "--systemd", wade.path("in 5% $x \"q\""), "-p", wade.path("p.yaml"), "-o",
            wade.path("captions.jsonl"), "--max-runtime", "2h",
        ])
        #expect(printed.code == 0 && printed.errors.contains("systemctl enable"))
        let parts = printed.output.components(separatedBy: "# wade-captions.timer\n")
        #expect(parts.count == 2 && parts[0].hasPrefix("# wade-captions.service\n"))
        #expect(parts[0].contains("--max-runtime 7200s") && parts[0].contains("5%% $$x \\\"q\\\""))
        // Its decoders are not to get the signal that asks the run to stop.
        #expect(parts[0].contains("KillMode=mixed\nKillSignal=SIGTERM\n"))
        guard parts.count == 2,
            FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")
        else { return }
        try wade.write(parts[0], to: "wade-captions.service")
        try wade.write(parts[1], to: "wade-captions.timer")
        let complaints = try shell(
            "systemd-analyze verify \(wade.path("wade-captions.service")) \(wade.path("wade-captions.timer")); echo $?"
        )
        #expect(!complaints.contains("captions."), "\(complaints)")
    }
}
