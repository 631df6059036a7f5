//! Loss curves and scores of a training as a picture.
internal import Foundation
package import WadeImage

/// One row per stage: its losses, and its scores between 0 and 1.
package struct TrainingCurves {
    private let history: TrainingHistory

    /// The curves of a training.jsonl.
    package init(log path: String) { history = TrainingHistory(path: path) }

    private static let (width, height) = (760, 400)

    /// Whether a name's values are losses; scores are shares.
    static func isLoss(_ name: String) -> Bool { name.hasPrefix("loss") || name.hasSuffix("_loss") }

    /// Nil as long as nothing has been logged.
    package var picture: RGBImage? {
        let rows = history.stages.map { stage in
            [
                LinePlot(
                    title: "\(stage): loss over steps", lines: lines(stage) { Self.isLoss($0) }),
                LinePlot(
                    title: "\(stage): scores over steps",
                    lines: lines(stage) { !Self.isLoss($0) }, yRange: 0...1),
            ].map { $0.picture(width: Self.width, height: Self.height) }
        }
        guard !rows.isEmpty else { return nil }
        var pixels: [UInt8] = []
        for row in rows {
            for y in 0..<Self.height {
                for plot in row {
                    pixels += plot.pixels[y * Self.width * 3..<(y + 1) * Self.width * 3]
                }
            }
        }
        return RGBImage(width: 2 * Self.width, height: rows.count * Self.height, pixels: pixels)
    }

    /// The lines of a stage whose names `belong`: those on held-out data first, as they are what counts.
    private func lines(_ stage: String, _ belong: (String) -> Bool) -> [LinePlot.Line] {
        [("held_out", "held out "), ("train", "")].flatMap { kind, word in
            let entries = history.entries(kind, of: stage)
            let names = Set(entries.flatMap(\.values.keys))
                .subtracting(["learning_rate", "gradient_norm"]).filter(belong).sorted()
            return names.map { name in
                LinePlot.Line(
                    name: word + name,
                    points: entries.compactMap { entry in
                        entry.values[name].map { (Double(entry.step), $0) }
                    })
            }
        }
    }

    /// Writes the picture as a PNG; the file appears whole or not at all. Nothing is written as long as nothing has been logged.
    package func write(to path: String) throws {
        guard let picture else { return }
        do {
            try Data(try PNG.encode(picture)).write(
                to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw TrainingError.file(
                path: path, found: error.localizedDescription, expected: "a file to write")
        }
    }
}
