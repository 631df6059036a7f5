//! IDEFICS' two forms of prompt, and the processor's rules for putting them together.
import Testing
import WadePipeline

@Suite("IDEFICS prompts")
struct IDEFICSPromptTests {
    private let fake = "<fake_token_around_image>"

    @Test("few-shot examples are pictures and text in turns")
    func fewShot() {
        let prompt = IDEFICSPrompt.fewShot([(1, "A cat.\n"), (1, "This is")])
        let text = prompt.text(endsUtterances: false)
        #expect(
            text == "<s>\(fake)<image>\(fake)A cat.\n\(fake)<image>\(fake)This is")
    }

    @Test("consecutive pictures, such as a clip's frames, share the fake tokens between them")
    func frames() {
        let prompt = IDEFICSPrompt.fewShot([(3, "x")])
        #expect(
            prompt.text(endsUtterances: false)
                == "<s>\(fake)<image>\(fake)<image>\(fake)<image>\(fake)x")
    }

    @Test("a dialogue has the model card's form and leaves the word to the assistant")
    func dialogue() {
        let prompt = IDEFICSPrompt.dialogue([
            .init(.user, images: 2, "What is the clip about?"),
            .init(.assistant, "A dog."), .init(.user, "Its colour?"),
        ])
        #expect(
            prompt.text(endsUtterances: false)
                == "<s>User:\(fake)<image>\(fake)<image>\(fake)What is the clip about?"
                + "<end_of_utterance>\nAssistant: A dog.<end_of_utterance>"
                + "\nUser: Its colour?<end_of_utterance>\nAssistant:")
    }

    @Test("texts lose the spaces at their ends, and only those")
    func spaces() {
        let prompt = IDEFICSPrompt([.text("  \n a \t "), .image, .text("   ")])
        #expect(prompt.text(endsUtterances: false) == "<s>\n a \t\(fake)<image>\(fake)")
    }

    @Test("only two texts in a row are parted by an end of utterance")
    func utterances() {
        let prompt = IDEFICSPrompt([.text("a"), .image, .text("b"), .text("c"), .text("d")])
        #expect(
            prompt.text(endsUtterances: true)
                == "<s>a\(fake)<image>\(fake)b<end_of_utterance>c<end_of_utterance>d")
    }

    @Test("the processor's picture tokens may never be generated, where the tokenizer has them")
    func forbidden() {
        let ids = [fake: 7, "<image>": 8]
        #expect(IDEFICSPrompt.forbidden { ids[$0] } == [[7], [8]])
        #expect(IDEFICSPrompt.forbidden { _ in nil } == [])
    }
}
