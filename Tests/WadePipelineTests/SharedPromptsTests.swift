//! Facts about prompts that many questions share: sharing changes no answer.
import Testing
import WadeFlamingo
import WadeTensor
import WadeTokenizer

@testable import WadePipeline

@Suite("shared prompts")
struct SharedPromptsTests {
    private let tiny: TinyBundle
    private let tokenizer: Tokenizer
    private let model: Flamingo

    init() throws {
        tiny = try TinyBundle()
        tokenizer = try tiny.bundle.tokenizer()
        model = try tiny.bundle.model(Arithmetic())
    }

    private func prompt(_ question: String, answers: [String], template: String? = nil) -> Prompt {
        let task = AnnotationTask(
            id: "t", type: .vqa, question: question,
            template: template.flatMap { PromptTemplate($0) })
        let demonstrations = answers.enumerated().map { number, answer in
            Demonstration(
                id: "d\(number)", clip: PathBytes("/clip\(number)"), answers: ["t": answer],
                questions: ["t": "What is number \(number)?"])
        }
        return Prompt(demonstrations, task: task)
    }

    private func shared(_ clips: Int) -> SharedPrompts {
        let prompts = SharedPrompts(model, tokenizer, limit: 2)
        for clip in 0..<clips {
            prompts.add(tiny.visualTokens(clip), of: PathBytes("/clip\(clip)"))
        }
        return prompts
    }

    /// The logits of the query's last position.
    private func logits(_ read: ReadPrompt) throws -> [Float] {
        var sequence = read.seeing(model.media([tiny.visualTokens(7)]))
        let hidden = try model(read.query, sequence: &sequence)
        return model.language.logits(hidden[hidden.rows - 1..<hidden.rows]).values
    }

    @Test(
        "another question behind the same demonstrations is read as if it were the only one",
        arguments: [nil, "Say of <image>:{question} -{answer} ", "{question}{answer}"])
    func same(template: String?) throws {
        let prompts = shared(2)
        for question in ["Who?", "Where to?", "Who?"] {
            let prompt = prompt(question, answers: ["a dog", "red"], template: template)
            let clips = prompt.clips.isEmpty ? [] : [0, 1].map { tiny.visualTokens($0) }
            let alone = try PromptReader(model, tokenizer).read(prompt, clips: clips)
            let read = try prompts.read(prompt)
            #expect(read.earlier == alone.earlier && read.query == alone.query)
            #expect(try logits(read) == logits(alone))
        }
    }

    @Test(
        "other demonstrations, or the same in another order, are other prompts, however few are kept"
    )
    func others() throws {
        let prompts = shared(3)
        for answers in [["a", "b"], ["b", "a"], ["a", "b", "c"], ["a", "b"]] {
            let prompt = prompt("Who?", answers: answers)
            let clips = answers.indices.map { tiny.visualTokens($0) }
            let alone = try PromptReader(model, tokenizer).read(prompt, clips: clips)
            #expect(try logits(prompts.read(prompt)) == logits(alone))
        }
    }

    @Test("a clip that nobody encoded is named")
    func unknown() {
        #expect {
            try shared(1).read(prompt("Who?", answers: ["a", "b"]))
        } throws: { "\($0)".contains("/clip1: cannot use the demonstration") }
    }
}
