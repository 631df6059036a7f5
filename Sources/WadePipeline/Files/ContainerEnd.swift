//! Does a file end where its container says? Told from headers alone, so that a copy under way is not taken for a damaged file.

/// The ends of files in containers that tell them: ISO base media (mp4, mov), Matroska (mkv, webm), RIFF (avi, webp) and MPEG transport
/// streams, whose packets have one length; and of pictures that end with a mark (JPEG, PNG, GIF). Others say nothing about their end.
enum ContainerEnd {
    /// Whether the file at `path` of `size` bytes is empty, or lacks bytes that its container announces.
    static func isMissing(_ path: PathBytes, size: Int) -> Bool {
        guard size > 0 else { return true }
        guard let file = try? OpenFile(path, for: .reading) else { return false }
        let head = bytes(of: file, at: 0, count: 64)
        if head.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) {
            return isMatroskaCut(file, size: size)
        }
        if head.starts(with: Array("RIFF".utf8)) {
            // A file that is being recorded announces no bytes, or all that fit into 32 bits, until it is closed.
            guard head.count >= 12 else { return true }
            return number(head[4..<8].reversed()) + 8 > size
        }
        if let packet = transportPacket(file, head) { return !size.isMultiple(of: packet) }
        if let mark = pictureEnd(head) {
            // Behind the mark some programs leave a little more, and telephones a short film.
            let tail = bytes(of: file, at: max(0, size - 4096), count: 4096)
            return !tail.contains(mark)
        }
        return BoxTable.isIncomplete(file, size: size)
    }

    /// At most `count` bytes of `file` from `offset` on; fewer at its end or when it cannot be read.
    static func bytes(of file: borrowing OpenFile, at offset: Int, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard let read = try? file.read(into: &bytes, at: offset) else { return [] }
        return Array(bytes.prefix(read))
    }

    /// The number that `digits` spell, most significant byte first; at most seven bytes.
    static func number(_ digits: some Sequence<UInt8>) -> Int {
        digits.reduce(0) { $0 << 8 | Int($1) }
    }

    /// The mark at the end of a picture that begins like `head` (ITU-T T.81, B.1.1.3; PNG, 11.2.5; GIF89a, 27); nil for other files.
    private static func pictureEnd(_ head: [UInt8]) -> [UInt8]? {
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return [0xFF, 0xD9] }
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return Array("IEND".utf8) }
        // The last block's end, and the trailer.
        return head.starts(with: Array("GIF8".utf8)) ? [0x00, 0x3B] : nil
    }

    // MARK: - Matroska (RFC 8794 and 9559)

    /// Whether the segment that follows the EBML header ends behind the file's last byte. A segment of unknown size is a live
    /// recording, of which any cut is whole.
    private static func isMatroskaCut(_ file: borrowing OpenFile, size: Int) -> Bool {
        guard let header = element(file, at: 0), let length = header.length else { return true }
        guard header.content <= size, length <= size - header.content else { return true }
        guard let segment = element(file, at: header.content + length) else { return true }
        guard segment.id == 0x1853_8067, let length = segment.length else { return false }
        return segment.content > size || length > size - segment.content
    }

    /// The element at `offset`: its id, where its content begins, and the content's length, nil when it is unknown.
    private static func element(_ file: borrowing OpenFile, at offset: Int)
        -> (id: Int, content: Int, length: Int?)?
    {
        let head = bytes(of: file, at: offset, count: 12)
        guard let first = head.first, first != 0 else { return nil }
        let idCount = first.leadingZeroBitCount + 1
        guard idCount <= 4, head.count > idCount, head[idCount] != 0 else { return nil }
        let lengthCount = head[idCount].leadingZeroBitCount + 1
        guard head.count >= idCount + lengthCount else { return nil }
        let digits = head[idCount..<(idCount + lengthCount)]
        let marker = 1 << (7 * lengthCount)
        let length = number(digits) & (marker - 1)
        return (
            number(head[..<idCount]), offset + idCount + lengthCount,
            length == marker - 1 ? nil : length
        )
    }

    // MARK: - MPEG transport stream (ISO/IEC 13818-1)

    /// The length of a transport stream's packets, 188 bytes or 192 with a time before each; nil for other files.
    private static func transportPacket(_ file: borrowing OpenFile, _ head: [UInt8]) -> Int? {
        for (packet, sync) in [(188, 0), (192, 4)] {
            guard head.count > sync, head[sync] == 0x47 else { continue }
            let marks = (1...3).map { bytes(of: file, at: sync + $0 * packet, count: 1) }
            if marks.allSatisfy({ $0 == [0x47] }) { return packet }
        }
        return nil
    }
}
