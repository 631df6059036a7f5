//! The texts that a cluster's scheduler is given, with gaps for what differs from job to job.

/// A text with gaps: `{{word}}`.
package struct ClusterTemplate: Sendable {
    /// An sbatch script for an array of tasks and the merge behind them.
    package static let slurm = String(decoding: PackageResources.slurm_sbatch, as: UTF8.self)
    /// Two Kubernetes jobs: an indexed one, and the merge.
    package static let kubernetes = String(
        decoding: PackageResources.kubernetes_yaml, as: UTF8.self)

    private let text: String
    private let name: String

    /// The template `text`, called `name` in messages.
    package init(_ text: String, name: String) {
        self.text = text
        self.name = name
    }

    /// The template in the file at `path`.
    package init(readingFrom path: PathBytes) throws(PipelineError) {
        self.init(
            String(decoding: try SmallFile.read(path), as: UTF8.self), name: path.shown)
    }

    /// The text with its gaps filled by `values`, whose characters are taken as they are. Throws `pipeline` at a gap that nobody knows
    /// how to fill; a value that no gap asks for is none of its business.
    package func filled(_ values: [String: String]) throws(PipelineError) -> String {
        var lines: [String] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            var filled = ""
            var rest = line[...]
            while let start = rest.firstRange(of: "{{"),
                let end = rest[start.upperBound...].firstRange(of: "}}")
            {
                let word = String(rest[start.upperBound..<end.lowerBound])
                guard let value = values[word] else {
                    throw .pipeline(
                        place: "\(name):\(number + 1)",
                        found: "the gap {{\(PathBytes(word).shown)}}",
                        expected: "one of " + values.keys.sorted().joined(separator: ", "))
                }
                filled += rest[..<start.lowerBound] + value
                rest = rest[end.upperBound...]
            }
            lines.append(filled + rest)
        }
        return lines.joined(separator: "\n")
    }
}
