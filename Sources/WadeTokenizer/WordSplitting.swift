//! GPT-2's regular expression for words, by hand over Unicode scalars.

/// What the expression distinguishes.
private enum ScalarKind {
    case letter, number, space, other
}

/// The lengths of the words of `scalars`, in order, covering all of them. The expression is
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
func wordLengths(of scalars: [UInt32]) -> [Int] {
    let kinds = scalars.map(kind(of:))
    var lengths: [Int] = []
    var start = 0
    while start < scalars.count {
        let end =
            contractionEnd(scalars, at: start) ?? runEnd(scalars, kinds, at: start)
            ?? spaceEnd(kinds, at: start)
        lengths.append(end - start)
        start = end
    }
    return lengths
}

/// The end of an English contraction such as `'s` or `'ll` that starts at `start`.
private func contractionEnd(_ scalars: [UInt32], at start: Int) -> Int? {
    guard scalars[start] == 0x27, start + 1 < scalars.count else { return nil }
    switch Unicode.Scalar(scalars[start + 1]) {
    case "s", "t", "m", "d":
        return start + 2
    case "r", "v":
        return start + 2 < scalars.count && scalars[start + 2] == 0x65 ? start + 3 : nil
    case "l":
        return start + 2 < scalars.count && scalars[start + 2] == 0x6C ? start + 3 : nil
    default:
        return nil
    }
}

/// The end of a run of one kind that is not space, with at most one U+0020 before it.
private func runEnd(_ scalars: [UInt32], _ kinds: [ScalarKind], at start: Int) -> Int? {
    let first = scalars[start] == 0x20 ? start + 1 : start
    guard first < kinds.count, kinds[first] != .space else { return nil }
    var end = first + 1
    while end < kinds.count, kinds[end] == kinds[first] { end += 1 }
    return end
}

/// The end of a run of space, which leaves its last scalar to a word that follows.
private func spaceEnd(_ kinds: [ScalarKind], at start: Int) -> Int {
    var end = start + 1
    while end < kinds.count, kinds[end] == .space { end += 1 }
    return end < kinds.count && end - start > 1 ? end - 1 : end
}

/// The kind of a scalar by Unicode 16.0, as in the expression engine of `tokenizers` 0.23; later scalars are "other".
private func kind(of value: UInt32) -> ScalarKind {
    switch value {
    case 0x61...0x7A, 0x41...0x5A: return .letter
    case 0x30...0x39: return .number
    case 0x20, 0x09...0x0D: return .space
    case 0...0x7F: return .other
    default: break
    }
    guard let properties = Unicode.Scalar(value)?.properties, let age = properties.age,
        age.major <= 16
    else { return .other }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        return .letter
    case .decimalNumber, .letterNumber, .otherNumber:
        return .number
    default:
        return properties.isWhitespace ? .space : .other
    }
}
