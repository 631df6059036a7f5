//! What `wade model inspect` prints.

internal import Foundation
internal import WadeFlamingo
internal import WadeTensor

/// A bundle in words and numbers.
package struct ModelInspection {
    private let bundle: ModelBundle

    package init(_ bundle: ModelBundle) {
        self.bundle = bundle
    }

    /// The configuration as JSON, parameters by part, memory by precision, and, on wish, every tensor.
    package func text(withTensors: Bool) throws -> String {
        let card = try ModelCard(bundle)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var lines = [String(decoding: try encoder.encode(bundle.configuration), as: UTF8.self), ""]
        for part in card.parts {
            let state = part.isTrained ? "trained" : "frozen"
            lines.append(
                "\(padded(part.name, 16)) \(padded(grouped(part.parameters), 16)) \(state)")
        }
        let frozen = card.parameters - card.trained
        lines.append(
            "\(padded("all", 16)) \(padded(grouped(card.parameters), 16)) "
                + "frozen \(grouped(frozen)), trained \(grouped(card.trained))")
        lines.append("")
        if let precision = bundle.configuration.precision {
            let bytes = bundle.weights.tensors.values.reduce(0) { $0 + $1.byteCount }
            lines.append(
                "\(padded(precision.rawValue, 16)) \(size(bytes)) GB of weights, packed in the file"
            )
        } else {
            let memory = ModelMemory(parameters: card.parameters)
            for name in ModelMemory.precisions {
                lines.append(
                    "\(padded(name, 16)) \(size(memory.bytes(in: name))) GB of weights in memory")
            }
        }
        if withTensors { lines += [""] + (try tensorLines()) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func tensorLines() throws -> [String] {
        try bundle.weights.names.compactMap { name in
            if let packed = try bundle.weights.packed(name) {
                return "\(name) \(packed.precision.rawValue) \(packed.shape), packed"
            }
            return bundle.weights.tensors[name].map {
                "\(name) \($0.elementType.rawValue) \($0.shape)"
            }
        }
    }

    private func size(_ bytes: Int) -> String { String(format: "%.3f", Double(bytes) / 1e9) }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }

    /// 1234567 as 1,234,567.
    private func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
        return String(digits)
    }
}
