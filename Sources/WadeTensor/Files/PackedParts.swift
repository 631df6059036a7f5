//! What a model packed while it was built, for writing a bundle that need not be packed again.
internal import Synchronization

/// The packed matrices of a model by their names.
package final class PackedParts: Sendable {
    private let parts = Mutex<[String: PanelMatrix]>([:])

    /// Nothing yet.
    package init() {}

    func add(_ name: String, _ panels: PanelMatrix) {
        parts.withLock { $0[name] = panels }
    }

    /// The names of what was packed, sorted by their bytes.
    package var names: [String] { sortedByBytes(parts.withLock { Array($0.keys) }) }

    /// Adds every packed matrix to `writer`, whose metadata must be `metadata`.
    package func write(to writer: inout SafetensorsWriter) {
        let parts = parts.withLock { $0 }
        for name in names {
            guard let panels = parts[name] else { continue }
            writer.add(name, panels)
            if let fourBit = panels.fourBit {
                writer.add(
                    name + PackedTensor.scalesSuffix, bytes: unsafe Array(fourBit.scaleBytes),
                    elementType: .bfloat16, shape: [fourBit.layout.scaleCount])
            }
            guard panels.precision == .int8 else { continue }
            writer.add(
                name + PackedTensor.scalesSuffix,
                Tensor(Array(panels.scales.prefix(panels.outputs)), shape: [panels.outputs]))
        }
    }

    /// How every packed matrix lies, for the metadata of the file that holds them.
    package var metadata: [String: String] {
        let parts = parts.withLock { $0 }
        return Dictionary(
            uniqueKeysWithValues: parts.map { name, panels in
                (
                    PackedTensor.metadataPrefix + name,
                    "\(panels.keptPrecision.rawValue) \(panels.outputs)x\(panels.inputs) "
                        + (panels.fourBit == nil ? panels.layout.text : PackedTensor.fourBitLayout)
                )
            })
    }
}
