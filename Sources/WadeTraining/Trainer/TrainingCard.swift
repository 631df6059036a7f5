//! `card.md` of a model that `wade train` made: what was trained, for how long, on what machine, and to which scores.
internal import Foundation
internal import WadePipeline

/// What a card says beside what the log of the training says.
struct TrainingCard {
    /// A stage and what it trained on.
    struct Stage {
        let name: String
        /// What a step sees and how, such as `4 × 16 clips, bfloat16`.
        let batch: String
        let settings: StageSettings
    }

    let name: String
    /// Sentences about the model and what it was made from.
    let introduction: [String]
    /// Whether a part of the model, such as `resampler`, was trained.
    let isTrained: (String) -> Bool
    let stages: [Stage]
    let history: TrainingHistory

    /// Markdown for the bundle's folder; `model` counts what the bundle holds.
    func text(_ model: ModelCard) -> String {
        let parts = model.parts.filter { $0.parameters > 0 }.map {
            "| \($0.name) | \($0.parameters) | \(isTrained($0.name) ? "trained" : "frozen") |"
        }
        let rows = stages.map(row)
        let scores = stages.flatMap { self.scores(of: $0.name) }
        let machine =
            history.machines.isEmpty ? "" : "On " + history.machines.joined(separator: "; ") + ".\n"
        let table =
            scores.isEmpty
            ? "Nothing was held out: nobody knows how it does on other clips.\n"
            : """
            | stage | held out | at the start | at the end |
            | --- | --- | --- | --- |
            \(scores.joined(separator: "\n"))

            """
        return """
            # \(name)

            \(introduction.joined(separator: " "))

            | part | parameters | here |
            | --- | --- | --- |
            \(parts.joined(separator: "\n"))

            ## Training

            \(machine)
            | stage | steps | a step sees | learning rate | seed | wall time |
            | --- | --- | --- | --- | --- | --- |
            \(rows.joined(separator: "\n"))

            \(table)
            ![losses and scores over steps](curves.png)

            """
    }

    /// Writes `card.md` beside the bundle that is in `folder`.
    func write(to folder: String) throws {
        let text = text(try ModelCard(ModelBundle(path: folder)))
        try Data(text.utf8).write(
            to: URL(fileURLWithPath: folder + "/card.md"), options: .atomic)
    }

    private func row(_ stage: Stage) -> String {
        let time = history.seconds[stage.name].map {
            TrainingProgress.duration(Int($0.rounded()))
        }
        return "| \(stage.name) | \(stage.settings.steps) | \(stage.batch) | "
            + "\(stage.settings.learningRate) | \(stage.settings.seed) | \(time ?? "not logged") |"
    }

    /// The first and the last score of each kind.
    private func scores(of stage: String) -> [String] {
        let entries = history.entries("held_out", of: stage)
        guard let first = entries.first, let last = entries.last else { return [] }
        return last.values.keys.sorted().map { name in
            let start =
                first.step < last.step ? first.values[name].map { Self.text($0, first.step) } : nil
            return "| \(stage) | \(name.replacing("_", with: " ")) | \(start ?? "") | "
                + "\(last.values[name].map { Self.text($0, last.step) } ?? "") |"
        }
    }

    private static func text(_ value: Double, _ step: Int) -> String {
        String(format: "%.3f", value) + " (step \(step))"
    }
}
