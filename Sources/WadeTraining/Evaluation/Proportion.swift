//! A share with its uncertainty.

/// How often something held, of how many times.
package struct Proportion: Sendable, Equatable {
    package private(set) var hits = 0
    package private(set) var count = 0

    package init() {}

    mutating func add(_ isHit: Bool) {
        hits += isHit ? 1 : 0
        count += 1
    }

    static func + (left: Proportion, right: Proportion) -> Proportion {
        var sum = Proportion()
        sum.hits = left.hits + right.hits
        sum.count = left.count + right.count
        return sum
    }

    /// The share; 0 of nothing.
    package var share: Double { count == 0 ? 0 : Double(hits) / Double(count) }

    /// Wilson's interval for the share at 95 %.
    package var interval: ClosedRange<Double> {
        guard count > 0 else { return 0...1 }
        let (n, z) = (Double(count), 1.959964)
        let middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        let half =
            z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
        return max(0, middle - half)...min(1, middle + half)
    }
}
