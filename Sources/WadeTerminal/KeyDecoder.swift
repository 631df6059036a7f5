//! From the bytes that a terminal sends to keys.

/// Decodes bytes one by one: UTF-8, control characters, and the escape sequences of xterm and its kin.
package struct KeyDecoder: Sendable {
    private var pending: [UInt8] = []

    /// A decoder that has seen nothing.
    package init() {}

    /// Takes the next byte; the key that it completes, if any. What means nothing here is swallowed.
    package mutating func take(_ byte: UInt8) -> Key? {
        pending.append(byte)
        if pending[0] == 0x1B { return escape() }
        if let key = control(pending[0]) {
            pending = []
            return key
        }
        guard pending[0] >= 0x20 else {
            pending = []
            return nil
        }
        let length = Self.length(ofCharacterBeginning: pending[0])
        let isBroken = pending.dropFirst().contains { $0 & 0xC0 != 0x80 }
        guard pending.count >= length || isBroken else { return nil }
        let text = String(validating: pending, as: UTF8.self)
        pending = []
        return text?.first.map { .character($0) }
    }

    private func control(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x0D, 0x0A: .enter
        case 0x01: .home
        case 0x02: .left
        case 0x03: .cancel
        case 0x04: .endOfInput
        case 0x05: .end
        case 0x06: .right
        case 0x08, 0x7F: .backspace
        case 0x09: .character(" ")
        case 0x0B: .cutEnd
        case 0x0C: .redraw
        case 0x0E: .down
        case 0x10: .up
        case 0x15: .cutBeginning
        case 0x17: .cutWord
        default: nil
        }
    }

    private static func length(ofCharacterBeginning byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }

    /// ESC [ parameters letter, ESC O letter, or ESC and a character (Alt).
    private mutating func escape() -> Key? {
        guard pending.count >= 2 else { return nil }
        switch pending[1] {
        case UInt8(ascii: "["), UInt8(ascii: "O"):
            guard pending.count >= 3, let last = pending.last else { return nil }
            // Parameters are digits and semicolons; a letter or ~ ends the sequence, and so does too long a one.
            guard (0x40...0x7E).contains(last) || pending.count > 12 else { return nil }
            let parameters = String(decoding: pending[2..<pending.count - 1], as: UTF8.self)
            pending = []
            return Self.key(last, parameters)
        case UInt8(ascii: "b"): return finish(.wordLeft)
        case UInt8(ascii: "f"): return finish(.wordRight)
        case 0x7F, 0x08: return finish(.cutWord)
        default: return finish(nil)
        }
    }

    private mutating func finish(_ key: Key?) -> Key? {
        pending = []
        return key
    }

    private static func key(_ last: UInt8, _ parameters: String) -> Key? {
        // 1;5 is Ctrl, 1;3 is Alt.
        let isByWord = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
        switch last {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return isByWord ? .wordRight : .right
        case UInt8(ascii: "D"): return isByWord ? .wordLeft : .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "~"):
            switch parameters {
            case "1", "7": return .home
            case "4", "8": return .end
            case "3": return .delete
            default: return nil
            }
        default: return nil
        }
    }
}
