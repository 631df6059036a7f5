//! The printable character that stands for each byte in byte-level vocabularies (GPT-2's `bytes_to_unicode`).

/// GPT-2's alphabet: printable Latin-1 stands for itself, the other 68 bytes are U+0100 and up.
enum ByteAlphabet {
    /// The scalar value standing for each byte.
    static let scalars: [UInt32] = {
        var result: [UInt32] = []
        var spare: UInt32 = 0x100
        for byte in UInt32(0)...255 {
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
                result.append(byte)
            default:
                result.append(spare)
                spare += 1
            }
        }
        return result
    }()

    /// The byte that each scalar value up to U+0143 stands for, nil where none does.
    private static let bytes: [UInt8?] = {
        var result = [UInt8?](repeating: nil, count: 0x144)
        for (byte, scalar) in scalars.enumerated() {
            result[Int(scalar)] = UInt8(byte)
        }
        return result
    }()

    /// The bytes that `text` stands for; its own UTF-8 when any of its scalars is outside the alphabet.
    static func decode(_ text: TokenText) -> [UInt8] {
        var result: [UInt8] = []
        for scalar in text.string.unicodeScalars {
            let value = Int(scalar.value)
            guard value < bytes.count, let byte = bytes[value] else { return text.bytes }
            result.append(byte)
        }
        return result
    }
}
