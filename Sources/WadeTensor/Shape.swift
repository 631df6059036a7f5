//! The sizes of a tensor's axes, outermost first.

/// A row-major shape such as `[B, T, D]`; a scalar has no axes and one element.
package struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    /// The size of each axis, outermost first; none is negative.
    package let sizes: [Int]

    /// A shape with the given axis sizes; a negative size or an element count beyond `Int.max` is our own mistake and traps.
    package init(_ sizes: [Int]) {
        precondition(Shape.elementCount(of: sizes) != nil, "shape \(sizes) has no element count")
        self.sizes = sizes
    }

    package init(arrayLiteral elements: Int...) {
        self.init(elements)
    }

    /// A shape read from outside: nil when a size is negative or the element count overflows.
    package init?(checking sizes: [Int]) {
        guard Shape.elementCount(of: sizes) != nil else { return nil }
        self.sizes = sizes
    }

    /// The number of axes.
    package var rank: Int { sizes.count }

    /// The product of the sizes.
    package var elementCount: Int { sizes.reduce(1, *) }

    /// The size of an axis; negative numbers count from the innermost, as in PyTorch.
    package subscript(axis: Int) -> Int {
        sizes[axis < 0 ? sizes.count + axis : axis]
    }

    /// The shape with the innermost axis replaced.
    package func replacingLast(with size: Int) -> Shape {
        Shape(sizes.dropLast() + [size])
    }

    package var description: String {
        "[" + sizes.map(String.init).joined(separator: ", ") + "]"
    }

    private static func elementCount(of sizes: [Int]) -> Int? {
        // Zeros are left out of the product: beside one, the other sizes would be unbounded.
        var (count, isEmpty) = (1, false)
        for size in sizes {
            guard size >= 0 else { return nil }
            guard size > 0 else {
                isEmpty = true
                continue
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else { return nil }
            count = product
        }
        return isEmpty ? 0 : count
    }
}
