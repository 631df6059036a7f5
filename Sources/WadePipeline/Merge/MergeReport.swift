//! What joining parts has found, in numbers and in words.

/// The result of a merge.
package struct MergeReport: Sendable, Equatable {
    /// Lines of the merged output.
    package var lines = 0
    /// Lines among them that say an error.
    package var failures = 0
    /// Parts and outputs that were read.
    package var sources = 0
    /// Lines that said the same as another file's, and were left out.
    package var repeated = 0
    /// Answers behind shots that have changed since; those behind the later shots are there instead.
    package var outdated = 0
    /// Files of the folders without a record for every task, the first of them, and how many there are.
    package var missing: [PathBytes] = []
    package var missingCount = 0
    /// What else is wrong, a sentence each.
    package var complaints: [String] = []

    /// Files that are named.
    package static let mostNamed = 20

    /// 0 when everything is there, 3 when something is missing, in doubt or failed, 4 when nothing else than that is there.
    package var exitCode: Int32 {
        if missingCount == 0, complaints.isEmpty, failures == 0 { return 0 }
        return lines > failures ? 3 : 4
    }

    /// One sentence for people.
    package var text: String {
        var parts = ["\(lines) lines from \(sources) files"]
        if repeated > 0 { parts.append("\(repeated) that were there twice left out") }
        if outdated > 0 { parts.append("\(outdated) behind earlier shots left out") }
        if failures > 0 { parts.append("\(failures) say an error") }
        if missingCount > 0 { parts.append("\(missingCount) files without all their records") }
        return parts.joined(separator: ", ")
    }
}
