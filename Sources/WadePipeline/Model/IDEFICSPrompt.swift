//! The text that IDEFICS is asked with, put together as its processor does it (transformers 4.46).

/// Texts and pictures in the order in which the model reads them.
package struct IDEFICSPrompt: Sendable, Equatable {
    /// The processor's tokens.
    static let beginningOfText = "<s>"
    static let fakeToken = "<fake_token_around_image>"
    static let image = "<image>"
    static let endOfUtterance = "<end_of_utterance>"

    /// What a prompt is made of.
    package enum Item: Sendable, Equatable {
        case text(String)
        /// One picture, or one frame of a clip.
        case image
    }

    /// Who speaks in a dialogue.
    package enum Speaker: String, Sendable {
        case user = "User"
        case assistant = "Assistant"
    }

    /// One turn of a dialogue: pictures first, then what is said about them.
    package struct Turn: Sendable, Equatable {
        package let speaker: Speaker
        /// The pictures, or the frames of a clip.
        package let images: Int
        package let text: String

        package init(_ speaker: Speaker, images: Int = 0, _ text: String) {
            self.speaker = speaker
            self.images = images
            self.text = text
        }
    }

    package let items: [Item]

    package init(_ items: [Item]) {
        self.items = items
    }

    /// The base models' form: each example's pictures and the text about them, the question last.
    package static func fewShot(_ examples: [(images: Int, text: String)]) -> IDEFICSPrompt {
        IDEFICSPrompt(
            examples.flatMap { example in
                Array(repeating: .image, count: max(example.images, 0)) + [.text(example.text)]
            })
    }

    /// The instruct models' form: every turn ends with `<end_of_utterance>`, and the assistant is to speak next.
    package static func dialogue(_ turns: [Turn]) -> IDEFICSPrompt {
        var items: [Item] = []
        for (place, turn) in turns.enumerated() {
            let name = (place == 0 ? "" : "\n") + turn.speaker.rawValue + ":"
            let said = turn.text + endOfUtterance
            if turn.images > 0 {
                items.append(.text(name))
                items += Array(repeating: .image, count: turn.images)
                items.append(.text(said))
            } else {
                items.append(.text(name + " " + said))
            }
        }
        return IDEFICSPrompt(items + [.text("\n\(Speaker.assistant.rawValue):")])
    }

    /// The tokenizer's input, special tokens written out.
    ///
    /// Texts lose the spaces at their ends. A picture stands between two fake tokens and shares one with the picture before
    /// it. With `endsUtterances` two texts in a row are parted by `<end_of_utterance>`: the processor's default where the
    /// tokenizer has that token, for texts that do not carry it themselves.
    package func text(endsUtterances: Bool) -> String {
        Self.beginningOfText + spelled(endsUtterances: endsUtterances)
    }

    /// The same without the token that begins every text.
    func spelled(endsUtterances: Bool) -> String {
        var text = ""
        var last: Item?
        for item in items {
            switch item {
            case .image:
                text += last == .image ? "" : Self.fakeToken
                text += Self.image + Self.fakeToken
            case .text(let words):
                if endsUtterances, case .text? = last { text += Self.endOfUtterance }
                text += Self.withoutSpacesAround(words)
            }
            last = item
        }
        return text
    }

    /// The ids that the model never may write: its processor's own tokens for pictures.
    package static func forbidden(id: (String) -> Int?) -> [[Int]] {
        [fakeToken, image].compactMap { id($0).map { [$0] } }
    }

    /// Only U+0020 counts: newlines stay.
    private static func withoutSpacesAround(_ words: String) -> String {
        let scalars = words.unicodeScalars.drop { $0 == " " }
        return String(String.UnicodeScalarView(scalars.reversed().drop { $0 == " " }.reversed()))
    }
}
