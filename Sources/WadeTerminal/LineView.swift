//! How a line that is being edited is drawn in one row of a terminal.

/// A row: as much of the line as fits, around the cursor.
package struct LineView: Sendable, Equatable {
    /// What is written.
    package let text: String
    /// The column of the cursor, from 0, without the prompt.
    package let cursor: Int

    /// A row that says so.
    init(text: String, cursor: Int) {
        self.text = text
        self.cursor = cursor
    }

    /// The part of `buffer` that fits `columns`.
    package init(_ buffer: LineBuffer, columns: Int) {
        let widths = buffer.text.map(Self.width)
        var start = 0
        var before = widths[..<buffer.cursor].reduce(0, +)
        // The cursor needs a place of its own.
        while before > max(1, columns) - 1, start < buffer.cursor {
            before -= widths[start]
            start += 1
        }
        var end = start
        var used = 0
        while end < buffer.text.count, used + widths[end] <= max(1, columns) - 1 {
            used += widths[end]
            end += 1
        }
        text = String(buffer.text[start..<end])
        cursor = before
    }

    /// Columns that a character takes in a terminal: two for East Asian wide ones and pictures, one else.
    package static func width(_ character: Character) -> Int {
        character.unicodeScalars.contains { scalar in
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3,
                0xF900...0xFAFF,
                0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
                0x1F900...0x1F9FF, 0x20000...0x3FFFD:
                true
            default: false
            }
        } ? 2 : 1
    }
}
