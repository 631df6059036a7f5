//! Lines from standard input: edited where it is a terminal, plain where it is not.
import Foundation
import Glibc

/// Reads lines; prompts go to standard error, and only to a terminal.
package struct InputLines {
    /// What came.
    package enum Input: Sendable, Equatable {
        /// A line without its end, as bytes: names of files need not be UTF-8.
        case line([UInt8])
        /// The user threw the line away.
        case cancelled
        /// Nothing more.
        case end
    }

    private let mode: TerminalMode?
    private var pending: [UInt8] = []
    private var isAtEnd = false

    /// Lines that are edited with `mode`, or plain ones when it is nil.
    package init(_ mode: TerminalMode?) {
        self.mode = mode
    }

    /// The next line after `prompt`; up and down go through `history`.
    package mutating func next(prompt: String, history: [String]) -> Input {
        guard let mode, mode.set(.editing) else { return plain() }
        defer { _ = mode.set(.working) }
        return edit(prompt, LineBuffer(history: history))
    }

    private mutating func plain() -> Input {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                var line = Array(pending[..<end])
                pending.removeSubrange(...end)
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return .line(line)
            }
            guard !isAtEnd, let bytes = Self.read(4096) else {
                isAtEnd = true
                guard !pending.isEmpty else { return .end }
                defer { pending = [] }
                return .line(pending)
            }
            pending += bytes
        }
    }

    private mutating func edit(_ prompt: String, _ empty: LineBuffer) -> Input {
        var buffer = empty
        var keys = KeyDecoder()
        while true {
            if pending.isEmpty {
                // Drawn when there is nothing more to read: a pasted text is drawn once.
                draw(prompt, buffer)
                guard let bytes = Self.read(1024) else {
                    Self.write("\r\n")
                    return .end
                }
                pending = bytes
            }
            guard let key = keys.take(pending.removeFirst()) else { continue }
            switch buffer.press(key) {
            case .editing: continue
            case .redraw: Self.write("\u{1B}[H\u{1B}[2J")
            case .done(let line):
                _ = buffer.press(.end)
                draw(prompt, buffer)
                Self.write("\r\n")
                return .line(Array(line.utf8))
            case .cancelled:
                Self.write("^C\r\n")
                return .cancelled
            case .ended:
                Self.write("\r\n")
                return .end
            }
        }
    }

    private func draw(_ prompt: String, _ buffer: LineBuffer) {
        let room = TerminalMode.columns - prompt.map(LineView.width).reduce(0, +)
        let view = LineView(buffer, columns: room)
        let column = prompt.map(LineView.width).reduce(0, +) + view.cursor
        Self.write("\r\(prompt)\(view.text)\u{1B}[K\r" + (column > 0 ? "\u{1B}[\(column)C" : ""))
    }

    private static func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// At most `count` bytes of standard input; nil at its end and when it cannot be read.
    private static func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        while true {
            let got = unsafe Glibc.read(STDIN_FILENO, &bytes, count)
            if got < 0, errno == EINTR { continue }
            return got > 0 ? Array(bytes[..<got]) : nil
        }
    }
}
