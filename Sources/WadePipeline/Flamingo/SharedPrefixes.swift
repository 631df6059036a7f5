//! Prompts that begin with the same demonstrations share what the language model has read of them.
import Synchronization
import WadeFlamingo
import WadeTensor
import WadeTokenizer

/// Reads prompts demonstration by demonstration and keeps the states behind the latest ones.
///
/// Note [Kept states change nothing]: a state is always made by reading one demonstration behind the state of those before it, whether
/// that one was kept or has just been made, so the same prompt gives the same bits whatever came before.
final class SharedPrefixes: Sendable {
    /// What a state holds: the ids up to the end of the last demonstration, and the clips that were seen.
    private struct Key: Hashable, Sendable {
        let ids: [Int]
        let clips: [PathBytes]
    }

    private struct Kept: Sendable {
        let sequence: TextSequence
        let bytes: Int
        var lastUse: Int
    }

    private struct State: Sendable {
        var kept: [Key: Kept] = [:]
        var bytes = 0
        var uses = 0
        var readings = 0
    }

    private let model: Flamingo
    private let spelling: PromptSpelling
    private let mostBytes: Int
    private let state = Mutex(State())

    /// No states of `model` yet. `mostBytes` is what keys and values that are kept may take; the latest state is kept whatever it takes.
    init(_ model: Flamingo, _ tokenizer: Tokenizer, mostBytes: Int = 64 << 20) {
        self.model = model
        spelling = PromptSpelling(model.configuration, tokenizer)
        self.mostBytes = mostBytes
    }

    /// Demonstrations that were read so far, and not found among the kept ones.
    var readings: Int { state.withLock { $0.readings } }

    /// Bytes of the kept states.
    var bytes: Int { state.withLock { $0.bytes } }

    /// Reads the demonstrations of `prompt`, each of which has a clip; their visual tokens (R, D) are given in its order.
    func read(_ prompt: Prompt, clips: [Tensor]) throws -> ReadPrompt {
        precondition(
            prompt.parts.count == clips.count && prompt.clips.count == clips.count,
            "one clip for each demonstration")
        let rows = clips.map(\.rows)
        func ids(_ text: String) -> [Int] { spelling.ids(text, rows: rows) }
        let whole = ids(prompt.prefix + prompt.query)
        // As in `PromptReader`: what follows may melt into a demonstration's last token.
        var ends: [Int] = []
        var text = ""
        for part in prompt.parts {
            text += part
            let count = zip(ids(text), whole).prefix { $0 == $1 }.count
            ends.append(max(ends.last ?? 0, min(count, whole.count - 1)))
        }
        func key(_ count: Int) -> Key {
            Key(ids: Array(whole[..<ends[count - 1]]), clips: Array(prompt.clips[..<count]))
        }
        var count = clips.count
        var found: TextSequence?
        while count > 0 {
            found = use(key(count))
            if found != nil { break }
            count -= 1
        }
        var sequence = found ?? model.sequence(media: .none)
        for place in count..<clips.count {
            sequence.append(model.media([clips[place]]))
            let piece = Array(whole[(place == 0 ? 0 : ends[place - 1])..<ends[place]])
            if !piece.isEmpty { _ = try model(piece, sequence: &sequence) }
            keep(sequence, under: key(place + 1))
        }
        let end = ends.last ?? 0
        return ReadPrompt(
            sequence: sequence, earlier: Array(whole[..<end]), query: Array(whole[end...]),
            words: (prompt.prefix, prompt.query, rows), pictures: spelling.pictures)
    }

    private func use(_ key: Key) -> TextSequence? {
        state.withLock { state in
            guard let kept = state.kept[key] else { return nil }
            state.uses += 1
            state.kept[key]?.lastUse = state.uses
            return kept.sequence
        }
    }

    /// Keeps `sequence`, and lets go of those that were not used for longest where there are too many.
    private func keep(_ sequence: TextSequence, under key: Key) {
        let bytes = model.bytes(of: sequence)
        state.withLock { state in
            state.readings += 1
            state.uses += 1
            if let old = state.kept.removeValue(forKey: key) { state.bytes -= old.bytes }
            while state.bytes + bytes > mostBytes,
                let oldest = state.kept.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.bytes -= oldest.value.bytes
                state.kept[oldest.key] = nil
            }
            state.kept[key] = Kept(sequence: sequence, bytes: bytes, lastUse: state.uses)
            state.bytes += bytes
        }
    }
}
