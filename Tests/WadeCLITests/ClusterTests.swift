//! Facts about work that is shared by many: parts, their merge, and the texts for schedulers. Tests/Cluster runs them on a real Slurm.
import Foundation
import Testing
import WadeTestSupport

@Suite("clusters", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct ClusterTests {
    private func clips(_ count: Int) throws -> BuiltProgram {
        let wade = try BuiltProgram()
        for number in 0..<count {
            try wade.makeClip("in/\(number).y4m", grey: UInt8(number * 20))
        }
        return wade
    }

    private func withoutRun(_ wade: BuiltProgram, _ output: String) throws -> String {
        String(decoding: try wade.bytes(output), as: UTF8.self)
            .replacing(#/,"run":{[^{}]*}/#, with: "")
    }

    private func merge(_ wade: BuiltProgram, _ more: [String] = []) throws -> (
        output: String, errors: String, code: Int32
    ) {
        let run = try wade.run(
            ["merge", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl")]
                + more)
        return (run.output, run.errors, run.code)
    }

    @Test(
        "parts and their merge are the bytes of one run; each part has its own lock, summaries and status"
    )
    func parts() throws {
        let wade = try clips(6)
        #expect(try wade.annotate("single.jsonl").code == 0)
        for part in ["2/2", "1/2"] {
            let run = try wade.annotate(
                "out.jsonl", ["--shard", part, "--status-file", wade.path("status.json")])
            #expect(run.code == 0)
        }
        let merged = try merge(wade)
        #expect(merged.code == 0 && merged.output == "", "\(merged.errors)")
        #expect(try withoutRun(wade, "out.jsonl") == withoutRun(wade, "single.jsonl"))
        #expect(try wade.run(["check", wade.path("out.jsonl")]).code == 0)
        for name in [
            "out.part-1-of-2.jsonl", "out.part-2-of-2.jsonl.lock", "out.runs-1-of-2.jsonl",
            "status.part-2-of-2.json", "out.shards-of-2.json",
        ] {
            #expect(FileManager.default.fileExists(atPath: wade.path(name)), "\(name)")
        }
        // What is merged is done for any other number of parts, and for one machine.
        for more in [["--shard", "3/3", "--verbose"], ["--verbose"]] {
            let again = try wade.annotate("out.jsonl", more)
            #expect(again.code == 0 && again.errors.contains("0 answers"))
        }
    }

    @Test("the environment of a Slurm task or a Kubernetes pod says the part")
    func auto() throws {
        let wade = try clips(2)
        let run = try wade.shell(
            """
            cd "$1"
            run() { env "$@" "$0" annotate in -p p.yaml -o out.jsonl --shard auto 2>&1 | grep ^Error | cut -c 1-40; }
            run SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=6 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=4
            run JOB_COMPLETION_INDEX=1 WADE_SHARDS=5
            run A=1
            ls *.part-*.jsonl
            """)
        #expect(
            run.output
                == "Error: --shard: found neither SLURM_ARRA\nout.part-2-of-5.jsonl\nout.part-3-of-4.jsonl\n",
            "\(run.output)\(run.errors)")
    }

    @Test("two tasks with one number: the second gives way with 75; a merge meanwhile says so")
    func sameNumber() throws {
        let wade = try clips(2)
        #expect(try wade.annotate("out.jsonl", ["--shard", "1/1"]).code == 0)
        let run = try wade.shell(
            """
            cd "$1"; export wade="$0"
            flock out.part-1-of-1.jsonl.lock sh -c '
                "$wade" annotate in -p p.yaml -o out.jsonl --shard 1/1 2>/dev/null; echo $?
                "$wade" merge in -p p.yaml -o out.jsonl 2>&1 | grep -c "still being written"'
            """)
        #expect(run.output == "75\n1\n", "\(run.output)\(run.errors)")
    }

    @Test("merge tells what is missing and fails with 3; without parts it leaves everything alone")
    func missing() throws {
        let wade = try clips(4)
        let nothing = try merge(wade)
        #expect(nothing.code == 1 && nothing.errors.contains("found none of its parts"))
        #expect(!FileManager.default.fileExists(atPath: wade.path("out.jsonl.lock")))
        #expect(try wade.annotate("out.jsonl", ["--shard", "1/2"]).code == 0)
        let half = try merge(wade)
        #expect(half.code == 3 && half.errors.contains("their tasks never began: 2"))
        #expect(half.errors.components(separatedBy: "has no record").count == 3)
        #expect(try merge(wade, ["--quiet"]).errors == "")
        #expect(try wade.run(["merge", "-o", wade.path("out.jsonl"), wade.path("in")]).code == 64)
    }

    @Test(
        "shards that are none are refused with 64, and so is a stream",
        arguments: ["0/0", "9/8", "0/8", "8", "1/1000000", "auto", "x/y"])
    func refused(shard: String) throws {
        let wade = try clips(1)
        let run = try wade.annotate("out.jsonl", ["--shard", shard])
        #expect(run.code == 64 && run.errors.hasPrefix("Error: --shard: found "))
        #expect(try wade.annotate("-", ["--shard", "1/2"]).code == 64)
    }

    @Test("plan --shards tells every part's files, which are all files, and changes nothing")
    func plan() throws {
        let wade = try clips(9)
        let plan = try wade.run([
            "plan", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl"),
            "--shards", "3",
        ])
        #expect(plan.output == "1/3\t3\t-\n2/3\t3\t-\n3/3\t3\t-\n9 files in 3 parts of 3 to 3\n")
        #expect(!FileManager.default.fileExists(atPath: wade.path("out.shards-of-3.json")))
    }

    private func schedule(
        _ wade: BuiltProgram, _ starter: String, _ output: String, _ more: [String] = []
    )
        throws -> (output: String, errors: String, code: Int32)
    {
        let run = try wade.run(
            [
                "schedule", starter, "--shards", "7", wade.path("in"), "-p", wade.path("p.yaml"),
                "-o",
                wade.path(output), "--memory", "1500M", "--workers", "2",
            ] + more)
        return (run.output, run.errors, run.code)
    }

    @Test(
        "the Slurm script is one that bash reads, with limits, a requeue and the merge, whatever the names hold"
    )
    func slurm() throws {
        let wade = try clips(1)
        let odd = "out \"n$am%e's `x`.jsonl"
        let printed = try schedule(wade, "--slurm", odd, ["--time", "90m", "--grace", "20s"])
        #expect(printed.code == 0 && printed.errors.contains("run it with bash"))
        try wade.write(printed.output, to: "job.sbatch")
        for line in [
            "#SBATCH --array=1-7\n", "#SBATCH --cpus-per-task=2\n", "#SBATCH --mem=1657M\n",
            "#SBATCH --time=90\n",
            "#SBATCH --requeue\n", "#SBATCH --signal=B:USR1@50\n",
        ] {
            #expect(printed.output.contains(line), "\(line)")
        }
        #expect(!printed.output.contains("{{"))
        // What the script would start, by a shell that has the program's name stand for echo.
        let run = try wade.shell(
            """
            cd "$1"; bash -n job.sbatch; echo $?
            { grep -E '^(annotate|merge)=' job.sbatch; echo 'printf "%s\\n" "${annotate[@]:6:1}" "${merge[1]}" "${merge[@]:6:1}"'; } | bash
            """)
        let path = wade.path(odd)
        #expect(run.output == "0\n\(path)\nmerge\n\(path)\n", "\(run.output)\(run.errors)")
    }

    @Test("what a schedule says of model and precision, its merge understands as well")
    func mergeOptions() throws {
        let wade = try clips(2)
        for part in ["1/2", "2/2"] {
            let run = try wade.annotate("out.jsonl", ["--shard", part, "--precision", "bfloat16"])
            #expect(run.code == 0, "\(run.errors)")
        }
        let printed = try schedule(wade, "--slurm", "out.jsonl", ["--precision", "bfloat16"])
        try wade.write(printed.output, to: "job.sbatch")
        let run = try wade.shell(
            """
            cd "$1"; { grep ^merge= job.sbatch; echo '"${merge[@]}"; echo $?'; } | bash
            """)
        #expect(run.output == "0\n", "\(run.errors)")
        // In another precision all of it is missing.
        #expect(try merge(wade).code == 3)
        #expect(
            try wade.run(["merge", "-o", wade.path("out.jsonl"), "--precision", "int8"]).code == 64)
    }

    @Test(
        "a time of day is no end for a cluster's tasks, and no job can hold a name that is not UTF-8"
    )
    func refusedForClusters() throws {
        let wade = try clips(1)
        for (starter, image) in [("--slurm", []), ("--kubernetes", ["--image", "i"])] {
            let run = try schedule(wade, starter, "out.jsonl", ["--until", "06:00"] + image)
            #expect(run.code == 64 && run.errors.contains("--until: found a time of day"))
        }
        // The byte 0xFF cannot go through the arguments of `Process`.
        let run = try wade.shell(
            """
            cd "$1"
            "$0" schedule --kubernetes --image i --shards 2 in -p p.yaml -o "$(printf 'o\\377.jsonl')" --memory 1G 2>&1
            echo $?
            "$0" schedule --slurm --shards 2 in -p p.yaml -o "$(printf 'o\\377.jsonl')" --memory 1G 2> /dev/null | bash -n; echo $?
            """)
        #expect(run.output.contains("found a name that is not UTF-8"), "\(run.output)")
        #expect(run.output.hasSuffix("64\n0\n"), "\(run.output)\(run.errors)")
    }

    @Test(
        "a Slurm task that waits for a lock is ended at once by SIGTERM and starts nothing more",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/perl")))
    func endedWhileWaiting() throws {
        let wade = try clips(1)
        let printed = try schedule(wade, "--slurm", "out.jsonl")
        // In the place of annotate: a lock that is held.
        let script = printed.output.replacing(
            #/\nannotate=\(.*\)\n/#,
            with: "\nannotate=(sh -c 'echo begun >> begun; exit 75')\n")
        try wade.write(script, to: "job.sbatch")
        let run = try wade.shell(
            """
            cd "$1"; export SLURM_ARRAY_TASK_ID=1
            # The threads that tests run on have all signals blocked, and a process inherits that.
            perl -MPOSIX -e 'sigprocmask(SIG_SETMASK, POSIX::SigSet->new()); exec @ARGV' bash job.sbatch > log & task=$!
            for i in $(seq 200); do [ ! -s begun ] || break; sleep 0.05; done
            sleep 0.5
            kill -TERM $task; start=$(date +%s); wait $task
            echo "$? $(wc -l < begun) $(($(date +%s) - start < 8))"
            """)
        #expect(run.output == "75 1 1\n", "\(run.output)\(run.errors)")
    }

    @Test("a template of one's own is filled, and a gap that nobody knows is told with its line")
    func template() throws {
        let wade = try clips(1)
        let builtIn = try wade.run([
            "schedule", "--slurm", "--print-template", wade.path("in"), "-p", wade.path("p.yaml"),
            "-o",
            wade.path("out.jsonl"),
        ])
        #expect(builtIn.code == 0 && builtIn.output.contains("{{shards}}"))
        try wade.write(
            builtIn.output.replacing(
                "#SBATCH --requeue", with: "#SBATCH --requeue\n#SBATCH --qos=low"), to: "mine")
        let mine = try schedule(wade, "--slurm", "out.jsonl", ["--template", wade.path("mine")])
        #expect(
            mine.code == 0 && mine.output.contains("#SBATCH --qos=low\n")
                && mine.output.contains("--array=1-7"))
        try wade.write("one\n{{shards}} {{shard}}\n", to: "bad")
        let bad = try schedule(wade, "--slurm", "out.jsonl", ["--template", wade.path("bad")])
        #expect(bad.code == 1 && bad.errors.contains("bad:2: found the gap {{shard}}"))
        #expect(try schedule(wade, "--cron", "out.jsonl").code == 64)
        #expect(try schedule(wade, "--slurm", "out.jsonl", ["--shard", "1/7"]).code == 64)
    }
}
