//! Subtitles: the answers about one video as timed text.

/// One piece of timed text.
struct Cue: Sendable, Equatable {
    /// Milliseconds, the end after the start.
    let start: Int
    let end: Int
    /// Words on one line.
    let text: String

    /// The cue of `text` from `start` to `end` seconds; nil without a span or without words.
    init?(start: Double, end: Double, text: String) {
        guard let from = Int(exactly: (max(0, start) * 1000).rounded()),
            let to = Int(exactly: (end * 1000).rounded()), to > from
        else { return nil }
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard !words.isEmpty else { return nil }
        (self.start, self.end, self.text) = (from, to, words)
    }
}

/// The two kinds of subtitle files.
enum Subtitles {
    /// A WebVTT file (W3C): no text can end a cue, begin a tag or a character reference.
    static func vtt(_ cues: [Cue]) -> String {
        cues.reduce(into: "WEBVTT\n") { file, cue in
            let text = cue.text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
                .replacing(">", with: "&gt;")
            file += "\n\(time(cue.start, ".")) --> \(time(cue.end, "."))\n\(text)\n"
        }
    }

    /// A SubRip file; it knows no escapes, so an arrow in a text becomes a short one, as whisper writes it.
    static func srt(_ cues: [Cue]) -> String {
        cues.enumerated().reduce(into: "") { file, element in
            let (index, cue) = element
            let text = cue.text.replacing("-->", with: "->")
            file +=
                "\(index + 1)\n\(time(cue.start, ",")) --> \(time(cue.end, ","))\n\(text)\n\n"
        }
    }

    /// `01:02:03.456`, hours with two digits or more.
    private static func time(_ milliseconds: Int, _ point: String) -> String {
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let seconds = milliseconds / 1000
        return padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":"
            + padded(seconds % 60, 2) + point + padded(milliseconds % 1000, 3)
    }
}
