//! Facts about pipelines on IDEFICS: prompts are those of its processor, and a clip is as many pictures as it has frames.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeTestSupport
import WadeTokenizer
import WadeVideo

@testable import WadePipeline

@Suite("IDEFICS in pipelines")
struct IDEFICSAnnotationTests {
    private let bundle: ModelBundle
    private let model: Flamingo
    private let tokenizer: Tokenizer
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        bundle = try ModelImport(
            checkpoint: Fixtures.bundled.appendingPathComponent("idefics/base").path,
            language: nil, vision: nil, name: "tiny"
        ).write(to: folder("model").text)
        model = try bundle.model(Arithmetic())
        tokenizer = try bundle.tokenizer()
    }

    /// A clip's visual tokens, of so many frames.
    private func clip(_ number: Int, frames: Int) throws -> Tensor {
        let side = model.configuration.vision.imageSize
        let values = (0..<frames * 3 * side * side).map {
            Float(sin(Double($0 * (number + 1)) * 0.37))
        }
        return try model.visualTokens(Tensor(values, shape: [frames, 3, side, side]))
    }

    /// The ids of a whole prompt with a query about a clip of `frames`.
    private func ids(_ read: ReadPrompt, frames: Int) throws -> [Int] {
        read.earlier + read.query(about: model.media([try clip(9, frames: frames)]))
    }

    private let parts = [
        "<image>Question: What flies? Answer: a red kite.\n",
        "<image>Question: What is on the table? Answer: two cups.\n",
    ]
    private let query = "<image>Question: What does the man hold? Answer: "

    @Test(
        "a few-shot prompt has the ids of the processor's text, whatever number of frames each clip has",
        arguments: [[1, 1, 1], [2, 3, 4], [8, 1, 2]])
    func fewShot(_ frames: [Int]) throws {
        var prompt = Prompt([], task: AnnotationTask(id: "c", type: .caption))
        prompt.parts = parts
        prompt.clips = [PathBytes("/a"), PathBytes("/b")]
        prompt.query = query
        let clips = try (0..<2).map { try clip($0, frames: frames[$0]) }
        let texts = (parts + [query]).map { String($0.dropFirst("<image>".count)) }
        let wanted = IDEFICSPrompt.fewShot(Array(zip(frames, texts)).map { ($0.0, $0.1) })
            .text(endsUtterances: false)
        let expected = tokenizer.encode(wanted, applyingTemplate: false)
        let read = try PromptReader(model, tokenizer).read(prompt, clips: clips)
        #expect(try ids(read, frames: frames[2]) == expected)
        let shared = try SharedPrefixes(model, tokenizer).read(prompt, clips: clips)
        #expect(try ids(shared, frames: frames[2]) == expected)
        let kept = SharedPrompts(model, tokenizer, limit: 2)
        for (path, tokens) in zip(prompt.clips, clips) { kept.add(tokens, of: path) }
        for _ in 0..<2 { #expect(try ids(kept.read(prompt), frames: frames[2]) == expected) }
    }

    @Test("a pipeline's prompt is the published one where a fixture has it")
    func published() throws {
        struct Case: Decodable { let input_ids: [[Int]] }
        let path = Fixtures.url("idefics/base/fewshot3.json")
        // Only the whole set of fixtures has this case.
        guard let json = try? Data(contentsOf: path) else { return }
        var prompt = Prompt([], task: AnnotationTask(id: "c", type: .caption))
        prompt.parts = [
            "<image>Question: What flies over the beach? Answer: a red kite.\n", parts[1],
        ]
        prompt.clips = [PathBytes("/a"), PathBytes("/b")]
        prompt.query = query
        let read = try PromptReader(model, tokenizer).read(
            prompt, clips: [try clip(0, frames: 1), try clip(1, frames: 1)])
        #expect(
            try ids(read, frames: 1) == JSONDecoder().decode(Case.self, from: json).input_ids[0])
    }

    @Test("what a pipeline leaves open is said in the model's own form, base and instruct")
    func spelling() throws {
        var pipeline = Self.pipeline
        let base = pipeline.spelled(for: bundle.configuration)
        #expect(
            base.tasks.map(\.template.text) == [
                "<image>Output: {answer}\n", "<image>Question: {question} Answer: {answer}\n",
                "<image>Mine: {answer}\n",
            ])
        #expect(base.decoding.stop == ["\n"])
        var instruct = bundle.configuration
        instruct.tokens.endOfChunk = instruct.tokens.image
        #expect(
            pipeline.spelled(for: instruct).tasks.map(\.template.text) == [
                "User:<image>Describe the clip in one sentence.<end_of_utterance>\nAssistant: {answer}<end_of_utterance>\n",
                "User:<image>{question}<end_of_utterance>\nAssistant: {answer}<end_of_utterance>\n",
                "<image>Mine: {answer}<end_of_utterance>\n",
            ])
        #expect(pipeline.spelled(for: instruct).decoding.stop == [])
        pipeline.decoding.stop = ["."]
        #expect(pipeline.spelled(for: bundle.configuration).decoding.stop == ["."])
        var other = bundle.configuration
        other.family = .openFlamingo
        #expect(pipeline.spelled(for: other) == pipeline)
    }

    private static var pipeline: Pipeline {
        var decoding = Decoding()
        decoding.guard = nil
        return Pipeline(
            name: "p", model: "", precision: .float32,
            tasks: [
                AnnotationTask(id: "c", type: .caption),
                AnnotationTask(id: "q", type: .vqa, question: "What is it?"),
                AnnotationTask(
                    id: "m", type: .caption,
                    template: PromptTemplate("<image>Mine: {answer}<|endofchunk|>\n")),
            ],
            demonstrations: [
                Demonstration(
                    id: "d", clip: nil,
                    answers: ["c": "A dog runs.", "q": "a dog", "m": "x"])
            ],
            sampling: .uniform(count: 2), segmentation: .whole, decoding: decoding, customID: "")
    }

    @Test("answers are those that the generator gives to the processor's prompt")
    func answers() throws {
        let annotator = try FlamingoAnnotator(
            bundle: bundle, pipeline: Self.pipeline, decoders: DecoderPool(capacity: 1)
        ).annotator
        for frames in [1, 3] {
            let tokens = try clip(5, frames: frames)
            let answer = try annotator.answer([
                ClipQuestion(
                    tokens: tokens, framesDigest: "sha256:5", task: Self.pipeline.tasks[1])
            ])[0].get()
            let text = IDEFICSPrompt(
                [.text("Question: What is it? Answer: a dog\n")]
                    + Array(repeating: .image, count: frames)
                    + [.text("Question: What is it? Answer:")]
            ).text(endsUtterances: false)
            let ids = model.configuration.tokens
            let fake = try #require(tokenizer.id(of: "<fake_token_around_image>"))
            let generated = try Generator(model)(
                tokenizer.encode(text, applyingTemplate: false),
                behind: model.sequence(media: model.media([tokens])),
                options: DecodingOptions(
                    maximumTokens: 5, endTokens: [ids.endOfText],
                    forbidden: [[ids.image], [ids.padding ?? 0], [fake]]))
            let expected = try tokenizer.decode(generated.ids, skipSpecialTokens: true)
            let untilLineEnd = expected.split(separator: "\n", omittingEmptySubsequences: false)[0]
            #expect(answer.raw == untilLineEnd, "\(frames) frames")
            #expect(answer.tokens > 0)
        }
    }
}
