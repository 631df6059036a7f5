//! Facts about the texts for clusters and about the cluster that is not there.
import Foundation
import Testing
import Yams

@testable import WadePipeline

@Suite("clusters on paper")
struct ClusterTemplateTests {
    private let values = [
        "name": "wade-out", "shards": "7", "cpus": "2", "memory_mib": "1657",
        "merge_memory_mib": "256",
        "memory_source": "--memory", "termination_seconds": "30", "image": "\"registry/wade:1\"",
        "annotate": "\"wade\", \"annotate\", \"/in $$(HOME): {x}, #y\"",
        "merge": "\"wade\", \"merge\"",
        "volume_mounts": "{name: volume-0, mountPath: \"/in\"}",
        "volumes": "{name: volume-0, persistentVolumeClaim: {claimName: \"videos\"}}",
    ]

    @Test(
        "the Kubernetes text is two jobs: an indexed one with its contract, and a suspended merge")
    func kubernetes() throws {
        let text = try ClusterTemplate(ClusterTemplate.kubernetes, name: "built-in").filled(values)
        let jobs = try Array(Yams.load_all(yaml: text)).compactMap { $0 as? [String: Any] }
        #expect(jobs.count == 2)
        let spec = try #require(jobs[0]["spec"] as? [String: Any])
        #expect(spec["completionMode"] as? String == "Indexed" && spec["completions"] as? Int == 7)
        #expect(spec["backoffLimitPerIndex"] as? Int == 6)
        let policy = try #require(spec["podFailurePolicy"] as? [String: Any])
        let rules = try #require(policy["rules"] as? [[String: Any]])
        #expect(rules.map { $0["action"] as? String } == ["Ignore", "FailIndex"])
        let codes = try #require(rules[1]["onExitCodes"] as? [String: Any])
        #expect(codes["values"] as? [Int] == [1, 64])
        let template = try #require((spec["template"] as? [String: Any])?["spec"] as? [String: Any])
        // podFailurePolicy demands it
        #expect(template["restartPolicy"] as? String == "Never")
        let container = try #require((template["containers"] as? [[String: Any]])?.first)
        let arguments = try #require(container["args"] as? [String])
        #expect(
            arguments == [
                "wade", "annotate", "/in $$(HOME): {x}, #y", "--workers", "2", "--shard", "auto",
            ])
        let environment = try #require((container["env"] as? [[String: Any]])?.first)
        #expect(
            environment["name"] as? String == Shard.countVariable
                && environment["value"] as? String == "7")
        let merge = try #require(jobs[1]["spec"] as? [String: Any])
        #expect(merge["suspend"] as? Bool == true)
    }

    @Test(
        "the shell of a pod turns 3 into success and keeps every other exit code",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/perl")))
    func podShell() throws {
        let text = try ClusterTemplate(ClusterTemplate.kubernetes, name: "built-in").filled(values)
        let job = try #require(Array(Yams.load_all(yaml: text)).first as? [String: Any])
        let template =
            ((job["spec"] as? [String: Any])?["template"] as? [String: Any])?["spec"]
            as? [String: Any]
        let container = try #require((template?["containers"] as? [[String: Any]])?.first)
        let command = try #require(container["command"] as? [String])
        #expect(command.count == 4 && command[0] == "/bin/sh")
        func run(_ work: String) throws -> Int32 {
            let process = Process()
            // The threads that tests run on have all signals blocked, and a process inherits that.
            process.executableURL = URL(fileURLWithPath: "/usr/bin/perl")
            process.arguments =
                ["-MPOSIX", "-e", "sigprocmask(SIG_SETMASK, POSIX::SigSet->new()); exec @ARGV"]
                + command + ["/bin/sh", "-c", work]
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus
        }
        #expect(try run("exit 0") == 0)
        #expect(try run("exit 3") == 0)
        #expect(try run("exit 1") == 1)
        #expect(try run("exit 75") == 75)
    }

    @Test("a text's gaps are filled as they are, and a gap without a value is told")
    func gaps() throws {
        let template = ClusterTemplate("a {{x}} {{y}}{{x}}\n}} {{", name: "t")
        #expect(try template.filled(["x": "{{y}}", "y": "\\1"]) == "a {{y}} \\1{{y}}\n}} {{")
        #expect(throws: PipelineError.self) { try template.filled(["x": ""]) }
    }

    @Test("in the simulation nothing is faster than without waiting, and balance shortens the end")
    func simulation() {
        var simulation = ClusterSimulation()
        simulation.clips = 4000
        simulation.shards = 80
        simulation.slots = 40
        simulation.hoursToFailure = 1e6
        simulation.slowSlotOf = 0
        let hashed = simulation.run(balanced: false)
        let balanced = simulation.run(balanced: true)
        #expect(balanced.expectedImbalance < 1.02 && hashed.expectedImbalance > 1.2)
        #expect(balanced.makespan < hashed.makespan && balanced.makespan > balanced.ideal)
        #expect(hashed.moved == 0 && balanced.moved > 0 && balanced.failures == 0)
        #expect(simulation.run(balanced: true) == balanced)
    }

    @Test("failed and late tasks are requeued until everything is done")
    func requeues() {
        var simulation = ClusterSimulation()
        simulation.clips = 2000
        simulation.shards = 40
        simulation.slots = 10
        simulation.hoursToFailure = 0.2
        simulation.timeLimit = 90
        let outcome = simulation.run(balanced: true)
        #expect(outcome.failures > 0 && outcome.timeouts > 20 && outcome.lost > 0)
        var calm = simulation
        calm.hoursToFailure = 1e6
        calm.timeLimit = 0
        #expect(outcome.makespan > calm.run(balanced: true).makespan)
    }
}
