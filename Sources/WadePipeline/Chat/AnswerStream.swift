//! What of an answer is certain while it is still being written.

/// Cuts a growing text as the finished one will be cut, and holds back what may yet turn out not to belong to it.
struct AnswerStream: Sendable {
    /// What an answer ends before.
    let marks: [[Unicode.Scalar]]

    /// Ends before the first of `marks`.
    init(marks: [String]) {
        self.marks = marks.map { Array($0.unicodeScalars) }
    }

    /// What answers to `task` end before: the beginning of another example, and the pipeline's stops. What has a form ends by itself.
    init(_ task: AnnotationTask, stops: [String]) {
        let isFree = task.format == nil
        self.init(marks: isFree ? stops + (task.type == .vqa ? AnswerExtraction.marks : []) : [])
    }

    /// Where the first mark begins; nil when there is none.
    private func end(of text: [Unicode.Scalar]) -> Int? {
        marks.compactMap { mark in
            text.indices.first { text[$0...].starts(with: mark) }
        }.min()
    }

    /// Whether nothing more will be kept.
    func isEnded(_ text: String) -> Bool { end(of: Array(text.unicodeScalars)) != nil }

    /// The answer in the finished `text`.
    func answer(in text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        return Self.string(Self.trimmed(scalars[..<(end(of: scalars) ?? scalars.count)]))
    }

    /// As much of the answer as is certain however `text` goes on: the beginning of the answer in every text that begins so.
    func settled(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        if let end = end(of: scalars) { return Self.string(Self.trimmed(scalars[..<end])) }
        var kept = scalars[...]
        // The text may end within a mark.
        let longest = marks.map(\.count).max() ?? 0
        for length in stride(from: min(longest - 1, scalars.count), to: 0, by: -1)
        where marks.contains(where: { mark in
            length < mark.count && mark.starts(with: scalars.suffix(length))
        }) {
            kept = scalars.dropLast(length)
            break
        }
        return Self.string(Self.trimmed(kept))
    }

    /// `text` without space around it.
    func trimmed(_ text: String) -> String {
        Self.string(Self.trimmed(Array(text.unicodeScalars)[...]))
    }

    private static func trimmed(_ scalars: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar>
    {
        var kept = scalars.drop { $0.properties.isWhitespace }
        while kept.last?.properties.isWhitespace == true { kept.removeLast() }
        return kept
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
