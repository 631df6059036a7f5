//! Unicode's normalisation form C, with the tables that the `tokenizers` library has.
internal import Foundation

/// `bytes` (UTF-8) in form C (Unicode Standard §3.11) by the data of Unicode 9.0, which is the library's: scalars that
/// came later stay as they are and stop composition, as any unassigned scalar does.
///
/// Foundation is asked about single scalars and pairs only. Over whole texts its form C is wrong in Swift 6.3: it takes
/// supplementary scalars for those of their low 16 bits (U+10041 U+0300 becomes À), its Hangul ranges are off by one,
/// and it does not sort the marks that U+0F73, U+0F75 and U+0F81 decompose into.
func canonicallyComposed(_ bytes: [UInt8]) -> [UInt8] {
    // U+0300 is the first scalar that composition can change; its UTF-8 starts with 0xCC.
    guard bytes.contains(where: { $0 >= 0xCC }) else { return bytes }
    var elements: [CombiningElement] = []
    elements.reserveCapacity(bytes.count)
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        appendDecomposition(of: scalar, to: &elements)
    }
    sortMarks(&elements)
    var result = String.UnicodeScalarView()
    result.append(contentsOf: compose(elements).lazy.compactMap(Unicode.Scalar.init))
    return Array(String(result).utf8)
}

/// A scalar value and its canonical combining class.
private struct CombiningElement {
    var value: UInt32
    var combiningClass: UInt8
}

private func appendDecomposition(of scalar: Unicode.Scalar, to elements: inout [CombiningElement]) {
    switch scalar.value {
    case 0..<0xC0, 0x3400..<0xF900, 0x20000..<0x2F800:
        // Latin without accents, ideographs, Hangul syllables (left whole, as no mark composes with them), and in
        // between only scalars without decomposition but with some marks.
        appendAsIs(scalar, to: &elements)
    default:
        guard isInUnicode9(scalar) else {
            elements.append(CombiningElement(value: scalar.value, combiningClass: 0))
            return
        }
        let decomposed = String(scalar).decomposedStringWithCanonicalMapping
        for part in decomposed.unicodeScalars { appendAsIs(part, to: &elements) }
    }
}

private func appendAsIs(_ scalar: Unicode.Scalar, to elements: inout [CombiningElement]) {
    let isMark = scalar.value >= 0x300 && isInUnicode9(scalar)
    let combiningClass = isMark ? scalar.properties.canonicalCombiningClass.rawValue : 0
    elements.append(CombiningElement(value: scalar.value, combiningClass: combiningClass))
}

/// Whether `scalar` was assigned in Unicode 9.0.
private func isInUnicode9(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.age.map { $0.major <= 9 } ?? false
}

/// Sorts each run of marks by combining class, keeping the order within a class.
private func sortMarks(_ elements: inout [CombiningElement]) {
    var start = 0
    while start < elements.count {
        var end = start
        while end < elements.count, elements[end].combiningClass != 0 { end += 1 }
        if end - start > 1 {
            elements[start..<end].sort { $0.combiningClass < $1.combiningClass }
        }
        start = end + 1
    }
}

/// The canonical composition algorithm: each scalar joins the last starter when nothing between blocks it.
private func compose(_ elements: [CombiningElement]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(elements.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for element in elements {
        if let place = starter,
            place == result.count - 1 || (lastClass != 0 && lastClass < element.combiningClass),
            let composite = composite(of: result[place], and: element)
        {
            result[place] = composite
            continue
        }
        if element.combiningClass == 0 { starter = result.count }
        lastClass = element.combiningClass
        result.append(element.value)
    }
    return result
}

/// The scalar that two compose to; nil when they do not.
private func composite(of first: UInt32, and second: CombiningElement) -> UInt32? {
    if let syllable = hangulSyllable(of: first, and: second.value) { return syllable }
    guard second.combiningClass != 0 || composingStarters.contains(second.value) else { return nil }
    // The one pair that Foundation leaves apart.
    if first == 0x0CCA, second.value == 0x0CD5 { return 0x0CCB }
    if first > 0xFFFF || second.value > 0xFFFF {
        return supplementaryComposites[UInt64(first) << 32 | UInt64(second.value)]
    }
    guard let left = Unicode.Scalar(first), let right = Unicode.Scalar(second.value) else {
        return nil
    }
    let scalars = "\(left)\(right)".precomposedStringWithCanonicalMapping.unicodeScalars
    guard scalars.count == 1 else { return nil }
    return scalars.first?.value
}

/// Hangul by arithmetic (Unicode Standard §3.12).
private func hangulSyllable(of first: UInt32, and second: UInt32) -> UInt32? {
    switch (first, second) {
    case (0x1100...0x1112, 0x1161...0x1175):
        return 0xAC00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28
    case (0xAC00...0xD7A3, 0x11A8...0x11C2) where (first - 0xAC00) % 28 == 0:
        return first + (second - 0x11A7)
    default:
        return nil
    }
}

/// The scalars of combining class 0 that end a canonical decomposition, Hangul aside.
private let composingStarters: Set<UInt32> = [
    0x09BE, 0x09D7, 0x0B3E, 0x0B56, 0x0B57, 0x0BBE, 0x0BD7, 0x0CC2, 0x0CD5, 0x0CD6, 0x0D3E, 0x0D57,
    0x0DCF, 0x0DDF, 0x102E, 0x1B35, 0x11127, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF,
]

/// The canonical composites above U+FFFF of Unicode 9.0, by their two parts.
private let supplementaryComposites: [UInt64: UInt32] = [
    0x11099_0001_10BA: 0x1109A, 0x1109B_0001_10BA: 0x1109C, 0x110A5_0001_10BA: 0x110AB,
    0x11131_0001_1127: 0x1112E, 0x11132_0001_1127: 0x1112F, 0x11347_0001_133E: 0x1134B,
    0x11347_0001_1357: 0x1134C, 0x114B9_0001_14BA: 0x114BB, 0x114B9_0001_14B0: 0x114BC,
    0x114B9_0001_14BD: 0x114BE, 0x115B8_0001_15AF: 0x115BA, 0x115B9_0001_15AF: 0x115BB,
]
