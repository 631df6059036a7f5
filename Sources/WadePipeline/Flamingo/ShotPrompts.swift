//! Prompts that hold the shots of the video that is asked about, behind the demonstrations.
import WadeFlamingo
import WadeTensor
import WadeTokenizer

/// Lets the language model read a video's shots and what was said about them.
///
/// In Flamingo a text position sees only the last media before it, so the question sees the whole video, and each shot's answer its own
/// shot; what the answers say reaches the question through the language model's self-attention.
struct ShotPrompts: Sendable {
    private let model: Flamingo
    private let spelling: PromptSpelling

    /// Prompts of `model`.
    init(_ model: Flamingo, _ tokenizer: Tokenizer) {
        self.model = model
        spelling = PromptSpelling(model.configuration, tokenizer)
    }

    /// `prompts` with `shots` between the demonstrations and the query.
    func prompts(_ prompts: TaskPrompts, with shots: [SeenShot<Tensor>]) throws -> TaskPrompts {
        guard !shots.isEmpty else { return prompts }
        return TaskPrompts(
            prompt: try read(prompts.prompt, with: shots),
            reordered: try prompts.reordered.map { try read($0, with: shots) },
            calibration: prompts.calibration)
    }

    /// `prompt` with `shots` behind its demonstrations; those are not read again.
    private func read(_ prompt: ReadPrompt, with shots: [SeenShot<Tensor>]) throws -> ReadPrompt {
        let rows = prompt.words.rows + shots.map(\.tokens.rows)
        func ids(_ text: String) -> [Int] { spelling.ids(text, rows: rows) }
        let prefix = prompt.words.prefix + shots.map(\.shot.words).joined()
        let whole = ids(prefix + prompt.words.query)
        var end = prompt.earlier.count
        guard whole.starts(with: prompt.earlier) else {
            throw ClipFailure(
                code: .generationFailed, stage: .generate,
                message:
                    "the first shot's words melt into the demonstrations' last token, expected a template that begins with <image>"
            )
        }
        var text = prompt.words.prefix
        var sequence = prompt.sequence
        for shot in shots {
            text += shot.shot.words
            // As in `PromptReader`: what follows may melt into a shot's last token.
            let common = zip(ids(text), whole).prefix { $0 == $1 }.count
            let next = max(end, min(common, whole.count - 1))
            sequence.append(model.media([shot.tokens]))
            if next > end { _ = try model(Array(whole[end..<next]), sequence: &sequence) }
            end = next
        }
        return ReadPrompt(
            sequence: sequence, earlier: Array(whole[..<end]), query: Array(whole[end...]),
            words: (prefix, prompt.words.query, rows), pictures: prompt.pictures)
    }
}
