//! From the names of a published checkpoint to Wade's own: tables of patterns, pure functions of names.

/// One line of a table: a published name, the parameter it belongs to, and how it gets there.
///
/// Patterns are names whose parts between dots may be placeholders: `{i}` stands for one part, `{*}` for all that follow.
package struct RenameRule: Sendable {
    /// The published name.
    let published: String
    /// Wade's name; nil for what is left out on purpose.
    let canonical: String?
    /// Where the rows go when several published tensors make up one parameter.
    let part: Int
    let change: Change

    /// What happens to the values on the way.
    package enum Change: Sendable, Equatable {
        case none
        /// Stored as (in, out), used as (out, in).
        case transposed
        /// Rows stand head by head as [q, k, v] and are sorted into all q, all k, all v (GPT-NeoX).
        case headwiseQueryKeyValue
    }

    static func rename(
        _ published: String, _ canonical: String, part: Int = 0, _ change: Change = .none
    ) -> RenameRule {
        RenameRule(published: published, canonical: canonical, part: part, change: change)
    }

    static func leaveOut(_ published: String) -> RenameRule {
        RenameRule(published: published, canonical: nil, part: 0, change: .none)
    }
}

/// A family's spelling of the parameters: the first rule that fits a name decides.
package struct RenameTable: Sendable {
    /// With the parts between the dots of each rule's published name.
    private let rules: [(rule: RenameRule, parts: [Substring])]

    package init(_ rules: [RenameRule]) {
        self.rules = rules.map {
            ($0, $0.published.split(separator: ".", omittingEmptySubsequences: false))
        }
    }

    /// What becomes of a published name.
    package enum Outcome: Sendable, Equatable {
        case parameter(name: String, part: Int, change: RenameRule.Change)
        case leftOut
        case unknown
    }

    /// Looks a published name up.
    package func outcome(for name: String) -> Outcome {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        for (rule, wanted) in rules {
            guard let bound = Self.match(wanted, parts) else { continue }
            guard let canonical = rule.canonical else { return .leftOut }
            return .parameter(
                name: Self.fill(canonical, bound), part: rule.part, change: rule.change)
        }
        return .unknown
    }

    private static func match(
        _ wanted: [Substring], _ parts: [Substring]
    ) -> [Substring: Substring]? {
        var bound: [Substring: Substring] = [:]
        for (index, want) in wanted.enumerated() {
            if want == "{*}" {
                guard index < parts.count, let first = parts.dropFirst(index).first,
                    let last = parts.last
                else { return nil }
                bound[want] = first.base[first.startIndex..<last.endIndex]
                return bound
            }
            guard index < parts.count else { return nil }
            if want.hasPrefix("{") {
                bound[want] = parts[index]
            } else if want != parts[index] {
                return nil
            }
        }
        return wanted.count == parts.count ? bound : nil
    }

    private static func fill(_ pattern: String, _ bound: [Substring: Substring]) -> String {
        pattern.split(separator: ".", omittingEmptySubsequences: false)
            .map { bound[$0] ?? $0 }.joined(separator: ".")
    }
}
