//! The table of contents of an mp4, as far as it tells whether the file is complete.

/// The boxes at the top of an ISO base media file (ISO/IEC 14496-12, 4.2), as far as they tell whether it is complete.
enum BoxTable {
    /// More boxes at the top than a file that is not cut into fragments has; behind them nothing is looked for.
    private static let mostBoxes = 64
    private static let firstTypes: Set<String> = [
        "ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "styp",
    ]

    /// Whether `file` is an mp4 or QuickTime file with a box that ends behind its last byte, or without its index (`moov`).
    static func isIncomplete(_ file: borrowing OpenFile, size: Int) -> Bool {
        var offset = 0
        var hasIndex = false
        for number in 0..<mostBoxes {
            guard offset < size else { return !hasIndex }
            var header = [UInt8](repeating: 0, count: 16)
            guard let count = try? file.read(into: &header, at: offset) else { return false }
            let type = String(decoding: header[4..<8], as: UTF8.self)
            if number == 0, !firstTypes.contains(type) { return false }
            guard count >= 8 else { return true }
            if type == "moov" { hasIndex = true }
            let short = header[..<4].reduce(0) { $0 << 8 | Int($1) }
            switch short {
            case 0: return !hasIndex
            case 1:
                guard count == 16, header[8] < 0x40 else { return true }
                let long = header[8..<16].reduce(0) { $0 << 8 | Int($1) }
                guard long >= 16, long <= size - offset else { return true }
                offset += long
            case 2..<8: return false
            default:
                guard short <= size - offset else { return true }
                offset += short
            }
        }
        return !hasIndex
    }
}
