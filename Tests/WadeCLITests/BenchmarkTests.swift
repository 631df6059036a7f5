//! Facts about `wade benchmark` as a user runs it.
import Foundation
import Testing

@Suite(
    "measuring the machine", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason), .serialized)
struct BenchmarkTests {
    private let wade: BuiltProgram

    init() throws {
        wade = try BuiltProgram()
    }

    private func object(_ value: Any?) throws -> [String: Any] {
        try #require(value as? [String: Any])
    }

    @Test(
        "the JSON has every ceiling and stage, no share is beyond its ceiling, and the plan uses it"
    )
    func report() throws {
        let finished = try wade.run([
            "benchmark", "--model", wade.path("model"), "--shots", "2", "--batch", "2", "--tokens",
            "4", "--workers", "1", "--json", "--cache", wade.path("cache"),
        ])
        try #require(finished.code == 0, "\(finished.errors)")
        #expect(finished.output.filter { $0 == "\n" }.count == 1)
        let report = try object(JSONSerialization.jsonObject(with: Data(finished.output.utf8)))
        let ceilings = try object(report["ceilings"])
        let products = try object(ceilings["operations_per_second"])
        #expect(Set(products.keys).isSuperset(of: ["float32", "bfloat16"]))
        for case let rate as Double in products.values { #expect(rate > 0) }
        #expect(ceilings["bytes_per_second"] as? Double ?? 0 > 0)
        let stages = try #require(report["stages"] as? [[String: Any]])
        #expect(
            stages.map { $0["name"] as? String } == [
                "decode", "resize", "vision", "resampler", "prefix", "prefill", "token",
            ])
        for stage in stages {
            for key in ["seconds", "cpu_seconds", "per_second"] {
                #expect(stage[key] as? Double ?? 0 > 0, "\(stage)")
            }
            let isBound = !["decode", "resize"].contains(stage["name"] as? String)
            #expect((stage["share"] != nil) == isBound, "\(stage)")
            if isBound {
                let share = stage["share"] as? Double ?? 0
                #expect(share > 0 && share <= 1.2, "\(stage)")
                #expect(["arithmetic", "memory"].contains(stage["bound"] as? String))
            }
        }
        let clip = try object(report["clip"])
        #expect(clip["seconds"] as? Double ?? 0 > 0)
        let decoding = clip["decoding_share_of_cpu"] as? Double ?? 0
        #expect(decoding > 0 && decoding < 1)
        #expect(report["peak_memory_bytes"] as? Int ?? 0 > 1 << 20)

        try wade.makeClip("in/a.y4m", grey: 1)
        let plan = [
            "plan", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("out.jsonl"),
            "--summary", "--cache",
        ]
        #expect(try wade.run(plan + [wade.path("cache")]).output.contains("by wade benchmark"))
        #expect(try wade.run(plan + [wade.path("none")]).output.contains("no estimate"))
    }

    @Test(
        "without demonstrations there is no prefix, and the table names every stage that there is")
    func table() throws {
        let finished = try wade.run([
            "benchmark", "--model", wade.path("model"), "--shots", "0", "--batch", "1", "--tokens",
            "1", "--no-cache",
        ])
        try #require(finished.code == 0, "\(finished.errors)")
        let lines = finished.output.split(separator: "\n")
        for name in ["decode", "resize", "vision", "resampler", "prefill", "token"] {
            #expect(lines.contains { $0.hasPrefix(name + " ") }, "\(finished.output)")
        }
        #expect(!lines.contains { $0.hasPrefix("prefix ") })
        #expect(lines.contains { $0.hasPrefix("8 frames, 0 demonstrations, 1 new tokens: ") })
        #expect(lines.last?.hasPrefix("peak memory ") == true)
    }

    @Test(
        "nonsense is refused with 64 and the option's name",
        arguments: [
            ["--shape", "openflamingo-3000b"], ["--precision", "int7"], ["--shots", "-1"],
            ["--batch", "0"], ["--tokens", "0"], ["--workers", "0"], ["--threads", "1000"],
            ["--tokens", "many"],
        ])
    func nonsense(arguments: [String]) throws {
        let finished = try wade.run(["benchmark"] + arguments)
        #expect(finished.code == 64)
        #expect(finished.errors.contains(arguments[0]), "\(finished.errors)")
    }

    @Test("a shape and a model exclude each other, and a model that is nowhere ends with 1")
    func subjects() throws {
        let both = try wade.run([
            "benchmark", "--shape", "openflamingo-3b-vitl-mpt1b", "--model", "flaminglet",
        ])
        #expect(both.code == 64 && both.errors.contains("--shape and --model"))
        let missing = try wade.run(["benchmark", "--model", "no-such-model"])
        #expect(missing.code == 1 && missing.errors.contains("no-such-model"))
    }
}
