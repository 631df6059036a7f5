//! The part of a generated text that counts as the answer, cut as open_flamingo's evaluation cuts it.

/// What stands before the model starts to write the next example of its prompt.
package enum AnswerExtraction {
    /// What a question's answer ends before.
    static let marks = markers + [", "]
    private static let markers = ["Question", "Answer", "Short"]

    /// A question's answer: the text before "Question", "Answer" or "Short", and of that the text before ", ".
    package static func answer(in generated: String) -> String {
        let ends = markers.compactMap { start(of: $0, in: generated) }
        let first = String(generated[..<(ends.min() ?? generated.endIndex)])
        return start(of: ", ", in: first).map { String(first[..<$0]) } ?? first
    }

    /// A caption: the text before "Output", without double quotes.
    package static func caption(in generated: String) -> String {
        let end = start(of: "Output", in: generated) ?? generated.endIndex
        return generated[..<end].filter { $0 != "\"" }
    }

    /// Where `marker` begins first, compared byte by byte as Python compares characters.
    private static func start(of marker: String, in text: String) -> String.Index? {
        let (bytes, wanted) = (text.utf8, Array(marker.utf8))
        var position = bytes.startIndex
        while position < bytes.endIndex {
            if bytes[position...].starts(with: wanted) { return position }
            position = bytes.index(after: position)
        }
        return nil
    }
}
