//! Prompts that are read when they are first needed and kept for the questions that share them.
import Synchronization
import WadeFlamingo
import WadeTensor
import WadeTokenizer

/// The demonstrations' clips of a loaded model, and the last few prompts that it has read.
final class SharedPrompts: Sendable {
    /// A prompt up to the query: everything that decides the state after it.
    private struct Prefix: Sendable, Equatable {
        let text: String
        let clips: [PathBytes]
    }

    private struct State {
        var clips: [PathBytes: Tensor] = [:]
        /// The one used last is the last one.
        var prompts: [(prefix: Prefix, read: ReadPrompt)] = []
    }

    private let reader: PromptReader
    private let spelling: PromptSpelling
    private let limit: Int
    private let state = Mutex(State())

    /// Keeps the states of at most `limit` prompts.
    init(_ model: Flamingo, _ tokenizer: Tokenizer, limit: Int) {
        reader = PromptReader(model, tokenizer)
        spelling = PromptSpelling(model.configuration, tokenizer)
        self.limit = limit
    }

    /// Makes the visual tokens of a demonstration's clip known.
    func add(_ tokens: Tensor, of clip: PathBytes) {
        state.withLock { $0.clips[clip] = tokens }
    }

    /// Whether the clip's visual tokens are known.
    func knows(_ clip: PathBytes) -> Bool { state.withLock { $0.clips[clip] != nil } }

    /// `prompt` up to its query, read now or before; throws `file` for a clip that is not known.
    func read(_ prompt: Prompt) throws -> ReadPrompt {
        let prefix = Prefix(text: prompt.prefix, clips: prompt.clips)
        if let known = take(prefix), let same = continued(known, to: prompt) { return same }
        let clips = try state.withLock { state in
            try prompt.clips.map { clip in
                guard let tokens = state.clips[clip] else {
                    throw PipelineError.file(
                        path: clip.shown, action: "use the demonstration",
                        reason: "its clip was not encoded")
                }
                return tokens
            }
        }
        let read = try reader.read(prompt, clips: clips)
        state.withLock { state in
            state.prompts.removeAll { $0.prefix == prefix }
            state.prompts.append((prefix, read))
            if state.prompts.count > limit { state.prompts.removeFirst() }
        }
        return read
    }

    private func take(_ prefix: Prefix) -> ReadPrompt? {
        state.withLock { state in
            guard let place = state.prompts.firstIndex(where: { $0.prefix == prefix }) else {
                return nil
            }
            let found = state.prompts.remove(at: place)
            state.prompts.append(found)
            return found.read
        }
    }

    /// The same state for another query; nil where the query's first token melts into the prefix and another one would not.
    private func continued(_ known: ReadPrompt, to prompt: Prompt) -> ReadPrompt? {
        let clips = state.withLock { $0.clips }
        let rows = prompt.clips.map { clips[$0]?.rows ?? 0 }
        let start = spelling.ids(prompt.prefix, rows: rows)
        let whole = spelling.ids(prompt.prefix + prompt.query, rows: rows)
        let count = min(zip(start, whole).prefix { $0 == $1 }.count, max(whole.count - 1, 0))
        guard Array(whole[..<count]) == known.earlier else { return nil }
        return ReadPrompt(
            sequence: known.sequence, earlier: known.earlier, query: Array(whole[count...]),
            words: (prompt.prefix, prompt.query, rows), pictures: known.pictures)
    }
}
