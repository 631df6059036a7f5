//! Facts about label files: every layout is read, and nothing that is wrong with one goes by unsaid.
import Foundation
import Testing
import WadePipeline

@testable import WadeEvaluation

@Suite("label files")
struct LabelledSetTests {
    private func items(_ text: String, _ layout: LabelLayout, questions: String? = nil) throws
        -> LabelledSet
    {
        let folder = try LabelFolder()
        return try LabelledSet(
            folder.write(text, "labels"), layout: layout,
            questions: try questions.map { try folder.write($0, "questions") })
    }

    // MARK: - jsonl

    @Test("jsonl: captions, answers and labels, with ids of their own or without")
    func lines() throws {
        let captions = try items(
            """
            {"video": "a.mp4", "captions": ["one", "two"]}

            {"video": "b.mp4", "caption": "three", "id": 7}
            {"video": "c.mp4"}
            """, .jsonl)
        #expect(captions.items.map(\.id) == ["a.mp4", "7"])
        #expect(captions.items.map(\.truth) == [.captions(["one", "two"]), .captions(["three"])])
        #expect(captions.items.map(\.place) == ["line 1", "line 3"])
        #expect(captions.unlabelled == 1 && captions.kind == .captions)
        let answers = try items(
            """
            {"video": "a.mp4", "question": "What?", "answers": ["x"]}
            {"video": "a.mp4", "question": "Who?", "answer": "y"}
            """, .jsonl)
        #expect(answers.items.map(\.question) == ["What?", "Who?"])
        #expect(answers.items.map(\.id) == ["a.mp4 What?", "a.mp4 Who?"])
        let labels = try items(
            "{\"video\": \"a.mp4\", \"label\": \"x\", \"choices\": [\"y\", \"x\"]}", .jsonl)
        #expect(labels.items[0].truth == .label("x", choices: ["y", "x"]))
    }

    @Test(
        "jsonl: a fault is named with its line",
        arguments: [
            ("{\"video\": \"a\", \"caption\": \"x\"}\n{\"video\"", "labels: line 2: found "),
            (
                "{\"video\": \"a\", \"caption\": \"x\"}\n{\"video\": \"a\", \"caption\": \"y\"}",
                "labels: line 2: found the id \"a\" for the second time, expected each once; it is that of line 1, too"
            ),
            ("{\"caption\": \"x\"}", "labels: line 1: found "),
            ("{\"video\": \"\", \"caption\": \"x\"}", "line 1: found an empty video"),
            ("{\"video\": \"a\", \"caption\": \" \"}", "line 1: found an empty text"),
            (
                "{\"video\": \"a\", \"caption\": \"x\", \"label\": \"y\"}",
                "found captions, answers and a label together"
            ),
            (
                "{\"video\": \"a\", \"label\": \"z\", \"choices\": [\"x\", \"y\"]}",
                "line 1: found the label \"z\", expected one of the choices \"x\", \"y\""
            ),
            (
                "{\"video\": \"a\", \"answer\": \"x\", \"choices\": [\"x\"]}",
                "choices without a label"
            ),
            (
                "{\"video\": \"a\", \"caption\": \"x\", \"question\": \"y\"}",
                "a question with captions"
            ),
            (
                "{\"video\": \"a\", \"caption\": \"x\"}\n{\"video\": \"b\", \"answer\": \"y\"}",
                "labels: line 2: found answers, expected captions, as in line 1"
            ),
            ("{\"video\": \"a\", \"caption\": \"<image>\"}", "line 1: found <image> in a text"),
            ("", "labels: found no labels, expected at least one"),
            ("{\"video\": \"a\"}", "labels: found 1 entries and no label"),
        ])
    func lineFaults(text: String, fault: String) throws {
        let found = try LabelFolder().fault(text, .jsonl)
        #expect(found.contains(fault), "\(found)")
    }

    // MARK: - COCO

    @Test("coco: captions by picture, in the order of the pictures")
    func coco() throws {
        let set = try items(
            """
            {"images": [{"id": 9, "file_name": "n.jpg", "width": 4}, {"id": 3, "file_name": "t.jpg"}, {"id": 4, "file_name": "f.jpg"}],
             "annotations": [{"image_id": 3, "id": 1, "caption": "a"}, {"image_id": 9, "id": 2, "caption": "b"},
                             {"image_id": 3, "id": 5, "caption": "c"}]}
            """, .coco)
        #expect(set.items.map(\.id) == ["9", "3"] && set.unlabelled == 1)
        #expect(set.items.map(\.video) == [.file("n.jpg"), .file("t.jpg")])
        #expect(set.items.map(\.truth) == [.captions(["b"]), .captions(["a", "c"])])
    }

    @Test("coco: unknown, doubled and missing ids are named")
    func cocoFaults() throws {
        let folder = try LabelFolder()
        func fault(_ images: String, _ annotations: String) throws -> String {
            try folder.fault(
                "{\"images\": [\(images)], \"annotations\": [\(annotations)]}", .coco)
        }
        let image = "{\"id\": 1, \"file_name\": \"a.jpg\"}"
        let caption = "{\"image_id\": 1, \"id\": 8, \"caption\": \"x\"}"
        #expect(try fault(image, caption) == "")
        #expect(
            try fault(image, "{\"image_id\": 2, \"caption\": \"x\"}")
                == "labels: annotations[0]: found image_id \"2\", expected the id of one of the 1 images"
        )
        #expect(
            try fault(image + "," + image, caption)
                == "labels: images[1]: found the id \"1\" for the second time, expected each once; it is that of images[0], too"
        )
        #expect(
            try fault(image, caption + "," + caption).contains(
                "annotations[1]: found the id 8 for the second time"))
        #expect(try fault(image, "{\"caption\": \"x\"}").contains("(no \"image_id\")"))
        #expect(try fault(image, "").contains("1 entries and no label"))
        #expect(try folder.fault("{\"images\": []", .coco).hasPrefix("labels: found "))
    }

    // MARK: - VQA

    private static let annotations = """
        {"annotations": [{"question_id": 5, "image_id": 42, "answers": [{"answer": "yes", "answer_id": 1}, {"answer": "no"}]},
                         {"question_id": 6, "image_id": 42, "answers": ["red"]}]}
        """
    private static let questions = """
        {"questions": [{"question_id": 6, "image_id": 42, "question": "Which colour?"},
                       {"question_id": 5, "image_id": 42, "question": "Is it?"},
                       {"question_id": 7, "image_id": 43, "question": "Unanswered?"}]}
        """

    @Test("vqa: annotations find their questions, and questions without answers are counted")
    func vqa() throws {
        let set = try items(Self.annotations, .vqa, questions: Self.questions)
        #expect(set.items.map(\.id) == ["5", "6"] && set.unlabelled == 1)
        #expect(set.items.map(\.question) == ["Is it?", "Which colour?"])
        #expect(set.items.map(\.video) == [.id("42"), .id("42")])
        #expect(set.items[0].truth == .answers(["yes", "no"]))
    }

    @Test("vqa: missing, unknown and contradicting questions are named")
    func vqaFaults() throws {
        let folder = try LabelFolder()
        let alone = try folder.fault(Self.annotations, .vqa)
        #expect(
            alone.hasPrefix("labels: annotations[0]: found question_id 5 without a question")
                && alone.contains("--questions"))
        let unknown = try folder.fault(
            Self.annotations, .vqa,
            questions:
                "{\"questions\": [{\"question_id\": 5, \"image_id\": 42, \"question\": \"q\"}]}")
        #expect(
            unknown
                == "labels: annotations[1]: found question_id 6 without a question, expected one of the 1 ids in questions"
        )
        let other = try folder.fault(
            Self.annotations, .vqa,
            questions:
                "{\"questions\": [{\"question_id\": 5, \"image_id\": 1, \"question\": \"q\"}]}")
        #expect(
            other == "labels: annotations[0]: found image_id 42, expected 1, as question 5 has it")
        let question = "{\"question_id\": 5, \"image_id\": 42, \"question\": \"q\"}"
        let doubled = try folder.fault(
            Self.annotations, .vqa, questions: "{\"questions\": [\(question), \(question)]}")
        #expect(
            doubled
                == "questions: questions[1]: found question_id 5 for the second time, expected each once"
        )
        let twice = """
            {"annotations": [{"question_id": 5, "image_id": 1, "question": "q", "answers": ["a"]},
                             {"question_id": 5, "image_id": 1, "question": "q", "answers": ["a"]}]}
            """
        #expect(
            try folder.fault(twice, .vqa).contains(
                "annotations[1]: found the id \"5\" for the second time"))
    }

    // MARK: - MSR-VTT, MSRVTT-QA, VATEX

    private static let msrvtt = """
        {"info": {}, "videos": [{"video_id": "video1", "split": "train", "id": 1}, {"video_id": "video2", "split": "test"},
          {"video_id": "video3", "split": "test"}],
         "sentences": [{"sen_id": 1, "video_id": "video2", "caption": "b"}, {"sen_id": 0, "video_id": "video1", "caption": "a"}]}
        """

    @Test("msrvtt: captions by video, of one split or of all")
    func msrvttLayout() throws {
        let folder = try LabelFolder()
        let file = try folder.write(Self.msrvtt, "labels")
        let all = try LabelledSet(file, layout: .msrvtt)
        #expect(all.items.map(\.id) == ["video1", "video2"] && all.unlabelled == 1)
        let test = try LabelledSet(file, layout: .msrvtt, split: "test")
        #expect(test.items.map(\.truth) == [.captions(["b"])])
        #expect(test.unlabelled == 1 && test.otherSplits == 1)
        #expect(
            try folder.fault(Self.msrvtt, .msrvtt, split: "dev")
                == "labels: split: found \"dev\", expected one of \"test\", \"train\"")
        let unknown = Self.msrvtt.replacingOccurrences(
            of: "\"video_id\": \"video1\", \"caption\"", with: "\"video_id\": \"v\", \"caption\"")
        #expect(
            try folder.fault(unknown, .msrvtt)
                == "labels: sentences[1]: found video_id \"v\", expected that of one of the 3 videos"
        )
        let doubled = Self.msrvtt.replacingOccurrences(of: "\"sen_id\": 0", with: "\"sen_id\": 1")
        #expect(
            try folder.fault(doubled, .msrvtt).contains(
                "sentences[1]: found sen_id 1 for the second time"))
        let twice = Self.msrvtt.replacingOccurrences(of: "\"video3\"", with: "\"video2\"")
        #expect(
            try folder.fault(twice, .msrvtt).contains(
                "videos[2]: found the id \"video2\" for the second time"))
    }

    @Test("msrvtt-qa: questions with numbers for videos")
    func msrvttQA() throws {
        let text =
            "[{\"answer\": \"couch\", \"category_id\": 14, \"id\": 158581, \"question\": \"what?\", \"video_id\": 6513}]"
        let set = try items(text, .msrvttQA)
        #expect(
            set.items == [
                LabelledItem(
                    id: "158581", video: .id("6513"), question: "what?",
                    truth: .answers(["couch"]), place: "[0]")
            ])
        let two = text.dropLast() + "," + text.dropFirst()
        #expect(
            try LabelFolder().fault(String(two), .msrvttQA).contains(
                "[1]: found the id \"158581\" for the second time"))
        #expect(try LabelFolder().fault("[{\"id\": 1}]", .msrvttQA).contains("[0]: "))
    }

    @Test("vatex: English captions, and videos without them are counted")
    func vatex() throws {
        let set = try items(
            "[{\"videoID\": \"x_000001_000011\", \"enCap\": [\"a\", \"b\"], \"chCap\": [\"c\"]}, {\"videoID\": \"y\"}]",
            .vatex)
        #expect(set.items.map(\.id) == ["x_000001_000011"] && set.unlabelled == 1)
        #expect(set.items[0].truth == .captions(["a", "b"]))
        let doubled =
            "[{\"videoID\": \"x\", \"enCap\": [\"a\"]}, {\"videoID\": \"x\", \"enCap\": [\"a\"]}]"
        #expect(
            try LabelFolder().fault(doubled, .vatex).contains(
                "[1]: found the id \"x\" for the second time"))
        #expect(try LabelFolder().fault("[{\"videoID\": \"y\"}]", .vatex).contains("no label"))
    }

    @Test("options of another layout are refused")
    func options() throws {
        let folder = try LabelFolder()
        #expect(try folder.fault("", .coco, questions: "").contains("expected it with vqa alone"))
        #expect(
            try folder.fault("", .vatex, split: "test").contains("expected it with msrvtt alone"))
    }

    // MARK: - Videos

    private func located(
        _ names: [VideoName], _ folder: LabelFolder, skips: Bool = false
    ) throws -> LocatedSet {
        let lines = names.map { name in
            switch name {
            case .file(let text): "{\"video\": \"\(text)\", \"caption\": \"x\"}"
            case .id(let text): text
            }
        }
        let isFile = names.allSatisfy { if case .file = $0 { true } else { false } }
        let vatex = lines.map { "{\"videoID\": \"\($0)\", \"enCap\": [\"x\"]}" }
        let file = try folder.write(
            isFile ? lines.joined(separator: "\n") : "[\(vatex.joined(separator: ","))]", "labels")
        let set = try LabelledSet(file, layout: isFile ? .jsonl : .vatex)
        return try LocatedSet(set, labels: file, folder: folder.path, skipsMissing: skips)
    }

    @Test("videos are found by path, by name in a folder below, by id, and by COCO's number")
    func videos() throws {
        let folder = try LabelFolder(videos: [
            "a.mp4", "deep/er/b.mp4", "video7.mp4", "pics/COCO_val2014_000000000042.jpg",
        ])
        let files = try located([.file("a.mp4"), .file("b.mp4"), .file("deep/er/b.mp4")], folder)
        #expect(files.items.map(\.path.name.text) == ["a.mp4", "b.mp4", "b.mp4"])
        let ids = try located([.id("b"), .id("7"), .id("42"), .id("a.mp4")], folder)
        #expect(
            ids.items.map(\.path.name.text) == [
                "b.mp4", "video7.mp4", "COCO_val2014_000000000042.jpg", "a.mp4",
            ])
    }

    @Test(
        "missing videos are named and counted, or left out and counted; a name for two is refused")
    func missingVideos() throws {
        let folder = try LabelFolder(videos: ["a.mp4", "one/c.mp4", "two/c.mp4"])
        do {
            _ = try located([.file("a.mp4"), .file("b.mp4")], folder)
            Issue.record("no error")
        } catch {
            #expect(
                "\(error)".contains(
                    "labels: found 1 of 2 items without a video: \"b.mp4\" (line 2)"))
            #expect("\(error)".contains("--skip-missing"))
        }
        let some = try located([.file("a.mp4"), .file("b.mp4")], folder, skips: true)
        #expect(some.items.count == 1 && some.missing.map(\.id) == ["b.mp4"])
        #expect(throws: PipelineError.self) { try located([.file("b.mp4")], folder, skips: true) }
        do {
            _ = try located([.id("c")], folder)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains("labels: [0]: found \"c\", which stands for "))
        }
    }
}
