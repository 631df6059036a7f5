//! A decoder's steps as one machine that is fed tokens and gives text as soon as it is decided.

/// The state of decoding one sequence of tokens.
struct TextDecoding: Sendable {
    /// Bytes that a step hands to the next: a token, or a part of a joined one.
    private struct Fragment {
        var bytes: [UInt8]
        var opensToken: Bool
    }

    /// What a step remembers between tokens.
    private struct StepState: Sendable {
        /// Bytes held back until more come.
        var pending: [UInt8] = []
        /// Whether the step has passed anything on.
        var hasOpened = false
        /// Scalars that may still be stripped from the current token.
        var remaining = 0
    }

    private let steps: [DecodingStep]
    private var states: [StepState]
    private let joinsWithSpaces: Bool
    private var isFirst = true

    /// A decoding by `steps`; without a decoder (nil) tokens are joined by spaces, as the library does.
    init(steps: [DecodingStep]?) {
        self.steps = steps ?? []
        states = [StepState](repeating: StepState(), count: self.steps.count)
        joinsWithSpaces = steps == nil
    }

    /// Takes a token's text and gives the UTF-8 that is now decided; whole scalars only.
    mutating func append(_ token: [UInt8]) -> [UInt8] {
        let bytes = joinsWithSpaces && !isFirst ? [0x20] + token : token
        isFirst = false
        return pass([Fragment(bytes: bytes, opensToken: true)], from: 0)
    }

    /// Gives what was held back; bytes that no longer can become a character are U+FFFD.
    mutating func finish() -> [UInt8] {
        var result: [UInt8] = []
        for index in steps.indices {
            let pending = states[index].pending
            guard !pending.isEmpty else { continue }
            states[index].pending = []
            let fragments: [Fragment]
            if case .byteFallback = steps[index] {
                fragments = Self.tokens(ofByteRun: pending)
            } else {
                let opens = !states[index].hasOpened
                fragments = [Fragment(bytes: Self.repaired(pending[...]), opensToken: opens)]
            }
            result += pass(fragments, from: index + 1)
        }
        return result
    }

    private mutating func pass(_ fragments: [Fragment], from first: Int) -> [UInt8] {
        var fragments = fragments
        for index in first..<steps.count {
            var next: [Fragment] = []
            for fragment in fragments {
                next += apply(steps[index], to: fragment, state: &states[index])
            }
            fragments = next
        }
        return fragments.flatMap(\.bytes)
    }

    private func apply(
        _ step: DecodingStep, to fragment: Fragment, state: inout StepState
    ) -> [Fragment] {
        var result = fragment
        switch step {
        case .replace(let pattern, let content):
            result.bytes = replacing(pattern, with: content, in: fragment.bytes)
        case .byteFallback:
            if let byte = Self.byte(ofToken: fragment.bytes) {
                state.pending.append(byte)
                return []
            }
            defer { state.pending = [] }
            return Self.tokens(ofByteRun: state.pending) + [fragment]
        case .fuse:
            result.opensToken = !state.hasOpened
            state.hasOpened = true
        case .strip(let content, let count):
            if fragment.opensToken { state.remaining = count }
            result.bytes = Self.stripping(content, from: fragment.bytes, &state.remaining)
        case .byteLevel:
            state.pending += ByteAlphabet.decode(TokenText(bytes: fragment.bytes))
            let kept = incompleteTailCount(state.pending)
            result.bytes = Self.repaired(state.pending.dropLast(kept))
            result.opensToken = !state.hasOpened
            state.pending = state.pending.suffix(kept)
            state.hasOpened = true
        case .metaspace(let replacement, let dropsInFirst):
            let content: [UInt8] = dropsInFirst && !state.hasOpened ? [] : [0x20]
            result.bytes = replacing(replacement, with: content, in: fragment.bytes)
            state.hasOpened = true
        }
        return [result]
    }

    /// The byte that a token such as `<0x0A>` stands for.
    static func byte(ofToken token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">")
        else { return nil }
        return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
    }

    /// A run of bytes is text when all of it is UTF-8, and one U+FFFD for each byte otherwise.
    private static func tokens(ofByteRun run: [UInt8]) -> [Fragment] {
        if run.isEmpty { return [] }
        if String(validating: run, as: UTF8.self) != nil {
            return [Fragment(bytes: run, opensToken: true)]
        }
        let replacement = Fragment(bytes: Array("\u{FFFD}".utf8), opensToken: true)
        return [Fragment](repeating: replacement, count: run.count)
    }

    /// `bytes` without up to `remaining` scalars `content` at its start; `remaining` is what may still be stripped.
    static func stripping(
        _ content: UInt32, from bytes: [UInt8], _ remaining: inout Int
    ) -> [UInt8] {
        guard remaining > 0, let scalar = Unicode.Scalar(content) else { return bytes }
        let pattern = Array(String(scalar).utf8)
        var rest = bytes[...]
        while remaining > 0, rest.starts(with: pattern) {
            rest = rest.dropFirst(pattern.count)
            remaining -= 1
        }
        if !rest.isEmpty { remaining = 0 }
        return Array(rest)
    }

    /// `bytes` with every maximal part that is not UTF-8 replaced by U+FFFD.
    private static func repaired(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(String(decoding: bytes, as: UTF8.self).utf8)
    }
}

/// The number of bytes at the end of `bytes` that begin a character of UTF-8 without completing it (0 to 3).
func incompleteTailCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
        let tail = bytes.suffix(count)
        guard let lead = tail.first, lead & 0xC0 != 0x80 else { continue }
        let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
        guard lead <= 0xF4, count < needed else { return 0 }
        // The second byte's bounds exclude overlong forms, surrogates and values above U+10FFFF.
        guard let second = tail.dropFirst().first else { return count }
        let lowest: UInt8 = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80
        let highest: UInt8 = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF
        return (lowest...highest).contains(second) ? count : 0
    }
    return 0
}
