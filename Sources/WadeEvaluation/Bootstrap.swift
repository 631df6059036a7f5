//! How much a score over a set would differ had other items been drawn: the percentile bootstrap (Efron, 1979).

/// Resamples the items behind a score.
package struct Bootstrap: Sendable {
    /// How often the set is drawn anew.
    package let resamples: Int
    private let seed: UInt64

    /// The same seed gives the same intervals everywhere.
    package init(resamples: Int = 1000, seed: UInt64 = 1) {
        precondition(resamples > 0, "Bootstrap: \(resamples) resamples")
        self.resamples = resamples
        self.seed = seed
    }

    /// The 95 % interval of `score`, which gets the numbers of `count` items drawn with repetition; nil without items, and where
    /// no drawing has a score.
    package func interval(count: Int, score: ([Int]) -> Double?) -> ClosedRange<Double>? {
        guard count > 0 else { return nil }
        var random = ResamplingStream(seed: seed)
        var scores: [Double] = []
        for _ in 0..<resamples {
            let drawn = (0..<count).map { _ in random.index(below: count) }
            if let value = score(drawn) { scores.append(value) }
        }
        guard !scores.isEmpty else { return nil }
        scores.sort()
        return Self.quantile(0.025, of: scores)...Self.quantile(0.975, of: scores)
    }

    /// The interval of the mean of `values`.
    package func interval(ofMean values: [Double]) -> ClosedRange<Double>? {
        interval(count: values.count) { drawn in
            drawn.reduce(0) { $0 + values[$1] } / Double(drawn.count)
        }
    }

    /// Linear between the two nearest of the sorted values, as NumPy does it.
    private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
        let place = share * Double(sorted.count - 1)
        let low = Int(place)
        guard low + 1 < sorted.count else { return sorted[sorted.count - 1] }
        return sorted[low] + (sorted[low + 1] - sorted[low]) * (place - Double(low))
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
package struct ResamplingStream: Sendable {
    private var state: UInt64

    /// The stream of `seed`.
    package init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from 0 to `count` - 1; `count` must be positive and below 2^32.
    package mutating func index(below count: Int) -> Int {
        Int(((next() >> 32) &* UInt64(count)) >> 32)
    }

    /// `count` different numbers below `limit`, in the order in which they were drawn; all of them when there are not so many.
    package mutating func distinct(_ count: Int, below limit: Int) -> [Int] {
        var pool = Array(0..<limit)
        let wanted = min(count, limit)
        for place in 0..<wanted {
            pool.swapAt(place, place + index(below: limit - place))
        }
        return Array(pool.prefix(wanted))
    }
}
