//! The float32 memory behind tensors: owned by the process, or a read-only window into a mapped file.

#if canImport(Glibc)
    internal import Glibc
#endif

/// A block of float32 values. Owned storage is 64-byte aligned; mapped storage keeps its file mapped while it lives.
///
/// `@unchecked Sendable`: written only while its single owner has it (see `Tensor.withMutableValues`), read-only afterwards.
@safe package final class Storage: @unchecked Sendable {
    /// The number of float32 values.
    package let count: Int
    private let base: UnsafeMutablePointer<Float>
    private let file: MappedFile?

    /// Uninitialised memory for `count` values.
    init(count: Int) {
        precondition(count >= 0, "storage: negative count")
        self.count = count
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        unsafe base = raw.bindMemory(to: Float.self, capacity: max(count, 1))
        file = nil
    }

    /// A window of `count` values that starts at byte `offset` of a mapped file; nil when the address is not aligned to a float.
    init?(file: MappedFile, offset: Int, count: Int) {
        guard count >= 0, offset >= 0, offset % MemoryLayout<Float>.alignment == 0,
            count <= (file.count - offset) / MemoryLayout<Float>.stride, offset <= file.count
        else { return nil }
        self.count = count
        self.file = file
        let address = unsafe UnsafeMutableRawPointer(mutating: file.address + offset)
        unsafe base = address.assumingMemoryBound(to: Float.self)
    }

    deinit {
        if file == nil { unsafe UnsafeMutableRawPointer(base).deallocate() }
    }

    /// Whether the values lie in a mapped file and must not be written.
    package var isMapped: Bool { file != nil }

    /// The values, for the C room only.
    var values: UnsafeMutableBufferPointer<Float> {
        unsafe UnsafeMutableBufferPointer(start: base, count: count)
    }
}
