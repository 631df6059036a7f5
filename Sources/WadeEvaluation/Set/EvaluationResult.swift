//! What an evaluation found, for people and for programs.
internal import Foundation
package import WadeImage

/// The result of one number of shots with one seed.
package struct ConditionResult: Sendable, Equatable, Codable {
    /// Demonstrations.
    package let shots: Int
    /// What drew them; missing at 0 shots.
    package let seed: Int?
    /// The file of the records, beside the result.
    package let records: String
    /// Items without an answer, by reason; they count as wrong.
    package let unanswered: [String: Int]
    /// Questions whose video was among their demonstrations in a file of another name: what they were asked was shown to them.
    package let shown: Int
    /// By metric.
    package let scores: [String: Double]

    private enum CodingKeys: String, CodingKey {
        case shots, seed, records, unanswered
        case shown = "shown_in_demonstrations"
        case scores
    }

    init(
        _ condition: Condition, records: String, unanswered: [String: Int], shown: Int,
        scores: [(Metric, Double)]
    ) {
        shots = condition.shots
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
    /// The mean over seeds.
    package let mean: Double
    /// The ends of the 95 % interval over items.
    package let low: Double
    package let high: Double
    /// The score of each seed.
    package let seeds: [Double]
}

/// All figures of an evaluation.
package struct EvaluationResult: Sendable {
    /// By condition.
    package let conditions: [ConditionResult]
    /// By number of shots and metric.
    package let figures: [ScoreFigure]
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

    private var shots: [Int] {
        var shots: [Int] = []
        for figure in result.figures where !shots.contains(figure.shots) {
            shots.append(figure.shots)
        }
        return shots
    }

    /// Markdown: shots down, metrics across, and below what was left out.
    package var table: String {
        var rows = [["shots"] + metrics.map(\.name) + ["no answer"]]
        for count in shots {
            var row = ["\(count)"]
            for metric in metrics {
                let figure = result.figures.first { $0.shots == count && $0.metric == metric }
                row.append(
                    figure.map {
                        String(format: "%.3f (%.3f–%.3f)", $0.mean, $0.low, $0.high)
                    } ?? "–")
            }
            let missing = result.conditions.filter { $0.shots == count }
                .map { String($0.unanswered.values.reduce(0, +)) }
            row.append(missing.joined(separator: " "))
            rows.append(row)
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            "| "
                + zip(row, widths).map {
                    $0 + String(repeating: " ", count: $1 - $0.count)
                }.joined(separator: " | ") + " |"
        }
        let rule = "| " + widths.map { String(repeating: "-", count: $0) }.joined(separator: " | ")
        return ([line(rows[0]), rule + " |"] + rows.dropFirst().map(line) + [""] + remarks)
            .joined(separator: "\n") + "\n"
    }

    private var remarks: [String] {
        var remarks = [
            "task \(subject.task) of \(subject.pipeline), model \(subject.model), \(subject.items) items of \(subject.labels)",
            "demonstrations from \(subject.pool), seeds \(subject.seeds.map(String.init).joined(separator: " ")); "
                + "means over seeds, 95 % intervals over items (\(subject.resamples) drawings)",
        ]
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
        return remarks + subject.notes
    }

    private struct Document: Encodable {
        let schema: String
        let subject: EvaluationSubject
        let conditions: [ConditionResult]
        let scores: [ScoreFigure]
        let barred: [String: String]

        private enum CodingKeys: String, CodingKey {
            case schema, subject, conditions, scores
            case barred = "barred_demonstrations"
        }
    }

    /// One JSON object.
    package func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let document = Document(
            schema: Self.schema, subject: subject, conditions: result.conditions,
            scores: result.figures,
            barred: Dictionary(
                result.barred.map { ($0.path, $0.reason) }, uniquingKeysWith: { one, _ in one }))
        return Array(try encoder.encode(document)) + [UInt8(ascii: "\n")]
    }

    /// Each metric over the shots.
    package var plot: LinePlot {
        let counts = shots.sorted()
        let lines = metrics.map { metric in
            LinePlot.Line(
                name: metric.name,
                points: counts.compactMap { count in
                    result.figures.first { $0.shots == count && $0.metric == metric }
                        .map { (Double(count), $0.mean) }
                })
        }
        let largest = result.figures.map(\.mean).max() ?? 1
        return LinePlot(
            title: "\(subject.task): score over shots", lines: lines, yRange: 0...max(1, largest),
            doublesX: true, ticks: counts.map(Double.init))
    }
}
