//! What is known about a clip, attribute by attribute, whether a renderer made it or chance did.

/// The value of every attribute of a clip.
package struct ShotFacts: Sendable, Equatable {
    /// By attribute, in the order of `ShotAttribute.allCases`.
    private(set) var values: [String]

    /// The value that says that nobody could tell.
    package static let unclear = "unclear"

    /// The facts of a rendered clip.
    package init(_ truth: ClipTruth) {
        values = ShotAttribute.allCases.map {
            truth.isClear($0) ? truth.answer(to: $0) : Self.unclear
        }
    }

    /// Facts by chance, as varied as rendered clips are: what the language model is taught with.
    init(random: inout RandomStream) {
        values = ShotAttribute.allCases.map { random.element($0.values) }
        if random.unit() < 0.7 { self[.transition] = "none" }
        if random.unit() < 0.7 { self[.film] = "colourful" }
        if self[.transition] == "cut" {
            for attribute in [.camera, .shape, .colour, .motion, .background] as [ShotAttribute] {
                self[attribute] = Self.unclear
            }
        }
        if self[.film] == "monochrome" {
            self[.colour] = Self.unclear
            self[.background] = Self.unclear
        }
        if random.unit() < 0.06 { self[.camera] = Self.unclear }
        if random.unit() < 0.06 {
            for attribute in [.shape, .colour, .motion] as [ShotAttribute] {
                self[attribute] = Self.unclear
            }
        }
    }

    /// The value of an attribute.
    package subscript(attribute: ShotAttribute) -> String {
        get { values[attribute.index] }
        set { values[attribute.index] = newValue }
    }

    /// Whether an attribute can be told.
    package func isClear(_ attribute: ShotAttribute) -> Bool { self[attribute] != Self.unclear }
}

extension ShotAttribute {
    /// The attribute's place in `allCases`.
    var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

extension ShotFacts {
    /// One byte per attribute: the value's place, 255 for what nobody can tell.
    var codes: [UInt8] {
        ShotAttribute.allCases.map { attribute in
            attribute.values.firstIndex(of: self[attribute]).map { UInt8($0) } ?? 255
        }
    }

    /// The facts behind `codes`; nil when they are none.
    init?(codes: ArraySlice<UInt8>) {
        guard codes.count == ShotAttribute.allCases.count else { return nil }
        var values: [String] = []
        for (attribute, code) in zip(ShotAttribute.allCases, codes) {
            guard code == 255 || code < attribute.values.count else { return nil }
            values.append(code == 255 ? Self.unclear : attribute.values[Int(code)])
        }
        self.values = values
    }

    /// What is true when time runs backwards.
    var reversed: ShotFacts {
        var facts = self
        for attribute in [.camera, .motion, .transition] as [ShotAttribute] {
            facts[attribute] = attribute.reversed(self[attribute])
        }
        return facts
    }
}
