//! A Flamingo with the paper's own kind of vision encoder, from published parts to annotations.
import Foundation
import Testing
import WadeTestSupport

@Suite("a Flamingo with an NFNet", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason))
struct NFNetFlamingoTests {
    @Test("it is imported and annotates clips, with the same records for any workers and batch")
    func annotates() throws {
        let wade = try BuiltProgram()
        let parts = try NFNetParts(in: wade.folder.path)
        let imported = try wade.run([
            "model", "import", parts.checkpoint, "--language", parts.language, "--vision",
            parts.vision, "--output", wade.path("nfnet-model"),
        ])
        try #require(imported.code == 0, "\(imported.errors)")
        let inspected = try wade.run(["model", "inspect", wade.path("nfnet-model"), "--tensors"])
        #expect(inspected.output.contains("vision.stages.3.0.skipinit_gain"))
        for clip in 0..<5 { try wade.makeClip("in/\(clip).y4m", grey: UInt8(30 + 40 * clip)) }
        try wade.write(
            "model: ./nfnet-model\nsampling: {uniform: 2}\ntasks:\n  - {id: caption, type: caption, max_new_tokens: 4}\n  - {id: q, type: vqa, question: What?, max_new_tokens: 3}\n",
            to: "p.yaml")
        for precision in ["float32", "bfloat16", "int8"] {
            let options = ["--no-cache", "--precision", precision]
            let one = try records(
                wade, "\(precision)-1", options + ["--workers", "1", "--batch", "1"])
            let other = try records(
                wade, "\(precision)-2", options + ["--workers", "3", "--batch", "4"])
            #expect(one == other && one.count == 10, "\(precision)")
            #expect(one.allSatisfy { ($0["status"] as? String) == "ok" })
        }
    }

    private func records(_ wade: BuiltProgram, _ name: String, _ options: [String]) throws
        -> [NSDictionary]
    {
        let finished = try wade.annotate(name, options)
        try #require(finished.code == 0, "\(finished.errors)")
        return try String(contentsOfFile: wade.path(name), encoding: .utf8).split(separator: "\n")
            .map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                var record = try #require(object as? [String: Any])
                record["run"] = nil
                return record as NSDictionary
            }
    }
}
