//! The figures of an evaluation as a table for people and as JSON.
internal import Foundation
package import WadeImage

/// Figures with the words around them.
package struct FewShotReport: Sendable {
    package let figures: [FewShotFigure]

    package init(_ figures: [FewShotFigure]) { self.figures = figures }

    /// Markdown: one table per task and condition, attributes down, shots across.
    package var table: String {
        var text = ""
        for task in unique(figures.map(\.task)) {
            for condition in FewShotCondition.allCases {
                let some = figures.filter { $0.task == task && $0.condition == condition }
                guard !some.isEmpty else { continue }
                text += section(task, condition, some)
            }
        }
        return text
    }

    private func section(
        _ task: String, _ condition: FewShotCondition, _ figures: [FewShotFigure]
    ) -> String {
        let shots = unique(figures.map(\.shots))
        var text = "### \(task), \(condition.rawValue)\n\n| shots | chance |"
        text += shots.map { " \($0) |" }.joined() + "\n| --- | --- |"
        text += shots.map { _ in " --- |" }.joined() + "\n"
        let attributes = unique(figures.map(\.attribute))
        for attribute in attributes {
            let row = figures.filter { $0.attribute == attribute }
            text += "| \(attribute) | \(Self.text(row.first?.chance ?? 0)) |"
            text +=
                shots.map { count in
                    row.first { $0.shots == count }.map { " \(Self.text($0.right)) |" } ?? " |"
                }.joined() + "\n"
        }
        if attributes.count > 1 {
            text += "| all | |"
            text +=
                shots.map { count in
                    let sum = figures.filter { $0.shots == count }
                        .reduce(Proportion()) { $0 + $1.right }
                    return " \(Self.text(sum)) |"
                }.joined() + "\n"
        }
        return text + "\n"
    }

    private static func text(_ value: Double) -> String { String(format: "%.3f", value) }

    private static func text(_ value: Proportion) -> String {
        String(
            format: "%.3f (%.2f–%.2f)", value.share, value.interval.lowerBound,
            value.interval.upperBound)
    }

    /// The plain figures over shots, one line per task, all attributes together.
    package var plot: LinePlot {
        let plain = figures.filter { $0.condition == .plain }
        let shots = unique(plain.map(\.shots)).sorted()
        let lines = unique(plain.map(\.task)).map { task in
            LinePlot.Line(
                name: task,
                points: shots.compactMap { count in
                    let some = plain.filter { $0.task == task && $0.shots == count }
                    guard !some.isEmpty else { return nil }
                    let sum = some.reduce(Proportion()) { $0 + $1.right }
                    return (Double(count), sum.share)
                })
        }
        return LinePlot(
            title: "accuracy over shots", lines: lines, yRange: 0...1, doublesX: true,
            ticks: shots.map(Double.init))
    }

    /// One JSON object per figure, one per line.
    package var jsonLines: String {
        figures.map { figure in
            "{\"attribute\":\"\(figure.attribute)\",\"chance\":\(figure.chance),"
                + "\"condition\":\"\(figure.condition.rawValue)\",\"count\":\(figure.right.count),"
                + "\"high\":\(figure.right.interval.upperBound),"
                + "\"low\":\(figure.right.interval.lowerBound),\"right\":\(figure.right.hits),"
                + "\"share\":\(figure.right.share),\"shots\":\(figure.shots),"
                + "\"task\":\"\(figure.task)\"}\n"
        }.joined()
    }

    private func unique<Value: Hashable>(_ values: [Value]) -> [Value] {
        var seen: Set<Value> = []
        return values.filter { seen.insert($0).inserted }
    }
}
