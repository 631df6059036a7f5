//! What an evaluation found, for people and for programs.
internal import Foundation
package import WadeImage

/// The result of one condition.
package struct ConditionResult: Sendable, Equatable, Codable {
    /// Demonstrations.
    package let shots: Int
    /// How they were chosen.
    package let policy: DemonstrationPolicy
    /// What drew them; missing where nothing was drawn.
    package let seed: Int?
    /// The file of the records, beside the result.
    package let records: String
    /// Items without an answer, by reason; they count as wrong.
    package let unanswered: [String: Int]
    /// Questions whose video was among their demonstrations in a file of another name: what they were asked was shown to them.
    package let shown: Int
    /// Questions for which fewer demonstrations were left than wanted: the others count as copies of their clips.
    package let short: Int
    /// By metric.
    package let scores: [String: Double]

    private enum CodingKeys: String, CodingKey {
        case shots, policy, seed, records, unanswered
        case shown = "shown_in_demonstrations"
        case short = "fewer_demonstrations"
        case scores
    }

    init(
        _ condition: Condition, records: String, unanswered: [String: Int], shown: Int,
        short: Int, scores: [(Metric, Double)]
    ) {
        shots = condition.shots
        policy = condition.policy
        self.short = short
        seed = condition.seed
        self.records = records
        self.unanswered = unanswered
        self.shown = shown
        self.scores = Dictionary(
            scores.map { ($0.0.rawValue, $0.1) }, uniquingKeysWith: { one, _ in one })
    }
}

/// A score at a number of shots: the mean over seeds.
package struct ScoreFigure: Sendable, Equatable, Codable {
    /// The metric.
    package let metric: Metric
    /// Demonstrations.
    package let shots: Int
    /// How they were chosen.
    package let policy: DemonstrationPolicy
    /// The mean over seeds.
    package let mean: Double
    /// The ends of the 95 % interval over items.
    package let low: Double
    package let high: Double
    /// The score of each seed.
    package let seeds: [Double]
}

/// A score behind retrieved demonstrations less that behind as many fixed ones, item by item.
package struct ScoreDifference: Sendable, Equatable, Codable {
    /// The metric.
    package let metric: Metric
    /// Demonstrations.
    package let shots: Int
    /// The difference of the means over seeds.
    package let mean: Double
    /// The ends of the 95 % interval over items, each of which counts for both.
    package let low: Double
    package let high: Double
}

/// All figures of an evaluation.
package struct EvaluationResult: Sendable {
    /// By condition.
    package let conditions: [ConditionResult]
    /// By number of shots, policy and metric.
    package let figures: [ScoreFigure]
    /// What retrieving gains over fixed demonstrations, by number of shots and metric; empty unless both were asked.
    package let differences: [ScoreDifference]
    /// Demonstrations that could not be used, and why; others took their places.
    package let barred: [(path: String, reason: String)]
    /// Items asked about.
    package let items: Int

    /// Answers that are missing, over all conditions.
    package var unanswered: Int {
        conditions.reduce(0) { $0 + $1.unanswered.values.reduce(0, +) }
    }
}

/// What was evaluated, in words.
package struct EvaluationSubject: Sendable, Codable {
    /// The label file and its layout.
    package var labels: String
    package var layout: String
    /// Where demonstrations come from.
    package var pool: String
    /// The pipeline, the task, the model and the hash of its weights.
    package var pipeline: String
    package var task: String
    package var model: String
    package var weightsSHA256: String
    /// Items asked about.
    package var items: Int
    /// Entries of the label file without a label, with a video that was not found, and of other splits: all left out.
    package var unlabelled: Int
    package var missing: Int
    package var otherSplits: Int
    /// Seeds and orders of the demonstrations.
    package var seeds: [Int]
    package var orders: Int
    /// Whether likelihoods are means over tokens.
    package var isLengthNormalized: Bool
    /// Drawings behind each interval.
    package var resamples: Int
    /// What else is to be known.
    package var notes: [String]

    private enum CodingKeys: String, CodingKey {
        case labels, layout, pool, pipeline, task, model
        case weightsSHA256 = "weights_sha256"
        case items, unlabelled, missing
        case otherSplits = "other_splits"
        case seeds, orders
        case isLengthNormalized = "length_normalized"
        case resamples, notes
    }

    /// What was evaluated; counts are 0 until they are set.
    package init(
        labels: String, layout: LabelLayout, pool: String, pipeline: String, task: String,
        model: String, weightsSHA256: String, items: Int, settings: EvaluationSettings
    ) {
        self.labels = labels
        self.layout = layout.rawValue
        self.pool = pool
        self.pipeline = pipeline
        self.task = task
        self.model = model
        self.weightsSHA256 = weightsSHA256
        self.items = items
        unlabelled = 0
        missing = 0
        otherSplits = 0
        seeds = settings.seeds
        orders = settings.orders
        isLengthNormalized = settings.isLengthNormalized
        resamples = settings.bootstrap.resamples
        notes = []
    }
}

/// The result with what it is about.
package struct EvaluationReport: Sendable {
    /// The name of the layout of the JSON.
    package static let schema = "wade.evaluation/1"

    private let subject: EvaluationSubject
    private let result: EvaluationResult

    /// A report.
    package init(_ subject: EvaluationSubject, _ result: EvaluationResult) {
        self.subject = subject
        self.result = result
    }

    private var metrics: [Metric] {
        Metric.allCases.filter { metric in result.figures.contains { $0.metric == metric } }
    }

    /// Number of shots and policy of every row.
    private var rows: [(shots: Int, policy: DemonstrationPolicy)] {
        var rows: [(shots: Int, policy: DemonstrationPolicy)] = []
        for figure in result.figures
        where !rows.contains(where: { $0 == (figure.shots, figure.policy) }) {
            rows.append((figure.shots, figure.policy))
        }
        return rows
    }

    private var retrieves: Bool { result.conditions.contains { $0.policy == .rices } }

    private func figure(_ metric: Metric, _ shots: Int, _ policy: DemonstrationPolicy)
        -> ScoreFigure?
    {
        result.figures.first {
            $0.metric == metric && $0.shots == shots && $0.policy == policy
        }
    }

    /// Markdown: shots down, metrics across, and below what was left out. Where demonstrations were both fixed and retrieved, a row
    /// has what the retrieved ones gain.
    package var table: String {
        var table = [["shots"] + metrics.map(\.name) + ["no answer"]]
        for (shots, policy) in rows {
            let isNamed = retrieves && policy != .none
            let scores = metrics.map { metric in
                figure(metric, shots, policy).map {
                    String(format: "%.3f (%.3f–%.3f)", $0.mean, $0.low, $0.high)
                } ?? "–"
            }
            let missing = result.conditions.filter { $0.shots == shots && $0.policy == policy }
                .map { String($0.unanswered.values.reduce(0, +)) }.joined(separator: " ")
            table.append(["\(shots)" + (isNamed ? " \(policy.rawValue)" : "")] + scores + [missing])
            let differences = result.differences.filter { $0.shots == shots }
            guard policy == .rices, !differences.isEmpty else { continue }
            let gains = metrics.map { metric in
                differences.first { $0.metric == metric }.map {
                    String(format: "%+.3f (%+.3f to %+.3f)", $0.mean, $0.low, $0.high)
                } ?? "–"
            }
            table.append(["\(shots) rices − fixed"] + gains + [""])
        }
        let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            "| "
                + zip(row, widths).map {
                    $0 + String(repeating: " ", count: $1 - $0.count)
                }.joined(separator: " | ") + " |"
        }
        let rule = "| " + widths.map { String(repeating: "-", count: $0) }.joined(separator: " | ")
        return ([line(table[0]), rule + " |"] + table.dropFirst().map(line) + [""] + remarks)
            .joined(separator: "\n") + "\n"
    }

    private var remarks: [String] {
        var remarks = [
            "task \(subject.task) of \(subject.pipeline), model \(subject.model), \(subject.items) items of \(subject.labels)",
            "demonstrations from \(subject.pool), seeds \(subject.seeds.map(String.init).joined(separator: " ")); "
                + "means over seeds, 95 % intervals over items (\(subject.resamples) drawings)",
        ]
        if !result.differences.isEmpty {
            remarks.append("rices − fixed: the same items in both, drawn together")
        }
        for (count, what) in [
            (subject.missing, "whose video was not found"), (subject.unlabelled, "without a label"),
            (subject.otherSplits, "of other splits"),
        ] where count > 0 {
            remarks.append("left out: \(count) \(what)")
        }
        for (path, reason) in result.barred {
            remarks.append("no demonstration: \(path): \(reason)")
        }
        for condition in result.conditions where !condition.unanswered.isEmpty {
            let codes = condition.unanswered.sorted { $0.key < $1.key }
                .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            remarks.append("counted as wrong: \(condition.records): \(codes)")
        }
        for condition in result.conditions where condition.shown > 0 {
            remarks.append(
                "\(condition.records): \(condition.shown) questions had their own video among the demonstrations, in a file of another name"
            )
        }
        for condition in result.conditions where condition.short > 0 {
            remarks.append(
                "\(condition.records): \(condition.short) questions had fewer than \(condition.shots) demonstrations, since the rest of the pool looks like copies of their clips"
            )
        }
        return remarks + subject.notes
    }

    private struct Document: Encodable {
        let schema: String
        let subject: EvaluationSubject
        let conditions: [ConditionResult]
        let scores: [ScoreFigure]
        let differences: [ScoreDifference]
        let barred: [String: String]

        private enum CodingKeys: String, CodingKey {
            case schema, subject, conditions, scores
            case differences = "rices_minus_fixed"
            case barred = "barred_demonstrations"
        }
    }

    /// One JSON object.
    package func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let document = Document(
            schema: Self.schema, subject: subject, conditions: result.conditions,
            scores: result.figures, differences: result.differences,
            barred: Dictionary(
                result.barred.map { ($0.path, $0.reason) }, uniquingKeysWith: { one, _ in one }))
        return Array(try encoder.encode(document)) + [UInt8(ascii: "\n")]
    }

    /// Each metric over the shots, one line for each policy; what retrieving gains, with its intervals.
    package var plot: LinePlot {
        let counts = Set(result.figures.map(\.shots)).sorted()
        let policies = DemonstrationPolicy.allCases.filter { policy in
            policy != .none && result.conditions.contains { $0.policy == policy }
        }
        var lines: [LinePlot.Line] = []
        for metric in metrics {
            // Without demonstrations all policies are the same; there may be nothing else.
            for policy in policies.isEmpty ? [.none] : policies {
                lines.append(
                    LinePlot.Line(
                        name: metric.name + (retrieves ? " \(policy.rawValue)" : ""),
                        points: counts.compactMap { count in
                            (figure(metric, count, policy) ?? figure(metric, count, .none))
                                .map { (Double(count), $0.mean) }
                        }))
            }
            let gains = result.differences.filter { $0.metric == metric }
                .sorted { $0.shots < $1.shots }
            guard !gains.isEmpty else { continue }
            lines.append(
                LinePlot.Line(
                    name: "\(metric.name) rices - fixed",
                    points: gains.map { (Double($0.shots), $0.mean) },
                    intervals: gains.map { (Double($0.shots), $0.low, $0.high) }))
        }
        let largest = result.figures.map(\.mean) + result.differences.map(\.high)
        let least = result.differences.map(\.low)
        return LinePlot(
            title: "\(subject.task): score over shots", lines: lines,
            yRange: min(0, least.min() ?? 0)...max(1, largest.max() ?? 1),
            doublesX: true, ticks: counts.map(Double.init))
    }
}
