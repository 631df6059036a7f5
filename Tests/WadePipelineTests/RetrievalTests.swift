//! Facts about demonstrations that are chosen for each clip.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeVideo

@testable import WadePipeline

@Suite("retrieved demonstrations")
struct RetrievalTests {
    /// A unit vector in the plane.
    private func direction(_ degrees: Double) -> [Float] {
        [Float(cos(degrees * .pi / 180)), Float(sin(degrees * .pi / 180))]
    }

    private func pool(_ degrees: [Double], count: Int, nearDuplicate: Double? = nil)
        -> DemonstrationPool
    {
        DemonstrationPool(
            demonstrations: degrees.indices.map {
                Demonstration(id: "d\($0)", clip: PathBytes("/\($0)"), answers: ["c": "\($0)"])
            },
            clips: degrees.enumerated().map { index, angle in
                DemonstrationClip(
                    tokens: .zeros([1, 1]), framesDigest: "", embedding: direction(angle),
                    contentID: "sha256:\(index)")
            },
            retrieval: DemonstrationRetrieval(count: count, nearDuplicate: nearDuplicate))
    }

    @Test("an embedding is the mean over frames and patches at length 1, and products are cosines")
    func embedding() {
        let features = Tensor(
            [1, 0, 0, 3, 0, 0, 2, 4, 0, 0, 1, 0], shape: [2, 2, 3])
        // The mean of (1, 0, 0), (3, 0, 0), (2, 4, 0), (0, 1, 0) is (1.5, 1.25, 0).
        let length = (1.5 * 1.5 + 1.25 * 1.25).squareRoot()
        let found = clipEmbedding(ofFeatures: features)
        #expect(found == [Float(1.5 / length), Float(1.25 / length), 0])
        #expect(abs(similarity(found, [0, 1, 0]) - 1.25 / length) < 1e-7)
        #expect(similarity(found, found) <= 1 && similarity(found, found) > 1 - 1e-6)
        let nothing = clipEmbedding(ofFeatures: .zeros([2, 2, 3]))
        #expect(nothing == [0, 0, 0] && similarity(nothing, found) == 0)
    }

    @Test("the nearest are taken, the most similar last, of equals the first of the pool nearer")
    func order() {
        let pool = pool([90, 10, 30, 10, 180], count: 3)
        let found = pool.nearest(to: direction(0), contentID: "sha256:query")
        #expect(found.map(\.member) == [2, 3, 1])
        #expect(abs(found[0].similarity - cos(30 * Double.pi / 180)) < 1e-6)
        #expect(found[1].similarity == found[2].similarity)
    }

    @Test("neither the clip itself nor what is as similar as a copy is a demonstration for it")
    func copies() {
        let angles = [0.0, 1, 20, 40]
        let query = direction(0)
        func ids(_ pool: DemonstrationPool, _ content: String) -> [Int] {
            pool.nearest(to: query, contentID: content).map(\.member)
        }
        #expect(ids(pool(angles, count: 2), "sha256:0") == [2, 1])
        #expect(ids(pool(angles, count: 2), "sha256:1") == [2, 0])
        #expect(ids(pool(angles, count: 2), "") == [1, 0], "a content that nobody knows")
        // cos 1° is 0.99985.
        #expect(ids(pool(angles, count: 2, nearDuplicate: 0.9999), "") == [2, 1])
        #expect(ids(pool(angles, count: 2, nearDuplicate: 0.999), "") == [3, 2])
        #expect(ids(pool(angles, count: 4, nearDuplicate: 0.9), "") == [3], "no more are left")
        #expect(ids(pool(angles, count: 4, nearDuplicate: 0), "").isEmpty)
    }

    private static let task = AnnotationTask(id: "say", type: .caption, maxNewTokens: 6)
    private static let words = ["a red ball", "two cats", "a dog runs", "rain", "snow falls"]

    /// Demonstrations with clips of `tiny`, whose embeddings are 20 degrees apart.
    private func pool(_ tiny: TinyBundle, count: Int) -> DemonstrationPool {
        DemonstrationPool(
            demonstrations: Self.words.enumerated().map { index, word in
                Demonstration(
                    id: "d\(index)", clip: PathBytes("/\(index)"), answers: ["say": word])
            },
            clips: Self.words.indices.map { index in
                DemonstrationClip(
                    tokens: tiny.visualTokens(index), framesDigest: "sha256:\(index)",
                    embedding: direction(20 * Double(index)), contentID: "sha256:\(index)")
            },
            retrieval: DemonstrationRetrieval(count: count))
    }

    /// The hidden state of the query's last token behind `prompt`.
    private func state(_ model: Flamingo, _ prompt: ReadPrompt, _ tokens: Tensor) throws -> [Float]
    {
        var sequence = prompt.seeing(model.media([tokens]))
        let hidden = try model(prompt.query, sequence: &sequence)
        return hidden[hidden.rows - 1..<hidden.rows].values
    }

    @Test("a prompt that is read in pieces is the prompt that is read at once")
    func pieces() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        let pool = pool(tiny, count: 3)
        // The last template has neither a special token nor a space where its examples meet.
        for template in [nil, "<image>Output:{answer}<|endofchunk|>", "a{answer}b"] {
            var task = Self.task
            if let template { task.template = try #require(PromptTemplate(template)) }
            let members = [4, 0, 2]
            let prompt = Prompt(members.map { pool.demonstrations[$0] }, task: task)
            let whole = try PromptReader(model, tokenizer).read(
                prompt, clips: members.map { pool.clips[$0].tokens })
            let read = try SharedPrefixes(model, tokenizer).read(
                prompt, clips: members.map { pool.clips[$0].tokens })
            #expect(read.earlier == whole.earlier && read.query == whole.query)
            let expected = try state(model, whole, tiny.visualTokens(9))
            let found = try state(model, read, tiny.visualTokens(9))
            // Sums in another order: states near 1, rounded at 1e-7.
            #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    @Test("prompts that begin alike share what was read, and the answers do not show it")
    func sharing() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        let pool = pool(tiny, count: 3)
        func bits(_ lists: [[Int]], _ prefixes: SharedPrefixes) throws -> [[UInt32]] {
            try lists.map { members in
                let prompt = Prompt(members.map { pool.demonstrations[$0] }, task: Self.task)
                let read = try prefixes.read(
                    prompt, clips: members.map { pool.clips[$0].tokens })
                return try state(model, read, tiny.visualTokens(9)).map(\.bitPattern)
            }
        }
        let lists = [[0, 1, 2], [0, 1, 3], [0, 1, 2], [0], [], [1, 0, 2], [0, 1, 3, 4]]
        let shared = SharedPrefixes(model, tokenizer)
        let found = try bits(lists, shared)
        // Three, one more, none, none, none, three others, one more.
        #expect(shared.readings == 8)
        #expect(shared.bytes > 0)
        for (list, expected) in zip(lists, found) {
            #expect(try bits([list], SharedPrefixes(model, tokenizer)) == [expected])
        }
        #expect(try bits(lists.reversed(), SharedPrefixes(model, tokenizer)) == found.reversed())
    }

    @Test("what is kept has a bound, whatever is asked for")
    func bound() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        let pool = pool(tiny, count: 3)
        func read(_ members: [Int], _ prefixes: SharedPrefixes) throws {
            let prompt = Prompt(members.map { pool.demonstrations[$0] }, task: Self.task)
            _ = try prefixes.read(prompt, clips: members.map { pool.clips[$0].tokens })
        }
        let one = SharedPrefixes(model, tokenizer)
        try read([4, 4], one)
        let bounded = SharedPrefixes(model, tokenizer, mostBytes: 3 * one.bytes)
        let tiniest = SharedPrefixes(model, tokenizer, mostBytes: 1)
        let lists = (0..<5).flatMap { first in (0..<5).map { [first, $0] } }
        for list in lists + lists {
            for prefixes in [bounded, tiniest] { try read(list, prefixes) }
            #expect(bounded.bytes > 0 && bounded.bytes <= 3 * one.bytes)
            #expect(tiniest.bytes > 0 && tiniest.bytes < one.bytes, "the latest state is kept")
        }
        // Each of 5 first ones and each of 25 pairs once, and again when they have gone meanwhile; 100 would be nothing shared.
        #expect(bounded.readings > 30 && bounded.readings <= 60)
        #expect(tiniest.readings == 100)
    }

    @Test("each clip is answered behind its own, and other orders and probabilities are of these")
    func prompts() throws {
        let tiny = try TinyBundle()
        let model = try tiny.bundle.model(Arithmetic())
        let tokenizer = try tiny.bundle.tokenizer()
        let pipeline = plainPipeline([Self.task])
        var confidence = Confidence()
        confidence.orders = 3
        confidence.isCalibrated = true
        let stage = try AnswerStage(model, tokenizer, pipeline)
        let retrieved = try RetrievedPrompts(
            Self.task, pool(tiny, count: 2), confidence: confidence,
            prefixes: SharedPrefixes(model, tokenizer)
        ).calibrated(by: stage, media: { model.media([$0]) })
        let (prompts, demonstrations) = try retrieved.prompts(
            to: direction(41), contentID: "sha256:2")
        #expect(demonstrations.map(\.id) == ["d1", "d3"])
        #expect(abs(demonstrations[1].similarity - cos(19 * Double.pi / 180)) < 1e-6)
        #expect(prompts.reordered.count == 1 && prompts.calibration?.count == 5)
        let text = try tokenizer.decode(prompts.prompt.earlier, skipSpecialTokens: false)
        let (cats, rain) = (text.range(of: "two cats"), text.range(of: "rain"))
        #expect(try #require(cats).lowerBound < #require(rain).lowerBound)
        #expect(!retrieved.isShort(2) && retrieved.isShort(1))
    }

    // MARK: - Pipelines

    private func read(_ demonstrations: String, lines: [String] = []) throws -> Pipeline {
        let folder = try TemporaryFolder()
        for number in 0..<4 { folder.write("film \(number)", to: "\(number).mp4") }
        folder.write(lines.joined(separator: "\n"), to: "pool.jsonl")
        folder.write(
            """
            tasks:
              - {id: c, type: caption}
              - {id: q, type: vqa, question: "What?"}
            demonstrations: \(demonstrations)

            """, to: "p.yaml")
        return try Pipeline.read(folder("p.yaml"))
    }

    private static let lines = (0..<3).map {
        "{\"id\":\"n\($0)\",\"clip\":\"\($0).mp4\",\"answers\":{\"c\":\"word\"}}"
    }

    @Test("a pipeline says how many, out of a file or a list, and from where on a copy is one")
    func reading() throws {
        let file = try read("{file: pool.jsonl, retrieve: 2}", lines: Self.lines)
        #expect(file.retrieval == DemonstrationRetrieval(count: 2, nearDuplicate: 0.995))
        #expect(file.demonstrations.map(\.id) == ["n0", "n1", "n2"])
        let list = try read(
            "{list: [{clip: 3.mp4, answers: {c: x}}], retrieve: 1, near_duplicates: off}")
        #expect(list.retrieval == DemonstrationRetrieval(count: 1, nearDuplicate: nil))
        let near = try read(
            "{file: pool.jsonl, retrieve: 1, near_duplicates: 0.9}", lines: Self.lines)
        #expect(near.retrieval?.nearDuplicate == 0.9)
        #expect(try read("{file: pool.jsonl}", lines: Self.lines).retrieval == nil)
    }

    @Test("what a pool cannot be is told with its place")
    func faults() throws {
        let words = "{\"id\":\"w\",\"answers\":{\"c\":\"word\"}}"
        let faults: [(demonstrations: String, lines: [String], message: String)] = [
            (
                "{file: pool.jsonl, retrieve: 4}", Self.lines,
                "p.yaml:4:46: found 4 to retrieve out of 3 demonstrations of task c, expected at most"
            ),
            (
                "{file: pool.jsonl, retrieve: 2}", Self.lines + [words],
                "pool.jsonl:4:1: found demonstration \"w\" without a clip, expected a `clip`"
            ),
            (
                "{list: [{answers: {c: x}}], retrieve: 1}", [],
                "p.yaml:4:25: found demonstration \"d1\" without a clip, expected a `clip`"
            ),
            (
                "{file: pool.jsonl}", Self.lines + [Self.lines[1]],
                "pool.jsonl:4:1: found demonstration \"n1\", expected each id once"
            ),
            (
                "{file: pool.jsonl, near_duplicates: 0.9}", Self.lines,
                "p.yaml:4:53: found demonstrations.near_duplicates: \"0.9\", expected `near_duplicates` beside"
            ),
            (
                "{file: pool.jsonl, list: [], retrieve: 1}", Self.lines,
                "p.yaml:4:17: found both `file` and `list`, expected a list"
            ),
            ("{retrieve: 1}", [], "p.yaml:4:17: found none of them, expected a list"),
            (
                "{file: pool.jsonl, retrieve: 0}", Self.lines,
                "p.yaml:4:46: found demonstrations.retrieve: \"0\", expected a whole number from 1"
            ),
            (
                "{file: pool.jsonl, retrieve: 1}\nconfidence: {agreement: 2}", Self.lines,
                "found agreement with 1 demonstrations of task c, expected at least two"
            ),
        ]
        for fault in faults {
            var text = ""
            do { _ = try read(fault.demonstrations, lines: fault.lines) } catch {
                text = "\(error)"
            }
            #expect(text.contains(fault.message), "\(text)")
        }
    }

    @Test(
        "a recipe covers the pool's content, the number and the bound, and only where they matter")
    func recipes() throws {
        let model = ModelIdentity(name: "m", weightsSHA256: "0", numericsVersion: "1")
        func recipe(
            task: Int = 0, contents: [String] = ["a", "b", "c"],
            _ change: (inout Pipeline) -> Void = { _ in }
        ) throws -> Recipe {
            var pipeline = try read("{file: pool.jsonl, retrieve: 2}", lines: Self.lines)
            let clips = pipeline.demonstrations.compactMap(\.clip)
            change(&pipeline)
            return try Recipe(
                pipeline, task: pipeline.tasks[task], model: model,
                contents: Dictionary(uniqueKeysWithValues: zip(clips, contents)))
        }
        let plain = try recipe()
        #expect(plain.policy == .rices && plain.demonstrationIDs == [])
        #expect(plain.demonstrationsID.utf8.count == 16)
        let others: [Recipe] = [
            try recipe { $0.retrieval?.count = 1 },
            try recipe { $0.retrieval?.nearDuplicate = 0.9 },
            try recipe { $0.retrieval?.nearDuplicate = nil },
            try recipe { $0.retrieval = nil }, try recipe { $0.demonstrations.removeLast() },
            try recipe { $0.demonstrations.swapAt(0, 1) },
            try recipe { $0.demonstrations[2].answers["c"] = "x" },
            try recipe(contents: ["a", "b", "d"]),
        ]
        #expect(Set(others.map(\.id) + [plain.id]).count == 9)
        #expect(others[3].policy == .fixed && others[3].demonstrationIDs == ["n0", "n1", "n2"])
        // A task without demonstrations is asked without any.
        let none = try recipe(task: 1)
        #expect(none.policy == .none && none.demonstrationsID == "")
        #expect(try recipe(task: 1) { $0.retrieval = nil } == none)
    }

    @Test("a record names what was retrieved, with its similarity, and says when it is too little")
    func record() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        folder.write("dog", to: "in/a.mp4")
        folder.write("bad", to: "in/b.mp4")
        folder.write("dog", to: "in/c.mp4")
        var pipeline = plainPipeline([captionTask, colourTask])
        let shown = folder.write("shown", to: "shown.mp4")
        pipeline.demonstrations = [
            Demonstration(id: "s", clip: shown, answers: ["caption": "word"])
        ]
        pipeline.retrieval = DemonstrationRetrieval(count: 1)
        var annotator = FakeAnnotator.make()
        let answer = annotator.answer
        annotator.answer = { questions in
            #expect(questions.allSatisfy { $0.contentID.hasPrefix("sha256:") })
            return zip(questions, answer(questions)).map { question, result in
                result.map { answer in
                    var answer = answer
                    guard question.task.id == "caption" else { return answer }
                    answer.retrieved = [RetrievedDemonstration(id: "s", similarity: 0.5)]
                    answer.flags.append(.demosMissing)
                    return answer
                }
            }
        }
        try annotate(
            [folder("in")], into: folder("out.jsonl"), pipeline: pipeline, annotator: annotator)
        let found = try records(folder("out.jsonl"))
        #expect(
            found.map(\.demonstrations.policy) == [.rices, .none, .rices, .none, .rices, .none])
        #expect(found.map(\.demonstrations.ids) == [["s"], [], [], [], ["s"], []])
        #expect(found[0].demonstrations.similarities == [0.5] && found[0].flags == [.demosMissing])
        #expect(found[4].sameAs == found[0].key && found[4].demonstrations.similarities == [0.5])
        #expect(found[1].demonstrations.setID == "" && found[0].demonstrations.setID != "")
        let schema = try RecordSchema.annotation()
        for record in found {
            #expect(schema.complaints(about: try JSONReader.read(record.line().dropLast())) == [])
        }
    }
}
