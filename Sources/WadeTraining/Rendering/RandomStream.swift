//! Random numbers that are the same on every machine and build.

/// SplitMix64 (Steele, Lea, Flood 2014), and draws made of it by exact arithmetic only.
struct RandomStream {
    private var state: UInt64

    /// The stream of `seed` for one `purpose`: streams of different purposes do not shift each other.
    init(seed: UInt64, purpose: UInt64) {
        state = Self.mixed(
            Self.mixed(seed &+ 0x9E37_79B9_7F4A_7C15) ^ purpose &* 0xD134_2543_DE82_EF95)
    }

    /// 64 random bits.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// A number in 0..<1 with 24 bits.
    mutating func unit() -> Float { Float(next() >> 40) * (1 / 16_777_216) }

    /// A number between the bounds.
    mutating func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * unit() }

    /// A number in -1...1.
    mutating func signed() -> Float { uniform(-1, 1) }

    /// One of 0..<`count`.
    mutating func index(_ count: Int) -> Int { Int(((next() >> 32) &* UInt64(count)) >> 32) }

    /// True with this probability.
    mutating func chance(_ probability: Float) -> Bool { unit() < probability }

    /// One of `elements`, which must not be empty.
    mutating func element<Element>(_ elements: [Element]) -> Element {
        elements[index(elements.count)]
    }

    /// An index drawn with these weights, which need not sum to 1.
    mutating func index(weights: [Float]) -> Int {
        var rest = unit() * weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return index }
        }
        return weights.count - 1
    }

    /// A bell-shaped number of mean 0 and variance 1: four uniform numbers of 16 bits summed.
    mutating func bell() -> Float { Self.bell(next()) }

    /// The bell-shaped number that `bits` stand for.
    static func bell(_ bits: UInt64) -> Float {
        let sum =
            (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        return (Float(sum) - 131_070) * (1 / 37_837)
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
