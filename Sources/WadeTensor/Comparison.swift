//! How far two tensors are apart, and where.

/// The largest absolute difference between what was computed and what was expected.
package struct Comparison: Sendable, CustomStringConvertible {
    /// The flat index of the worst value.
    package let index: Int
    package let found: Float
    package let expected: Float
    /// |found − expected| at `index`; infinite when one is not a number or the counts differ.
    package let difference: Float
    /// The root of the sum of squared differences over that of the expected values; infinite where one is not a number, the counts
    /// differ, or nothing but zeros was expected and something else found.
    package let relative: Float
    /// How many values were compared.
    package let count: Int

    /// Compares value by value; tensors of different counts are infinitely far apart.
    package init(_ found: Tensor, _ expected: Tensor) {
        guard found.count == expected.count else {
            (index, self.found, self.expected) = (0, Float(found.count), Float(expected.count))
            (difference, relative, count) = (.infinity, .infinity, 0)
            return
        }
        var worst = (index: 0, difference: Float(-1))
        let (a, b) = (found.values, expected.values)
        var (apart2, size2) = (0.0, 0.0)
        for i in a.indices {
            apart2 += (Double(a[i]) - Double(b[i])) * (Double(a[i]) - Double(b[i]))
            size2 += Double(b[i]) * Double(b[i])
            let apart = abs(a[i] - b[i])
            let difference = apart.isNaN && a[i] != b[i] ? Float.infinity : apart
            if difference > worst.difference { worst = (i, difference) }
        }
        index = worst.index
        self.found = a.isEmpty ? 0 : a[worst.index]
        self.expected = b.isEmpty ? 0 : b[worst.index]
        difference = max(worst.difference, 0)
        let share = apart2 == 0 ? 0 : (apart2 / size2).squareRoot()
        relative = share.isFinite ? Float(share) : .infinity
        count = a.count
    }

    package var description: String {
        "difference \(difference) at index \(index) of \(count): found \(found), expected \(expected)"
    }
}
