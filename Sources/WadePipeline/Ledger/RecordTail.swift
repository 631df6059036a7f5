//! Follows an output for a consumer that keeps up by `run.seq`: whole lines, each once, whatever happens to the file.
import Glibc

/// Reads the lines of a file that are new to its consumer, now and as they come.
///
/// Note [What happens to files]: a run only ever appends, and cuts off at most a torn last line, of which nothing was given out. But
/// files are rotated (the name means another file) and emptied (copytruncate). Lines of another file are numbered anew, so there
/// the cursor would lie: unless the new file still holds the line that was read last, byte for byte, all of it is new.
package struct RecordTail: ~Copyable {
    /// What is told besides lines.
    package enum Notice: Sendable, Equatable {
        /// A line that is no record was passed over; its number counts in the file, from 1.
        case noRecord(line: Int)
        /// The file is another one, or was emptied, and is given from its start.
        case replaced
        /// The cursor is beyond all numbers in the file, of which this is the greatest.
        case cursorBeyond(greatest: Int)
    }

    private let path: PathBytes
    private var file: OpenFile?
    private var identity: (device: UInt64, inode: UInt64) = (0, 0)
    /// Lines up to this number are known to the consumer.
    private var cursor: Int
    /// Bytes and lines of the file that have been read.
    private var offset = 0
    private var lineNumber = 0
    /// The whole line that was read last, with its newline; it shows whether a file is still the one it was.
    private var lastRead: [UInt8] = []
    private var greatest = -1

    private static let blockSize = 1 << 18

    /// Follows the file at `path` beyond the line numbered `cursor`; -1 for all.
    package init(_ path: PathBytes, after cursor: Int) {
        self.path = path
        self.cursor = cursor
    }

    /// Gives every whole line that is new since the last call, with its newline, to `give`. A file that is not there is an error
    /// unless `mayBeMissing`: a consumer may be started before the first run, and between two files there may be none.
    package mutating func read(
        mayBeMissing: Bool, give: ([UInt8]) throws(PipelineError) -> Void, tell: (Notice) -> Void
    ) throws(PipelineError) {
        let isFirst = lastRead.isEmpty
        if isOpen {
            if try !isUntouched() { try goOn(tell) }
            // What was appended before the name changed hands still counts.
            try readLines(give, tell)
            if let named = try? FileStatus.of(path, followingLinks: true),
                named.device != identity.device || named.inode != identity.inode
            {
                file = nil
            }
        }
        if !isOpen {
            if mayBeMissing, FileStatus.isMissing(path) { return }
            try open()
            try goOn(tell)
            try readLines(give, tell)
        }
        if isFirst, greatest >= 0, cursor > greatest { tell(.cursorBeyond(greatest: greatest)) }
    }

    private var isOpen: Bool {
        switch file {
        case .some: true
        case .none: false
        }
    }

    private mutating func open() throws(PipelineError) {
        do {
            let opened = try OpenFile(path, for: .reading)
            let status = try opened.status()
            guard status.kind == .regular else {
                throw PipelineError.file(
                    path: path.shown, action: "follow", reason: "it is no regular file")
            }
            identity = (status.device, status.inode)
            file = consume opened
        } catch let error as SystemError {
            throw .file(path: path.shown, action: "read", reason: error.reason)
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .file(path: path.shown, action: "read", reason: "\(error)")
        }
    }

    /// Begins the open file after the line that was read last; at its start, with all lines new, when it has no such line.
    private mutating func goOn(_ tell: (Notice) -> Void) throws(PipelineError) {
        (offset, lineNumber) = (0, 0)
        guard !lastRead.isEmpty else { return }
        var (end, number) = (0, 0)
        while true {
            let lines = try lines(at: end)
            guard !lines.isEmpty else { break }
            for line in lines {
                end += line.count
                number += 1
                if line == lastRead {
                    (offset, lineNumber) = (end, number)
                    return
                }
            }
        }
        lastRead = []
        (cursor, greatest) = (-1, -1)
        tell(.replaced)
    }

    private mutating func readLines(
        _ give: ([UInt8]) throws(PipelineError) -> Void, _ tell: (Notice) -> Void
    ) throws(PipelineError) {
        while true {
            let lines = try lines(at: offset)
            guard !lines.isEmpty else { return }
            for line in lines {
                offset += line.count
                lineNumber += 1
                lastRead = line
                guard let sequence = Self.sequence(of: line) else {
                    tell(.noRecord(line: lineNumber))
                    continue
                }
                greatest = max(greatest, sequence)
                if sequence > cursor { try give(line) }
            }
        }
    }

    private static func sequence(of line: [UInt8]) -> Int? {
        let bytes = Array(line.dropLast())
        let found = unsafe bytes.withUnsafeBufferPointer { LedgerLine(unsafe LineScan($0)) }
        return (found ?? LedgerLine(respelling: bytes))?.sequence
    }

    /// Some whole lines from `offset` on, each with its newline; none when there is no whole one yet.
    private func lines(at offset: Int) throws(PipelineError) -> [[UInt8]] {
        var size = Self.blockSize
        while true {
            var block = [UInt8](repeating: 0, count: size)
            let count = try read(&block, at: offset)
            if let last = block[..<count].lastIndex(of: 0x0A) {
                return block[...last].split(separator: 0x0A, omittingEmptySubsequences: false)
                    .dropLast().map { Array($0) + [0x0A] }
            }
            guard count == size else { return [] }
            guard size <= LineReader.longestLine else {
                throw .file(
                    path: path.shown, action: "follow",
                    reason: "found a line of more than \(LineReader.longestLine >> 20) MiB")
            }
            size *= 2
        }
    }

    /// Whether the file still has the line that was read last where it was.
    private func isUntouched() throws(PipelineError) -> Bool {
        guard !lastRead.isEmpty else { return true }
        var bytes = [UInt8](repeating: 0, count: lastRead.count)
        let count = try read(&bytes, at: offset - lastRead.count)
        return count == bytes.count && bytes == lastRead
    }

    private func read(_ buffer: inout [UInt8], at offset: Int) throws(PipelineError) -> Int {
        do throws(SystemError) {
            switch file {
            case .some(let file): return try file.read(into: &buffer, at: offset)
            case .none: return 0
            }
        } catch {
            throw .file(path: path.shown, action: "read", reason: error.reason)
        }
    }
}
