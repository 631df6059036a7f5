//! Facts about `wade evaluate set`: a labelled set asked and scored through the built program.
import Foundation
import Testing

@Suite(
    "evaluating a labelled set", .enabled(if: BuiltProgram.isReady, BuiltProgram.reason),
    .serialized)
struct EvaluateSetTests {
    private let wade: BuiltProgram

    init() throws {
        wade = try BuiltProgram()
        for (number, name) in ["a", "b", "c", "d", "e"].enumerated() {
            try wade.makeClip("in/\(name).y4m", grey: UInt8(30 + 40 * number))
        }
        try wade.write(
            """
            model: ./model
            sampling: {uniform: 2}
            tasks:
              - {id: caption, type: caption, max_new_tokens: 4}
              - {id: ask, type: vqa, question: "How bright?", max_new_tokens: 3}
              - {id: sort, type: classify, choices: [dark, very bright]}
            """, to: "p.yaml")
        try wade.write(
            ["a", "b", "c", "d", "e"].map {
                "{\"video\": \"\($0).y4m\", \"captions\": [\"a grey picture \($0)\", \"it is grey\"]}"
            }.joined(separator: "\n"), to: "captions.jsonl")
    }

    private func evaluate(
        _ labels: String, _ more: [String] = [], output: String = "out", layout: String = "jsonl"
    ) throws -> Finished {
        try wade.run(
            [
                "evaluate", "set", wade.path(labels), "--layout", layout, "--videos",
                wade.path("in"), "-p", wade.path("p.yaml"), "-o", wade.path(output), "--no-cache",
            ] + more)
    }

    private func json(_ output: String = "out") throws -> [String: Any] {
        try #require(
            JSONSerialization.jsonObject(with: wade.bytes(output + ".json")) as? [String: Any])
    }

    private func scores(_ output: String = "out") throws -> [String: Double] {
        var scores: [String: Double] = [:]
        for figure in try #require(json(output)["scores"] as? [[String: Any]]) {
            let (metric, shots) = (figure["metric"] as? String, figure["shots"] as? Int)
            scores["\(metric ?? "") \(shots ?? -1)"] = figure["mean"] as? Double
        }
        return scores
    }

    private func lines(_ name: String) throws -> [[String: Any]] {
        try String(decoding: wade.bytes(name), as: UTF8.self).split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    /// What a record says, without what differs from run to run.
    private func texts(_ name: String) throws -> [String: String] {
        var texts: [String: String] = [:]
        for line in try lines(name) {
            let video = (line["video"] as? [String: Any])?["path"] as? String ?? ""
            texts[video] = (line["output"] as? [String: Any])?["raw"] as? String
        }
        return texts
    }

    @Test(
        "captions: a table, a JSON, a plot and records; a second run asks nothing and says the same"
    )
    func captions() throws {
        let first = try evaluate("captions.jsonl", ["--shots", "0", "2", "--seeds", "1", "2"])
        #expect(first.code == 0 && first.errors == "", "\(first.errors)")
        #expect(first.output.contains("| shots | CIDEr-D"))
        #expect(
            first.output.contains(
                "demonstrations from the set itself, without the query's own video"))
        let scores = try scores()
        #expect(Set(scores.keys) == ["cider_d 0", "bleu_4 0", "cider_d 2", "bleu_4 2"])
        #expect(scores.values.allSatisfy { $0 >= 0 && $0 <= 10 })
        #expect(try wade.bytes("out.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
        #expect(try lines("out.records/0-shots.jsonl").count == 5)
        for seed in [1, 2] {
            let records = try lines("out.records/2-shots.seed-\(seed).jsonl")
            #expect(records.count == 5)
            for record in records {
                let ids = (record["demos"] as? [String: Any])?["ids"] as? [String] ?? []
                let video = (record["video"] as? [String: Any])?["path"] as? String ?? ""
                #expect(ids.count == 2 && !ids.contains(video))
            }
        }
        let before = try (wade.bytes("out.json"), wade.bytes("out.records/2-shots.seed-1.jsonl"))
        let second = try evaluate("captions.jsonl", ["--shots", "0", "2", "--seeds", "1", "2"])
        #expect(second.code == 0 && second.output == first.output)
        #expect(
            try before == (wade.bytes("out.json"), wade.bytes("out.records/2-shots.seed-1.jsonl")))
        // An evaluation that was interrupted goes on where it was.
        let whole = try texts("out.records/2-shots.seed-2.jsonl")
        let kept = try wade.bytes("out.records/2-shots.seed-2.jsonl").split(separator: 0x0A).prefix(
            2)
        try Data(kept.joined(separator: [0x0A]) + [0x0A]).write(
            to: wade.folder.appendingPathComponent("out.records/2-shots.seed-2.jsonl"))
        let third = try evaluate("captions.jsonl", ["--shots", "0", "2", "--seeds", "1", "2"])
        #expect(third.code == 0 && third.output == first.output)
        #expect(try texts("out.records/2-shots.seed-2.jsonl") == whole && whole.count == 5)
    }

    @Test("without demonstrations the records say what `wade annotate` says")
    func sameAsAnnotate() throws {
        #expect(try evaluate("captions.jsonl", ["--shots", "0"]).code == 0)
        try wade.write(
            "model: ./model\nsampling: {uniform: 2}\ntasks:\n  - {id: caption, type: caption, max_new_tokens: 4}\n",
            to: "p.yaml")
        #expect(try wade.annotate("plain.jsonl", ["--no-cache"]).code == 0)
        #expect(try texts("plain.jsonl") == texts("out.records/0-shots.jsonl"))
    }

    @Test("answers: several questions to one clip, each with its record; MSRVTT-QA and VQA layouts")
    func answers() throws {
        try wade.write(
            """
            [{"id": 7, "video_id": "a", "question": "what is it?", "answer": "grey"},
             {"id": 8, "video_id": "a", "question": "who is it?", "answer": "nobody"},
             {"id": 9, "video_id": "b", "question": "what is it?", "answer": "grey"}]
            """, to: "qa.json")
        try wade.write(
            "{\"question\": \"which is it?\", \"answer\": \"grey\", \"video\": \"c.y4m\"}",
            to: "pool.jsonl")
        let run = try evaluate(
            "qa.json", ["--shots", "0", "1", "--seeds", "4"], layout: "msrvtt-qa")
        #expect(run.code == 0 && run.output.contains("exact match"), "\(run.errors)")
        #expect(run.output.contains("no VQA accuracy: some questions have fewer than 4 answers"))
        let records = try lines("out.records/0-shots.jsonl")
        let asked = records.map { ($0["task"] as? [String: Any])?["question"] as? String ?? "" }
        #expect(asked.sorted() == ["what is it?", "what is it?", "who is it?"])
        try wade.write(
            """
            {"annotations": [{"question_id": 1, "image_id": 42, "answers": [\
            \((0..<10).map { "{\"answer\": \"yes\", \"answer_id\": \($0)}" }.joined(separator: ","))]}]}
            """, to: "vqa.json")
        try wade.write(
            "{\"questions\": [{\"question_id\": 1, \"image_id\": 42, \"question\": \"Is it?\"}]}",
            to: "questions.json")
        try wade.makeClip("in/COCO_val2014_000000000042.y4m", grey: 9)
        let vqa = try evaluate(
            "vqa.json", ["--questions", wade.path("questions.json"), "--shots", "0"],
            output: "vqa", layout: "vqa")
        #expect(vqa.code == 0 && vqa.output.contains("VQA accuracy"), "\(vqa.errors)")
        #expect(try scores("vqa").keys.sorted() == ["exact_match 0", "vqa_accuracy 0"])
    }

    @Test("labels: top-1 and ROC-AUC from the likelihoods; sums and orders give other likelihoods")
    func labels() throws {
        try wade.write(
            ["a", "b", "c", "d", "e"].map {
                "{\"video\": \"\($0).y4m\", \"label\": \"\($0 < "c" ? "dark" : "very bright")\"}"
            }.joined(separator: "\n"), to: "labels.jsonl")
        let run = try evaluate("labels.jsonl", ["--shots", "2", "--seeds", "0", "--orders", "2"])
        #expect(run.code == 0, "\(run.errors)")
        #expect(try scores().keys.sorted() == ["roc_auc 2", "top_1 2"])
        // Two orders, a record each.
        #expect(try lines("out.records/2-shots.seed-0.jsonl").count == 10)
        let sums = try evaluate(
            "labels.jsonl", ["--shots", "2", "--seeds", "0", "--no-length-normalized"],
            output: "sums")
        #expect(sums.code == 0)
        let subject = try json("sums")["subject"] as? [String: Any]
        #expect(subject?["length_normalized"] as? Bool == false && subject?["orders"] as? Int == 1)
        try wade.write("{\"video\": \"a.y4m\", \"label\": \"green\"}", to: "odd.jsonl")
        let odd = try evaluate("odd.jsonl", ["--shots", "0"])
        #expect(odd.code == 1 && odd.errors.contains("found the label \"green\" in line 1"))
    }

    @Test("COCO, MSR-VTT and VATEX files of the same captions get the same scores")
    func layouts() throws {
        try wade.write(
            """
            {"images": [{"id": 1, "file_name": "a.y4m"}, {"id": 2, "file_name": "b.y4m"}], "annotations": [
             {"id": 1, "image_id": 1, "caption": "a grey one"}, {"id": 2, "image_id": 2, "caption": "a black one"}]}
            """, to: "coco.json")
        try wade.write(
            """
            {"videos": [{"video_id": "a", "split": "test"}, {"video_id": "b", "split": "test"}, {"video_id": "x", "split": "train"}],
             "sentences": [{"sen_id": 0, "video_id": "a", "caption": "a grey one"}, {"sen_id": 1, "video_id": "b", "caption": "a black one"}]}
            """, to: "msrvtt.json")
        try wade.write(
            "[{\"videoID\": \"a\", \"enCap\": [\"a grey one\"]}, {\"videoID\": \"b\", \"enCap\": [\"a black one\"]}]",
            to: "vatex.json")
        var found: [[String: Double]] = []
        for layout in ["coco", "msrvtt", "vatex"] {
            let more = layout == "msrvtt" ? ["--split", "test"] : []
            let run = try evaluate(
                layout + ".json", ["--shots", "0", "1", "--seeds", "3"] + more, output: layout,
                layout: layout)
            #expect(run.code == 0, "\(run.errors)")
            if layout == "msrvtt" { #expect(run.output.contains("left out: 1 of other splits")) }
            found.append(try scores(layout))
        }
        #expect(found[0].count == 4 && found[1] == found[0] && found[2] == found[0])
    }

    @Test("a clip that cannot be decoded costs its record, is counted, and is no demonstration")
    func badClip() throws {
        try wade.write("no video", to: "in/c.y4m")
        let run = try evaluate("captions.jsonl", ["--shots", "0", "3", "--seeds", "0", "1", "2"])
        #expect(run.code == 3)
        #expect(
            run.output.contains("counted as wrong: out.records/0-shots.jsonl: 1 not_media"),
            "\(run.output)"
        )
        let barred = try json()["barred_demonstrations"] as? [String: String] ?? [:]
        #expect(barred.count == 1 && barred.values.first?.hasPrefix("not_media: ") == true)
        for record in try lines("out.records/3-shots.seed-1.jsonl") {
            let ids = (record["demos"] as? [String: Any])?["ids"] as? [String] ?? []
            #expect(ids.count == 3 && !ids.contains("c.y4m"))
        }
        let many = try evaluate("captions.jsonl", ["--shots", "4", "--seeds", "0"], output: "many")
        #expect(many.code == 1 && many.errors.contains("since 1 clips of the pool cannot be used"))
    }

    @Test("missing videos end it with names, or are left out and counted; usage errors are 64")
    func missing() throws {
        try FileManager.default.removeItem(at: wade.folder.appendingPathComponent("in/b.y4m"))
        let run = try evaluate("captions.jsonl", ["--shots", "0"])
        #expect(run.code == 1 && run.output == "")
        #expect(run.errors.contains("found 1 of 5 items without a video: \"b.y4m\" (line 2)"))
        let some = try evaluate("captions.jsonl", ["--shots", "0", "--skip-missing"])
        #expect(some.code == 0 && some.output.contains("left out: 1 whose video was not found"))
        #expect(try evaluate("captions.jsonl", ["--shots", "-1"]).code == 64)
        #expect(try evaluate("captions.jsonl", ["--split", "test"]).code == 64)
        let few = try evaluate("captions.jsonl", ["--shots", "5", "--skip-missing"])
        #expect(few.code == 1 && few.errors.contains("expected at least 5, for 5 shots"))
        let task = try evaluate("captions.jsonl", ["--task", "ask", "--skip-missing"])
        #expect(
            task.code == 1
                && task.errors.contains("expected a caption task, since the labels are captions"))
    }

    @Test("a query's video under another name among its demonstrations is counted and said")
    func copies() throws {
        try FileManager.default.copyItem(
            atPath: wade.path("in/a.y4m"), toPath: wade.path("in/z.y4m"))
        try wade.write(
            ["a", "z"].map { "{\"video\": \"\($0).y4m\", \"caption\": \"grey\"}" }.joined(
                separator: "\n"),
            to: "two.jsonl")
        let run = try evaluate("two.jsonl", ["--shots", "0", "1", "--seeds", "0"])
        #expect(run.code == 0, "\(run.errors)")
        #expect(
            run.output.contains("out.records/1-shots.seed-0.jsonl: 2 questions had their own video")
        )
        #expect(!run.output.contains("0-shots.jsonl: "))
        #expect(try lines("out.records/0-shots.jsonl").count == 2)
    }

    @Test(
        "retrieved demonstrations: the records are those of `wade annotate`, and what they gain is told"
    )
    func retrieved() throws {
        try wade.write(
            ["a", "b", "c", "d", "e"].map {
                "{\"id\": \"\($0)\", \"video\": \"\($0).y4m\", \"captions\": [\"a grey picture \($0)\"]}"
            }.joined(separator: "\n"), to: "named.jsonl")
        let arguments = [
            "--shots", "0", "2", "--seeds", "1", "2", "--demonstrations", "rices", "fixed",
        ]
        // Grey pictures of one shade look alike to a model of random weights.
        let plain = String(decoding: try wade.bytes("p.yaml"), as: UTF8.self)
        try wade.write(
            plain + "\ndemonstrations: {file: pool.jsonl, retrieve: 2, near_duplicates: off}\n",
            to: "p.yaml")
        try wade.write(
            ["a", "b", "c", "d", "e"].map {
                "{\"id\":\"\($0)\",\"clip\":\"in/\($0).y4m\",\"answers\":{\"caption\":\"a grey picture \($0)\"}}\n"
            }.joined(), to: "pool.jsonl")
        let first = try evaluate("named.jsonl", arguments)
        #expect(first.code == 0 && first.errors == "", "\(first.errors)")
        for words in [
            "| 0 ", "| 2 fixed ", "| 2 rices ", "| 2 rices − fixed",
            "copies of the same content alone left out",
        ] {
            #expect(first.output.contains(words), "\(words): \(first.output)")
        }
        let records = try lines("out.records/2-shots.rices.jsonl")
        #expect(records.count == 5)
        for record in records {
            let demos = record["demos"] as? [String: Any]
            let ids = demos?["ids"] as? [String] ?? []
            let sims = demos?["sims"] as? [Double] ?? []
            let path = (record["video"] as? [String: Any])?["path"] as? String ?? ""
            #expect(demos?["policy"] as? String == "rices" && record["flags"] as? [String] == [])
            #expect(ids.count == 2 && !ids.contains(String(path.prefix(1))))
            #expect(sims.count == 2 && sims == sims.sorted())
        }
        #expect(
            try lines("out.records/2-shots.seed-1.jsonl").allSatisfy {
                ($0["demos"] as? [String: Any])?["policy"] as? String == "fixed"
            })
        let gains = try #require(json()["rices_minus_fixed"] as? [[String: Any]])
        #expect(gains.map { $0["metric"] as? String } == ["cider_d", "bleu_4"])
        for gain in gains {
            let ends = ["low", "mean", "high"].map { gain[$0] as? Double ?? .nan }
            #expect(ends == ends.sorted() && gain["shots"] as? Int == 2)
        }
        let second = try evaluate("named.jsonl", arguments)
        #expect(second.code == 0 && second.output == first.output)
        #expect(try lines("out.records/2-shots.rices.jsonl").count == 5)
        // The same pool in a pipeline, asked by `annotate`.
        let tasks = plain.split(separator: "\n").filter {
            !$0.contains("id: ask") && !$0.contains("id: sort")
        }
        try wade.write(
            tasks.joined(separator: "\n")
                + "\ndemonstrations: {file: pool.jsonl, retrieve: 2, near_duplicates: off}\n",
            to: "p.yaml")
        #expect(try wade.annotate("plain.jsonl", ["--no-cache"]).code == 0)
        #expect(try texts("plain.jsonl") == texts("out.records/2-shots.rices.jsonl"))
        let sims = try ["plain.jsonl", "out.records/2-shots.rices.jsonl"].map { name in
            try lines(name).map { ($0["demos"] as? [String: Any])?["sims"] as? [Double] ?? [] }
        }
        #expect(sims[0] == sims[1])
    }

    @Test(
        "where all of the pool looks like copies, fewer demonstrations stand, and that is counted")
    func nothingToRetrieve() throws {
        let pipeline = String(decoding: try wade.bytes("p.yaml"), as: UTF8.self)
        try wade.write(
            pipeline
                + "\ndemonstrations: {list: [{clip: in/a.y4m, answers: {caption: x}}], retrieve: 1, near_duplicates: 0}\n",
            to: "p.yaml")
        let run = try evaluate(
            "captions.jsonl", ["--shots", "2", "--demonstrations", "rices"])
        #expect(run.code == 0, "\(run.errors)")
        #expect(
            run.output.contains(
                "out.records/2-shots.rices.jsonl: 5 questions had fewer than 2 demonstrations"))
        let conditions = try #require(json()["conditions"] as? [[String: Any]])
        #expect(conditions.map { $0["fewer_demonstrations"] as? Int } == [5])
        let few = try evaluate("captions.jsonl", ["--shots", "5", "--demonstrations", "rices"])
        #expect(few.code == 1 && few.errors.contains("expected at least 5, for 5 shots"))
        let twice = try evaluate("captions.jsonl", ["--demonstrations", "rices", "rices"])
        #expect(twice.code == 64)
        // A clip of the pool that cannot be decoded is none of the pool.
        try wade.write("no video", to: "in/c.y4m")
        let damaged = try evaluate(
            "captions.jsonl", ["--shots", "3", "--demonstrations", "rices"], output: "damaged")
        #expect(damaged.code == 3)
        #expect(damaged.output.contains("no demonstration: "), "\(damaged.output)")
        let many = try evaluate(
            "captions.jsonl", ["--shots", "4", "--demonstrations", "rices"], output: "many")
        #expect(many.code == 1 && many.errors.contains("since 1 clips of the pool cannot be used"))
    }

    @Test("demonstrations may come from another file, and that is said")
    func pool() throws {
        try wade.write(
            "{\"id\": \"p1\", \"video\": \"d.y4m\", \"captions\": [\"from the pool\"]}\n{\"id\": \"p2\", \"video\": \"e.y4m\", \"caption\": \"too\"}",
            to: "pool.jsonl")
        try wade.write("{\"video\": \"a.y4m\", \"caption\": \"grey\"}", to: "one.jsonl")
        let run = try evaluate(
            "one.jsonl", ["--shots", "2", "--seeds", "0", "--pool", wade.path("pool.jsonl")])
        #expect(run.code == 0 && run.output.contains("pool.jsonl (2 items)"), "\(run.errors)")
        let ids = (try lines("out.records/2-shots.seed-0.jsonl")[0]["demos"] as? [String: Any])?[
            "ids"]
        #expect(Set(ids as? [String] ?? []) == ["p1", "p2"])
    }
}
