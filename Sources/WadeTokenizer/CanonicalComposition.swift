//! Unicode's normalisation form C, with the tables that the `tokenizers` library has.
internal import Foundation

/// `bytes` (UTF-8) in form C by the tables of Unicode 9.0, which are the library's: scalars that came later stay as
/// they are and stop composition, as any unassigned scalar does. (Normalisation of assigned scalars never
/// changes, so Foundation's later tables give the same for the rest.)
func canonicallyComposed(_ bytes: [UInt8]) -> [UInt8] {
    // U+0300 is the first scalar that composition can change; its UTF-8 starts with 0xCC.
    guard bytes.contains(where: { $0 >= 0xCC }) else { return bytes }
    var composition = CanonicalComposition()
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        composition.append(scalar)
    }
    return composition.finish()
}

/// Composes scalars in order. Hangul is composed here by the standard's arithmetic (§3.12), because Foundation's
/// ranges for it are off by one (Swift 6.3 composes U+1113 and U+1176 and leaves U+D788 apart). The three Tibetan
/// vowels that are not marks but decompose into marks are decomposed here, because Foundation then forgets to sort them.
private struct CanonicalComposition {
    private var result: [UInt8] = []
    /// Scalars for Foundation; none of them is Hangul or later than Unicode 9.0.
    private var run = String.UnicodeScalarView()
    /// The last scalar when it is Hangul.
    private var hangul: UInt32?

    private static let leadingConsonants: ClosedRange<UInt32> = 0x1100...0x1112
    private static let vowels: ClosedRange<UInt32> = 0x1161...0x1175
    private static let trailingConsonants: ClosedRange<UInt32> = 0x11A8...0x11C2
    private static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3

    mutating func append(_ scalar: Unicode.Scalar) {
        if let last = hangul, let syllable = Self.composed(last, scalar.value) {
            hangul = syllable
            return
        }
        flushHangul()
        switch scalar.value {
        case 0x1100...0x11FF, Self.syllables:
            flushRun()
            hangul = scalar.value
        case 0x0F73, 0x0F75, 0x0F81:
            run.append("\u{0F71}")
            run.append(
                scalar == "\u{0F73}" ? "\u{0F72}" : scalar == "\u{0F75}" ? "\u{0F74}" : "\u{0F80}")
        case let value where value < 0x300 || Self.isInUnicode9(scalar):
            run.append(scalar)
        default:
            flushRun()
            result.append(contentsOf: String(scalar).utf8)
        }
    }

    mutating func finish() -> [UInt8] {
        flushHangul()
        flushRun()
        return result
    }

    private mutating func flushHangul() {
        guard let scalar = hangul.flatMap(Unicode.Scalar.init) else { return }
        result.append(contentsOf: String(scalar).utf8)
        hangul = nil
    }

    private mutating func flushRun() {
        guard !run.isEmpty else { return }
        result.append(contentsOf: String(run).precomposedStringWithCanonicalMapping.utf8)
        run = String.UnicodeScalarView()
    }

    /// The syllable of two neighbours; nil when they make none.
    private static func composed(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if leadingConsonants.contains(first), vowels.contains(second) {
            return 0xAC00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28
        }
        if syllables.contains(first), (first - 0xAC00) % 28 == 0,
            trailingConsonants.contains(second)
        {
            return first + (second - 0x11A7)
        }
        return nil
    }

    /// Whether `scalar` was assigned in Unicode 9.0; unassigned scalars are left alone anyway.
    private static func isInUnicode9(_ scalar: Unicode.Scalar) -> Bool {
        (scalar.properties.age ?? (0, 0)).major <= 9
    }
}
