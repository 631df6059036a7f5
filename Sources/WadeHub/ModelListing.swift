//! What `wade model list` prints: models that are here, models that can be had, what each needs.
internal import Foundation
internal import WadePipeline

/// The models of a registry and of this machine.
package struct ModelListing: Sendable {
    private let registry: ModelRegistry
    private let cache: HubCache
    /// Bundles by name.
    private let here: [(name: String, folder: String)]
    /// Bytes of this machine's memory.
    private let memory: Int?

    package init(
        _ registry: ModelRegistry, cache: HubCache, here: [(name: String, folder: String)],
        memory: Int?
    ) {
        self.registry = registry
        self.cache = cache
        self.here = here
        self.memory = memory
    }

    /// A table for people.
    package var text: String {
        let precisions = ModelMemory.precisions
        var rows = [["model", "here"] + precisions + ["download", "about"]]
        for (name, folder) in here {
            let model = registry.models.first { $0.name == name }
            do {
                let memory = try ModelMemory(bundle: folder)
                let kept = memory.stored.map { ", \($0.precision)" } ?? ""
                rows.append(
                    [name, "yes" + kept] + sizes(memory) + [
                        "-", model?.about ?? PathBytes(folder).shown,
                    ])
            } catch {
                rows.append(
                    [name, "damaged"] + precisions.map { _ in "-" } + ["-", "\(error)"])
            }
        }
        for model in registry.models where !here.contains(where: { $0.name == model.name }) {
            let needs = model.parameters.map { sizes(ModelMemory(parameters: $0)) }
            let loaded = model.parts.values.reduce(0) { $0 + cache.bytes(of: $1.repository.name) }
            rows.append(
                [model.name, loaded > 0 ? "\(ByteText.of(loaded)) of files" : "no"]
                    + (needs ?? precisions.map { _ in "unknown" })
                    + [model.downloadSize.map(ByteText.of) ?? "unknown", model.about])
        }
        return (table(rows) + notes).joined(separator: "\n") + "\n"
    }

    /// The memory of the weights in each precision, marked where that is too much.
    private func sizes(_ model: ModelMemory) -> [String] {
        ModelMemory.precisions.map { precision in
            // What has been rounded answers in its own precision.
            if let stored = model.stored, stored.precision != precision { return "-" }
            let fits = memory.map { model.fits(in: precision, machine: $0) } ?? true
            return ByteText.of(model.bytes(in: precision)) + (fits ? "" : " *")
        }
    }

    private func table(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return String(
                cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
    }

    private var notes: [String] {
        var notes = ["", "Memory is that of the weights, as large layers keep them."]
        if let memory {
            notes.append("This machine has \(ByteText.of(memory)); * is more than fits.")
        }
        notes.append("wade model pull NAME gets a model that is not here.")
        let licences = registry.models.filter { $0.licence != "unknown" }
        notes += licences.map { "\($0.name): licence \($0.licence)" }
        return notes
    }
}

extension HubCache {
    /// Bytes that a repository's contents take on the disk, unfinished ones as far as they have come.
    func bytes(of repository: String) -> Int {
        let blobs = folder(of: repository) + "/blobs"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: blobs)) ?? []
        return names.reduce(0) { $0 + Self.bytesOnDisk(blobs + "/" + $1) }
    }
}
