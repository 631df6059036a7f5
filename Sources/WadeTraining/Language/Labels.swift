//! Arbitrary labels: words that mean nothing until the demonstrations of a prompt say what they stand for.

/// Where labels come from. Training and evaluation draw from disjoint sets.
package enum Labels: Sendable {
    /// Labels that training uses.
    case training
    /// Labels that training never uses.
    case heldOut

    /// `count` different labels, whose first letters differ too.
    func draw(_ count: Int, random: inout RandomStream) -> [String] {
        var labels: [String] = []
        while labels.count < count {
            let label = one(random: &random)
            guard isHeldOut(label) == (self == .heldOut),
                !labels.contains(where: { $0.prefix(2) == label.prefix(2) })
            else { continue }
            labels.append(label)
        }
        return labels
    }

    private func one(random: inout RandomStream) -> String {
        let kind = random.unit()
        if kind < 0.1 { return random.element(Self.letters) }
        if kind < 0.4 { return random.element(Self.words) }
        let syllables = 2 + random.index(2)
        var label = ""
        for _ in 0..<syllables {
            label += random.element(Self.consonants) + random.element(Self.vowels)
        }
        return random.unit() < 0.3 ? label + random.element(Self.endings) : label
    }

    /// A quarter of all labels, by their bytes.
    private func isHeldOut(_ label: String) -> Bool {
        label.utf8.reduce(UInt64(1469)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } >> 20 % 4 == 0
    }

    static let consonants = [
        "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "bl", "gr",
    ]
    static let vowels = ["a", "e", "i", "o", "u"]
    static let endings = ["x", "p", "n", "s"]
    static let letters = ["A", "B", "C", "D", "E", "F", "X", "Y", "1", "2", "3", "4"]
    /// Words of everyday English, none of which names an attribute's value.
    static let words = [
        "yes", "no", "good", "bad", "keep", "drop", "first", "second", "alpha", "beta", "gamma",
        "north", "south", "east", "west", "apple", "banana", "cherry", "dog", "cat", "bird",
        "fish", "tree", "house", "river", "stone", "cloud", "music", "paper", "table", "window",
        "garden", "market", "morning", "evening", "summer", "winter", "happy", "sad", "quick",
        "slow", "open", "closed", "inside", "outside", "indoor", "outdoor", "day", "night",
        "review", "accept", "reject", "true", "false", "safe", "danger", "hot", "cold", "big",
        "small", "old", "new", "soft", "hard", "sweet", "sour", "iron", "gold", "silver", "wood",
    ]
}
