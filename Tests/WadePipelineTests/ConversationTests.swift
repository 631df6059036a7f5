//! Facts about dialogues: what was said stays, and each turn reads its own words only.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeTokenizer
import WadeVideo

@testable import WadePipeline

@Suite("a dialogue")
struct ConversationTests {
    private let tiny: TinyBundle
    private let tokenizer: Tokenizer
    private let model: Flamingo

    init() throws {
        tiny = try TinyBundle()
        tokenizer = try tiny.bundle.tokenizer()
        model = try tiny.bundle.model(Arithmetic())
    }

    private func conversation(
        limit: Int = 2000, tokens: Int = 6, template: String? = nil,
        _ change: (inout Pipeline) -> Void = { _ in }
    ) throws -> Conversation {
        var pipeline = plainPipeline([
            AnnotationTask(
                id: "ask", type: .vqa, question: "?",
                template: template.flatMap { PromptTemplate($0) }, maxNewTokens: tokens)
        ])
        change(&pipeline)
        var conversation = try Conversation(
            tiny.bundle, ModelIdentity(name: "tiny", weightsSHA256: "00", numericsVersion: "1"),
            pipeline, limit: limit, cache: nil, decoders: DecoderPool(capacity: 1))
        conversation.add(clip(0))
        return conversation
    }

    private func clip(_ number: Int) -> ChatClip {
        ChatClip(
            path: PathBytes("clip\(number).mp4"), contentID: "sha256:\(number)", duration: 2,
            times: [0.5, 1.5], media: model.media([tiny.visualTokens(number)]))
    }

    @discardableResult
    private func ask(_ conversation: inout Conversation, _ question: String) throws -> ChatTurn {
        var pieces = ""
        let turn = try conversation.ask(question) { pieces += $0 }
        #expect(pieces == turn.answer, "the pieces, joined, are the answer")
        return turn
    }

    /// The answer of a model that reads `prompt` in one go.
    private func whole(_ prompt: String, clips: [Int], tokens: Int = 6) throws -> String {
        let start = [model.configuration.tokens.beginningOfText].compactMap { $0 }
        let sequence = model.sequence(media: model.media(clips.map { tiny.visualTokens($0) }))
        let special = model.configuration.tokens
        let generated = try Generator(model)(
            start + tokenizer.encode(prompt, applyingTemplate: false), behind: sequence,
            options: DecodingOptions(
                maximumTokens: tokens, endTokens: [special.endOfChunk, special.endOfText],
                forbidden: [special.image, special.padding].compactMap { $0.map { [$0] } }))
        let known = generated.ids.filter { tokenizer.token(of: $0) != nil }
        return Prompt.answer(
            in: try tokenizer.decode(known, skipSpecialTokens: true), task: .vqa)
    }

    @Test("the first answer is the one that the pipeline would give")
    func first() throws {
        let task = AnnotationTask(id: "ask", type: .vqa, question: "What moves?", maxNewTokens: 6)
        let answer = try tiny.answers(plainPipeline([task]), [0])[0]
        var conversation = try conversation()
        #expect(try ask(&conversation, "What moves?").answer == task.answer(in: answer.raw))
    }

    @Test("a later turn reads its own tokens only and answers as if everything were read in one go")
    func turns() throws {
        var conversation = try conversation()
        let first = try ask(&conversation, "What moves?")
        let second = try ask(&conversation, "Is it dark?")
        conversation.add(clip(1))
        let third = try ask(&conversation, "And here?")
        #expect(conversation.turns == [first, second, third])
        #expect([first, second, third].map(\.clip) == [0, 0, 1])
        func query(_ text: String) -> String { "<image>Question:\(text) Short answer:" }
        let end = "<|endofchunk|>\n"
        var text = query("What moves?") + first.answer + end + query("Is it dark?")
        let own = tokenizer.encode(end + query("Is it dark?"), applyingTemplate: false).count
        #expect(second.read <= own + first.tokens)
        // The tiny model's answers are noise that may have spaces around; then words in one go are other tokens.
        if first.answer == first.answer.trimmingCharacters(in: .whitespaces), isPlain(first) {
            #expect(try whole(text, clips: [0, 0]) == second.answer)
            text += second.answer + end + query("And here?")
            if isPlain(second) { #expect(try whole(text, clips: [0, 0, 1]) == third.answer) }
        }
    }

    /// Whether the answer, put into words and read again, has as many tokens as were generated.
    private func isPlain(_ turn: ChatTurn) -> Bool {
        let count = tokenizer.encode(turn.answer, applyingTemplate: false).count
        return count == turn.tokens - (turn.finish == .eos ? 1 : 0)
    }

    @Test(
        "the answer depends on the clip in use and on what was said; clearing brings the first answer back"
    )
    func context() throws {
        var one = try conversation(tokens: 12)
        let first = try ask(&one, "What moves?")
        one.add(clip(3))
        let other = try ask(&one, "What moves?")
        #expect(one.use(0) && !one.use(2) && !one.use(-1))
        let again = try ask(&one, "What moves?")
        #expect(again.clip == 0 && other.clip == 1)
        #expect(Set([first, other, again].map(\.meanLogProbability)).count == 3)
        one.clear()
        #expect(one.turns.isEmpty && one.clips.count == 2)
        let fresh = try ask(&one, "What moves?")
        #expect(fresh.answer == first.answer && fresh.read == first.read)
        #expect(abs(fresh.meanLogProbability - first.meanLogProbability) < 1e-6)
    }

    @Test("when the context is full the oldest turns go, it is said, and the rest is read anew")
    func forgetting() throws {
        var conversation = try conversation(limit: 120)
        var forgotten: [Conversation.Forgotten] = []
        for number in 0..<12 {
            _ = try conversation.ask(
                "What moves in part \(number)?", forgetting: { forgotten.append($0) },
                write: { _ in })
            #expect(conversation.contextLength <= 120)
        }
        #expect(!forgotten.isEmpty && forgotten.allSatisfy { $0.turns > 0 && $0.kept <= 90 })
        #expect(conversation.firstKept == forgotten.reduce(0) { $0 + $1.turns })
        #expect(conversation.turns.count == 12, "the transcript keeps everything")
        let before = conversation
        #expect(throws: PipelineError.self) {
            try conversation.ask(String(repeating: "word ", count: 200), write: { _ in })
        }
        #expect(
            conversation.turns == before.turns && conversation.contextLength == before.contextLength
        )
        #expect(throws: PipelineError.self) { try self.conversation(limit: 6) }
    }

    @Test(
        "an answer can be ended by the user; what was said by then counts, and the dialogue goes on"
    )
    func interruption() throws {
        var whole = try conversation(tokens: 12)
        let all = try ask(&whole, "What moves?")
        try #require(all.tokens > 3)
        var conversation = try conversation(tokens: 12)
        var asked = 0
        let turn = try conversation.ask(
            "What moves?",
            isInterrupted: {
                asked += 1
                return asked > 2
            }, write: { _ in })
        #expect(turn.finish == .interrupted && turn.tokens == 3)
        #expect(all.answer.hasPrefix(turn.answer))
        try ask(&conversation, "And now?")
        #expect(conversation.turns.count == 2)
    }

    @Test(
        "no clip, a token in the question, and a reader that goes away are errors that change nothing"
    )
    func faults() throws {
        var conversation = try conversation()
        let first = try ask(&conversation, "What moves?")
        #expect(throws: PipelineError.self) {
            try conversation.ask("<image>?", write: { _ in })
        }
        #expect(throws: PipelineError.readerGone) {
            try conversation.ask("What?", write: { _ in throw PipelineError.readerGone })
        }
        #expect(conversation.turns == [first])
        let (one, other) = (try ask(&conversation, "Is it dark?"), try twice())
        #expect(one.answer == other.answer)
        #expect(throws: ClipFailure.self) { try conversation.add(PathBytes("/nowhere.mp4")) }
        #expect(conversation.clips.count == 1 && conversation.current == 0)
    }

    /// The second answer of an undisturbed dialogue.
    private func twice() throws -> ChatTurn {
        var conversation = try conversation()
        try ask(&conversation, "What moves?")
        return try ask(&conversation, "Is it dark?")
    }

    @Test("demonstrations stand before the dialogue and are never forgotten")
    func demonstrations() throws {
        let example = Demonstration(id: "d1", clip: nil, answers: ["ask": "a dog"])
        var conversation = try conversation { $0.demonstrations = [example] }
        var plain = try self.conversation()
        let length = conversation.contextLength - plain.contextLength
        #expect(length > 5)
        let shown = try ask(&conversation, "What moves?")
        let unshown = try ask(&plain, "What moves?")
        #expect(shown.meanLogProbability != unshown.meanLogProbability)
        #expect(shown.read <= unshown.read + 1, "the demonstration was read before")
        conversation.clear()
        #expect(conversation.contextLength - length <= 1)
    }

    @Test("a saved dialogue is one object a turn, or text under the clip's name")
    func transcript() throws {
        var conversation = try conversation()
        let first = try ask(&conversation, "What moves?")
        conversation.add(clip(1))
        try ask(&conversation, "And \"here\"?")
        let lines = try ChatTranscript.jsonLines(conversation).split(separator: 0x0A)
            .map { try JSONReader.read(Array($0)) }
        #expect(lines.count == 2)
        #expect(
            lines[0]["question"]?.text == "What moves?" && lines[0]["answer"]?.text == first.answer)
        #expect(lines[1]["video"]?["path"]?.text == "clip1.mp4")
        #expect(lines[1]["turn"] == .integer(2) && lines[1]["schema"]?.text == "wade.chat/1")
        let text = ChatTranscript.text(conversation)
        #expect(text.hasPrefix("# clip0.mp4\n\n> What moves?\n\(first.answer)\n"))
        #expect(text.contains("\n# clip1.mp4\n\n> And \"here\"?\n"))
    }
}

@Suite("an answer that is being written")
struct AnswerStreamTests {
    private let stream = AnswerStream(marks: AnswerExtraction.marks + ["stop"])

    @Test(
        "what is shown while it is written is always the beginning of what is shown in the end",
        arguments: [
            " left", "a dog, running", "Shore birds", "the Question: x", "  two  words ", "Sho",
            "no, it is", "1,000 birds", "", "Answer", "a st op stop b", "x,", "Shor Short y",
        ])
    func prefixes(text: String) {
        var shown = ""
        for count in 0...text.unicodeScalars.count {
            let part = String(String.UnicodeScalarView(text.unicodeScalars.prefix(count)))
            let settled = stream.settled(part)
            #expect(settled.hasPrefix(shown), "\(settled) after \(shown)")
            shown = settled
        }
        let answer = stream.answer(in: text)
        #expect(answer.hasPrefix(shown))
        #expect(
            AnswerStream(marks: AnswerExtraction.marks).answer(in: text)
                == Prompt.answer(in: text, task: .vqa))
    }

    @Test("the end of an answer is seen as soon as it is there")
    func ends() {
        #expect(!stream.isEnded("left,") && stream.isEnded("left, r"))
        #expect(stream.settled("left,") == "left" && stream.settled("left,x") == "left,x")
        #expect(stream.settled("go Quest") == "go" && stream.settled("go Questx") == "go Questx")
        let formed = AnswerStream(
            AnnotationTask(
                id: "a", type: .vqa, question: "?", format: .yesNo), stops: ["x"])
        #expect(formed.answer(in: "Short, x") == "Short, x")
    }
}

@Suite("lines of a dialogue")
struct ChatLineTests {
    private func line(_ text: String) -> ChatLine { ChatLine(Array(text.utf8), home: "/home/u") }

    @Test("lines are questions unless they begin with one slash")
    func questions() {
        #expect(line("  What moves? ") == .question("What moves?"))
        #expect(line("//add?") == .question("/add?") && line(" \t") == .empty)
    }

    @Test("commands with their files, as a shell would read them")
    func commands() {
        #expect(line("/add  my clip.mp4 ") == .add(PathBytes("my clip.mp4")))
        #expect(line("/add '~/a b'") == .add(PathBytes("/home/u/a b")))
        #expect(line("/save ~/x.jsonl") == .save(PathBytes("/home/u/x.jsonl")))
        #expect(
            line("/frames") == .frames(nil) && line("/frames f.png") == .frames(PathBytes("f.png")))
        #expect(line("/use 2") == .use(2) && line("/clips") == .clips && line("/exit") == .quit)
        #expect(
            ChatLine([0x2F, 0x61, 0x64, 0x64, 0x20, 0xFF], home: nil)
                == .add(PathBytes(bytes: [0xFF])))
    }

    @Test("what is wrong with a command is said")
    func faults() {
        #expect(line("/add") == .fault("/add: expected a file"))
        #expect(line("/nope x") == .fault("/nope: no such command; /help lists them"))
        #expect(line("/use b") == .fault("/use: expected the number of a clip; /clips lists them"))
        #expect(line("/clear it") == .fault("/clear: found it, expected nothing behind it"))
    }
}
