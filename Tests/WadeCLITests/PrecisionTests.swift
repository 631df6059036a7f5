//! Precisions from the command line: which one was used stands in every record, and none depends on how the work was done.
import Foundation
import Testing

@Suite("Precisions of a run", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason))
struct PrecisionTests {
    private let wade: BuiltProgram

    init() throws {
        wade = try BuiltProgram()
        for clip in 0..<4 { try wade.makeClip("in/\(clip).y4m", grey: UInt8(40 + 40 * clip)) }
    }

    /// The run's lines without what differs from run to run.
    private func annotate(
        _ name: String, _ options: [String], _ environment: [String] = []
    ) throws -> [NSDictionary] {
        let finished = try run(
            [
                "annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path(name),
            ] + options, environment)
        try #require(finished.code == 0, "\(finished.errors)")
        return try String(contentsOfFile: wade.path(name), encoding: .utf8).split(separator: "\n")
            .map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                var record = try #require(object as? [String: Any])
                record["run"] = nil
                return record as NSDictionary
            }
    }

    private func run(_ arguments: [String], _ environment: [String]) throws -> Finished {
        try wade.run(
            environment + [BuiltProgram.program.path] + arguments,
            of: URL(fileURLWithPath: "/usr/bin/env"))
    }

    private func texts(_ records: [NSDictionary], _ path: String) -> [String] {
        records.compactMap { record in
            path.split(separator: ".").reduce(record as? [String: Any] as Any?) { value, key in
                (value as? [String: Any])?[String(key)]
            } as? String
        }
    }

    private func member(_ records: [NSDictionary], _ path: String) -> Set<String> {
        Set(texts(records, path))
    }

    @Test(
        "a precision is part of the recipe, and records are the same for any workers, batch and cache"
    )
    func runs() throws {
        var recipes: Set<String> = []
        for precision in ["float32", "bfloat16", "int8", "int4"] {
            let options = ["--precision", precision, "--cache", wade.path("cache")]
            let one = try annotate(
                "\(precision)-1.jsonl", options + ["--workers", "1", "--batch", "1"])
            let other = try annotate(
                "\(precision)-2.jsonl", options + ["--workers", "3", "--batch", "4"])
            #expect(one == other, "\(precision)")
            #expect(one.count == 4 && member(one, "model.quant") == [precision])
            recipes.formUnion(member(one, "recipe_id"))
        }
        #expect(recipes.count == 4)
        let plain = try annotate("plain.jsonl", ["--no-cache"])
        #expect(member(plain, "model.quant") == ["float32"])
        #expect(recipes.isSuperset(of: member(plain, "recipe_id")))
        let chosen = try annotate("auto.jsonl", ["--no-cache", "--precision", "auto"])
        #expect(["float32", "bfloat16"].contains(member(chosen, "model.quant").first))
        let wrong = try wade.run([
            "annotate", wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path("x"),
            "--precision", "int3",
        ])
        #expect(wrong.code == 64 && wrong.errors.contains("--precision"))
    }

    @Test("a pipeline's precision is obeyed, and a quantised bundle answers in its own")
    func bundles() throws {
        try wade.write(
            "model: ./model\nprecision: int8\nsampling: {uniform: 2}\ntasks:\n  - {id: caption, type: caption, max_new_tokens: 4}\n",
            to: "p.yaml")
        let original = try annotate("original.jsonl", ["--no-cache"])
        #expect(member(original, "model.quant") == ["int8"])
        let quantize = [
            "model", "quantize", wade.path("model"), "--precision", "int8", "--output",
            wade.path("small"),
        ]
        let quantized = try wade.run(quantize)
        guard quantized.code == 0 else {
            #expect(quantized.code == 1 && quantized.errors.contains("processor"))
            return
        }
        #expect(quantized.output.hasSuffix("parameters, int8\n"))
        try wade.write(
            "sampling: {uniform: 2}\ntasks:\n  - {id: caption, type: caption, max_new_tokens: 4}\n",
            to: "p.yaml")
        let small = try annotate("small.jsonl", ["--no-cache", "--model", wade.path("small")])
        #expect(member(small, "model.quant") == ["int8"])
        #expect(
            texts(small, "output.text") == texts(original, "output.text")
                && texts(small, "output.text").count == 4)
        let inspected = try wade.run(["model", "inspect", wade.path("small"), "--tensors"])
        #expect(inspected.code == 0 && inspected.output.contains("packed"))
        #expect(try wade.run(quantize).code == 1, "the folder exists")
    }

    @Test("on a processor without such instructions rounded numbers are multiplied in float32")
    func olderProcessor() throws {
        let quantized = try wade.run([
            "model", "quantize", wade.path("model"), "--precision", "int8", "--output",
            wade.path("small"),
        ])
        let older = ["DNNL_MAX_CPU_ISA=AVX2"]
        for precision in ["bfloat16", "int8"] {
            let options = ["--precision", precision, "--no-cache"]
            let one = try annotate("\(precision)-old-1", options + ["--workers", "1"], older)
            let other = try annotate("\(precision)-old-2", options + ["--batch", "3"], older)
            #expect(one == other && member(one, "model.quant") == [precision])
        }
        if quantized.code == 0 {
            let old = try annotate("old", ["--no-cache", "--model", wade.path("small")], older)
            #expect(old.count == 4 && member(old, "model.quant") == ["int8"])
        }
        let automatic = try annotate("old-auto", ["--no-cache", "--precision", "auto"], older)
        #expect(member(automatic, "model.quant") == ["float32"])
        let refused = try run(
            [
                "model", "quantize", wade.path("model"), "--precision", "bfloat16", "--output",
                wade.path("never"),
            ], older)
        #expect(refused.code == 1 && refused.errors.contains("AVX512-BF16"))
    }
}
