//! How fast memory can be read: what bounds a product with a single row.

/// Bytes in memory that threads read as fast as they can.
package struct MemoryReading: Sendable {
    private let values: Tensor

    /// Memory of at least `byteCount` bytes.
    package init(byteCount: Int) {
        // Pages that nobody has written are one and the same.
        values = Tensor(repeating: 1, shape: [max(byteCount / 4, 4 * Self.step)])
    }

    /// The number of bytes that one reading reads.
    package var byteCount: Int { values.count * MemoryLayout<Float>.size }

    /// Values that one round of the loop adds.
    private static let step = 64

    /// Reads everything once and gives the sum of the values, of which there are as many as 4 bytes; `start`, from 0 to 1, says where to
    /// begin, so that several readers are not at one place.
    package func read(from start: Double) -> Float {
        unsafe values.withValues { values in
            guard let base = values.baseAddress else { return 0 }
            let middle = min(Int(start * Double(values.count)), values.count)
            return unsafe Self.sum(base + middle, count: values.count - middle)
                + Self.sum(base, count: middle)
        }
    }

    /// Four sums at a time: additions that wait for each other would be slower than memory.
    private static func sum(_ values: UnsafePointer<Float>, count: Int) -> Float {
        var (a, b, c, d) = (
            SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero
        )
        let raw = unsafe UnsafeRawPointer(values)
        let size = MemoryLayout<SIMD16<Float>>.size
        var i = 0
        while i + step <= count {
            let here = unsafe raw + i * MemoryLayout<Float>.size
            unsafe a += here.loadUnaligned(as: SIMD16<Float>.self)
            unsafe b += (here + size).loadUnaligned(as: SIMD16<Float>.self)
            unsafe c += (here + 2 * size).loadUnaligned(as: SIMD16<Float>.self)
            unsafe d += (here + 3 * size).loadUnaligned(as: SIMD16<Float>.self)
            i += step
        }
        var sum = (a + b + c + d).sum()
        while i < count {
            unsafe sum += values[i]
            i += 1
        }
        return sum
    }
}
