//! Facts about how runs end: by signals, beside other runs, when their output goes, with damaged files among the good.
import Foundation
import Testing
import WadeTestSupport

@Suite("how runs end", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct EndingTests {
    private func lines(_ wade: BuiltProgram, _ name: String) throws -> [[String: Any]] {
        try wade.bytes(name).split(separator: 0x0A).map {
            try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
        }
    }

    private func clips(_ wade: BuiltProgram, _ count: Int) throws {
        for number in 0..<count {
            try wade.makeClip("in/\(number + 100).y4m", grey: UInt8(number))
        }
    }

    @Test("of twenty starts at once one works, the others exit 75 and name it")
    func starts() throws {
        let wade = try BuiltProgram()
        try clips(wade, 40)
        let script = """
            cd "$1"; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            "$0" annotate in -p p.yaml -o out.jsonl 2> err.$n & pids="$pids $!"; done
            for pid in $pids; do wait $pid; echo $?; done; cat err.* >&2
            """
        // bash, because dash can miss the end of children that end together
        let run = try wade.run(
            ["-c", script, BuiltProgram.program.path, wade.folder.path],
            of: URL(fileURLWithPath: "/bin/bash"))
        let codes = run.output.split(separator: "\n")
        #expect(codes.count == 20 && codes.allSatisfy { $0 == "0" || $0 == "75" })
        #expect(codes.contains("0") && codes.contains("75"))
        let complaints = run.errors.split(separator: "\n")
        #expect(complaints.count == codes.filter { $0 == "75" }.count)
        #expect(complaints.allSatisfy { $0.contains("out.jsonl: another run holds this output") })
        #expect(Set(try lines(wade, "out.jsonl").map { $0["key"] as? String }).count == 40)
        #expect(try wade.bytes("out.jsonl").filter { $0 == 0x0A }.count == 40)
    }

    @Test("an output whose folder goes ends the run with 1 and says so")
    func vanishedOutput() throws {
        let wade = try BuiltProgram()
        try clips(wade, 60)
        let run = try wade.shell(
            """
            cd "$1"; mkdir out; "$0" annotate in -p p.yaml -o out/out.jsonl & pid=$!
            while ! test -s out/out.jsonl; do sleep 0.01; done; rm -r out; wait $pid; echo $?
            """)
        #expect(run.output == "1\n")
        #expect(
            run.errors.contains("out/out.jsonl: cannot go on with the output: its name has gone"))
    }

    @Test("an input folder that goes is said, with exit 3, and leaves whole lines")
    func vanishedInput() throws {
        let wade = try BuiltProgram()
        try clips(wade, 60)
        let run = try wade.shell(
            """
            cd "$1"; "$0" annotate in -p p.yaml -o out.jsonl & pid=$!
            while ! test -s out.jsonl; do sleep 0.01; done; mv in gone; wait $pid; echo $?
            """)
        #expect(run.output == "3\n")
        #expect(run.errors.contains("in: it was there when the run began and is gone"))
        let count = try lines(wade, "out.jsonl").count
        #expect(count > 0 && count < 60)
    }

    @Test("with one file in twenty broken the exit code is 3 and the other lines are as without it")
    func someBroken() throws {
        let wade = try BuiltProgram()
        try clips(wade, 38)
        #expect(try wade.annotate("whole.jsonl").code == 0)
        for name in ["in/110a.mp4", "in/120a.mkv"] { try wade.write("broken \(name)", to: name) }
        _ = try wade.shell("touch -d '1 hour ago' \"$1\"/in/*.mp4 \"$1\"/in/*.mkv")
        #expect(try wade.annotate().code == 3)
        let all = try lines(wade, "out.jsonl")
        #expect(all.filter { $0["status"] as? String == "error" }.count == 2)
        let texts = { (lines: [[String: Any]]) in
            lines.filter { $0["status"] as? String == "ok" }.map {
                "\($0["key"] ?? "") \(($0["output"] as? [String: Any])?["text"] ?? "")"
            }
        }
        #expect(texts(all) == texts(try lines(wade, "whole.jsonl")))
    }

    @Test("a signal ends the reading of huge files at once, on as many workers as there are cores")
    func signalWhileReading() throws {
        let wade = try BuiltProgram()
        try clips(wade, 1)
        let run = try wade.shell(
            """
            cd "$1"; truncate -s 1T in/a.mkv in/b.mp4; touch -d '1 hour ago' in/a.mkv in/b.mp4
            "$0" annotate in/a.mkv in/b.mp4 -p p.yaml -o out.jsonl --workers 2 --grace 600 & pid=$!
            while ! test -e out.jsonl; do sleep 0.01; done; sleep 0.3
            kill $pid; wait $pid; echo $?; rm in/a.mkv in/b.mp4
            """)
        #expect(run.output == "143\n")
        #expect(try lines(wade, "out.jsonl").isEmpty)
    }

    @Test(
        "a device that is always full ends the run with 1, one that is never full takes the lines")
    func devices() throws {
        let wade = try BuiltProgram()
        try clips(wade, 2)
        let full = try wade.shell("cd \"$1\"; \"$0\" annotate in -p p.yaml -o /dev/full")
        #expect(full.code == 1)
        #expect(full.errors == "wade: /dev/full: cannot write: No space left on device\n")
        let pipe = try wade.shell("cd \"$1\"; \"$0\" annotate in -p p.yaml -o /dev/stdout | cat")
        #expect(pipe.output.filter { $0 == "\n" }.count == 2 && pipe.errors == "")
        #expect(access("/dev/full.lock", F_OK) != 0 && access("/dev/stdout.lock", F_OK) != 0)
    }

    @Test("a run whose summary has no place says so before it begins")
    func noPlaceForSummary() throws {
        let wade = try BuiltProgram()
        try clips(wade, 1)
        let run = try wade.shell(
            "cd \"$1\"; mkdir runs.jsonl; \"$0\" annotate in -p p.yaml -o out.jsonl")
        #expect(run.code == 1)
        #expect(run.errors == "wade: runs.jsonl: cannot open for appending: Is a directory\n")
        #expect(access(wade.path("out.jsonl"), F_OK) != 0)
    }

    @Test("a run that is given up at the end of the grace tells how many files it had")
    func abandoned() throws {
        let wade = try BuiltProgram()
        try clips(wade, 3)
        let run = try wade.shell(
            """
            cd "$1"
            "$0" annotate in -p p.yaml -o out.jsonl --status-file status.json --workers 1 --grace 1 & pid=$!
            while ! pkill -STOP -P $pid; do sleep 0.01; done
            kill -TERM $pid; wait $pid; echo $?
            """)
        #expect(run.output == "143\n")
        let summary = try #require(try lines(wade, "runs.jsonl").last)
        #expect(summary["files"] as? Int == 3 && summary["stopped_by"] as? String == "signal 15")
        let status = try #require(try lines(wade, "status.json").last)
        #expect(status["files"] as? Int == 3 && status["state"] as? String == "stopped")
    }

    /// A library that, loaded before the C library, lets calls about `out.jsonl` fail: FAIL_CALL from its FAIL_AT-th time on, with the
    /// error number FAIL_WITH. With FAIL_HALF the first of them writes half, as a disk does that is filling up.
    private static let failingDisk = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        static int fails(const char *call, int file) {
            static int count;
            char link[64], name[4096];
            if (!getenv("FAIL_CALL") || strcmp(getenv("FAIL_CALL"), call)) return 0;
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = readlink(link, name, sizeof name);
            if (length < 10 || strncmp(name + length - 10, "/out.jsonl", 10)) return 0;
            return ++count >= atoi(getenv("FAIL_AT"));
        }
        ssize_t write(int file, const void *bytes, size_t count) {
            static int halves;
            ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
            if (!fails("write", file)) return real(file, bytes, count);
            if (getenv("FAIL_HALF") && !halves++) return real(file, bytes, count / 2);
            errno = atoi(getenv("FAIL_WITH"));
            return -1;
        }
        int fdatasync(int file) {
            int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
            if (!fails("fdatasync", file)) return real(file);
            errno = atoi(getenv("FAIL_WITH"));
            return -1;
        }

        """

    @Test(
        "a disk that fails ends the run with 1 and whole lines, and the next run gives the bytes of an undisturbed one"
    )
    func failingDisk() throws {
        let wade = try BuiltProgram()
        try clips(wade, 4)
        #expect(try wade.annotate("whole.jsonl").code == 0)
        try wade.write(Self.failingDisk, to: "disk.c")
        let built = try wade.shell("cd \"$1\"; cc -shared -fPIC -o disk.so disk.c -ldl 2>&1")
        try #require(built.code == 0, "\(built.output)")
        let payload = { (name: String) in
            String(decoding: try wade.bytes(name), as: UTF8.self).split(separator: "\n").map {
                String($0.replacing(#/,"run":\{[^{}]*\}/#, with: ""))
            }
        }
        for (failure, reason) in [
            ("FAIL_CALL=write FAIL_AT=1 FAIL_WITH=5", "cannot write: Input/output error"),
            ("FAIL_CALL=write FAIL_AT=3 FAIL_WITH=5", "cannot write: Input/output error"),
            (
                "FAIL_CALL=write FAIL_AT=3 FAIL_WITH=28 FAIL_HALF=1",
                "cannot write: No space left on device"
            ),
            ("FAIL_CALL=fdatasync FAIL_AT=1 FAIL_WITH=5", "cannot bring to the disk: Input/output"),
        ] {
            try? FileManager.default.removeItem(atPath: wade.path("out.jsonl"))
            let failed = try wade.shell(
                """
                cd "$1"; export LD_PRELOAD=./disk.so \(failure); "$0" annotate in -p p.yaml -o out.jsonl
                """)
            #expect(failed.code == 1 && failed.errors.contains(reason), "\(failed.errors)")
            let bytes = try wade.bytes("out.jsonl")
            #expect(bytes.isEmpty || bytes.last == 0x0A)
            let before = try lines(wade, "out.jsonl").count
            #expect(failure.contains("sync") ? before == 4 : before < 4)
            #expect(try wade.annotate().code == 0)
            #expect(try payload("out.jsonl") == payload("whole.jsonl"), "\(failure)")
            #expect(access(wade.path("out.jsonl.torn"), F_OK) != 0)
        }
    }

    @Test("an output that cannot be made is said in one line and exits 1")
    func readOnly() throws {
        let wade = try BuiltProgram()
        try clips(wade, 1)
        let run = try wade.run([
            "annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o", "/proc/wade/out.jsonl",
        ])
        #expect(run.code == 1)
        #expect(
            run.errors
                == "wade: /proc/wade/out.jsonl: cannot write lines: there is no folder /proc/wade; make it first: mkdir -p /proc/wade\n"
        )
        // The permissions of files mean nothing to root.
        let protected = try wade.shell(
            """
            cd "$1"; : > protected.jsonl; chmod 444 protected.jsonl; chmod -R a+rX .; chmod 777 .
            test "$(id -u)" != 0 || as='setpriv --reuid=65534 --regid=65534 --clear-groups'
            $as test -x "$0" -a -r p.yaml || exit 1
            $as "$0" annotate in -p p.yaml -o protected.jsonl --no-cache
            """)
        #expect(protected.code == 1)
        let complaint = "wade: protected.jsonl: cannot write lines: Permission denied\n"
        #expect([complaint, ""].contains(protected.errors), "\(protected.errors)")
        let folder = try wade.annotate("in")
        #expect(folder.code == 1)
        #expect(folder.errors == "wade: \(wade.path("in")): cannot write lines: Is a directory\n")
        #expect(access(wade.path("in.lock"), F_OK) != 0)
    }
}
