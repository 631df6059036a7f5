//! How fast memory can be read: what bounds a product with a single row.

#if canImport(Glibc)
    internal import Glibc
#endif

/// Bytes in memory that threads read as fast as they can.
package struct MemoryReading: Sendable {
    private let values: Tensor

    /// No byte of the value 1.
    private static let absent: Int32 = 0x55

    /// Memory of at least `byteCount` bytes.
    package init(byteCount: Int) {
        // Pages that nobody has written are one and the same.
        values = Tensor(repeating: 1, shape: [max(byteCount / 4, 256)])
    }

    /// The number of bytes that one reading reads.
    package var byteCount: Int { values.count * MemoryLayout<Float>.size }

    /// Reads everything once and says how many bytes that were; `start`, from 0 to 1, says where to begin, so that several readers are
    /// not at one place. The reading is the C library's search for a byte that is not there, whose loads are the widest that there are.
    package func read(from start: Double) -> Int {
        unsafe values.withValues { values in
            guard let base = unsafe UnsafeRawPointer(values.baseAddress) else { return 0 }
            let middle = min(max(0, Int(start * Double(byteCount))), byteCount)
            let isFound =
                unsafe memchr(base + middle, Self.absent, byteCount - middle) != nil
                || memchr(base, Self.absent, middle) != nil
            return isFound ? 0 : byteCount
        }
    }
}
