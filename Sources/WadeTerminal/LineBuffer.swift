//! A line in the making: what each key does to it.

/// A key or a combination of keys.
package enum Key: Sendable, Equatable {
    /// A character that is typed.
    case character(Character)
    case enter
    case left
    case right
    case wordLeft
    case wordRight
    case up
    case down
    case home
    case end
    case backspace
    case delete
    /// From the cursor to the end.
    case cutEnd
    /// From the beginning to the cursor.
    case cutBeginning
    /// The word before the cursor.
    case cutWord
    /// Ctrl-C.
    case cancel
    /// Ctrl-D.
    case endOfInput
    /// Ctrl-L.
    case redraw
}

/// A line with a cursor, and the lines before it.
package struct LineBuffer: Sendable {
    /// What has become of the line.
    package enum Outcome: Sendable, Equatable {
        /// It goes on.
        case editing
        /// It is done.
        case done(String)
        /// It is thrown away.
        case cancelled
        /// There will be no further one.
        case ended
        /// The screen is to be drawn anew.
        case redraw
    }

    /// The line.
    package private(set) var text: [Character] = []
    /// The cursor stands before the character with this number.
    package private(set) var cursor = 0
    private let history: [String]
    /// The line of the history that is shown; its count for the one that is being written.
    private var place: Int
    /// The line that is being written, while another one is shown.
    private var draft: [Character] = []

    /// An empty line after the lines of `history`.
    package init(history: [String]) {
        self.history = history
        place = history.count
    }

    /// Does what `key` says.
    package mutating func press(_ key: Key) -> Outcome {
        switch key {
        case .character(let character):
            text.insert(character, at: cursor)
            cursor += 1
        case .enter: return .done(String(text))
        case .cancel: return .cancelled
        case .endOfInput:
            guard !text.isEmpty else { return .ended }
            remove(cursor..<min(cursor + 1, text.count))
        case .redraw: return .redraw
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(text.count, cursor + 1)
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .home: cursor = 0
        case .end: cursor = text.count
        case .backspace: remove(max(0, cursor - 1)..<cursor)
        case .delete: remove(cursor..<min(cursor + 1, text.count))
        case .cutEnd: remove(cursor..<text.count)
        case .cutBeginning: remove(0..<cursor)
        case .cutWord: remove(wordStart..<cursor)
        case .up: show(place - 1)
        case .down: show(place + 1)
        }
        return .editing
    }

    private mutating func remove(_ range: Range<Int>) {
        text.removeSubrange(range)
        cursor = range.lowerBound
    }

    private var wordStart: Int {
        var start = cursor
        while start > 0, text[start - 1].isWhitespace { start -= 1 }
        while start > 0, !text[start - 1].isWhitespace { start -= 1 }
        return start
    }

    private var wordEnd: Int {
        var end = cursor
        while end < text.count, text[end].isWhitespace { end += 1 }
        while end < text.count, !text[end].isWhitespace { end += 1 }
        return end
    }

    private mutating func show(_ wanted: Int) {
        guard (0...history.count).contains(wanted) else { return }
        if place == history.count { draft = text }
        place = wanted
        text = wanted == history.count ? draft : Array(history[wanted])
        cursor = text.count
    }
}
