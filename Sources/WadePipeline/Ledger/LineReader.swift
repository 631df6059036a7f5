//! Reads a file line by line with bounded memory.

import Glibc

/// The lines of a file with their offsets; a last line without its newline is told apart, because it is torn.
struct LineReader: ~Copyable {
    /// Longest line that is read whole; a record is some kilobytes.
    static let longestLine = 64 << 20
    /// Bytes that are kept of a longer one: fewer than any record has, so that nobody takes them for one.
    private static let keptOfLongLine = 64

    private let file: OpenFile
    private var block: [UInt8]
    private var pending: [UInt8] = []
    private var pendingOffset = 0
    private var offset = 0
    private let longestLine: Int
    /// Whether only the first bytes of the pending line are kept.
    private var isTooLong = false

    /// Reads `file` from its start in blocks of at most `blockSize` bytes; a small file needs no large one.
    init(
        _ file: consuming OpenFile, blockSize: Int = 4 << 20,
        longestLine: Int = LineReader.longestLine
    ) {
        let size = (try? file.status().size) ?? blockSize
        self.file = file
        self.longestLine = longestLine
        block = [UInt8](repeating: 0, count: min(blockSize, max(size + 1, 4096)))
    }

    /// Calls `body` with the offset and a scan of every whole line (without its newline; valid only during the call), then returns the torn rest:
    /// its offset and bytes, empty when the file ends with a newline. Of a line that is too long the scan holds the first bytes only;
    /// throws `EFBIG` when it has no end either.
    mutating func forEachLine(_ body: (Int, LineScan) -> Void) throws(SystemError)
        -> (offset: Int, bytes: [UInt8])
    {
        while true {
            let count = try file.read(into: &block, at: offset)
            if count == 0 {
                guard !isTooLong else { throw SystemError(code: EFBIG) }
                return (pendingOffset, pending)
            }
            unsafe block.withUnsafeBufferPointer { all in
                unsafe split(UnsafeBufferPointer(rebasing: all[..<count]), body)
            }
            offset += count
            if pending.count > longestLine {
                isTooLong = true
                pending = Array(pending.prefix(Self.keptOfLongLine))
            }
        }
    }

    /// The C library looks at 32 bytes at a time.
    private func newline(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count else { return nil }
        guard let found = unsafe memchr(base + start, 0x0A, bytes.count - start) else { return nil }
        return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private mutating func split(
        _ bytes: UnsafeBufferPointer<UInt8>, _ body: (Int, LineScan) -> Void
    ) {
        var start = 0
        while let end = unsafe newline(in: bytes, from: start) {
            let part = unsafe UnsafeBufferPointer(rebasing: bytes[start..<end])
            if pending.isEmpty {
                unsafe body(offset + start, LineScan(part))
            } else {
                if !isTooLong { unsafe pending.append(contentsOf: part) }
                isTooLong = false
                unsafe pending.withUnsafeBufferPointer { unsafe body(pendingOffset, LineScan($0)) }
                pending.removeAll(keepingCapacity: true)
            }
            start = end + 1
        }
        if pending.isEmpty { pendingOffset = offset + start }
        if !isTooLong { unsafe pending.append(contentsOf: bytes[start...]) }
    }
}
