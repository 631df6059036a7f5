//! What a bundle's card says about where its files came from.
internal import Foundation

/// The section of a pulled model.
struct PullCard {
    let model: RegisteredModel
    let hub: Hub
    /// The precision that the bundle was quantised to; nil for weights as they were published.
    let quantization: String?
    let files: [PublishedFile]
    /// By repository, as the hub states them.
    let licences: [String: String]

    private var option: String { quantization.map { " --quantize \($0)" } ?? "" }

    /// Markdown.
    var text: String {
        var lines = [
            "## Where it comes from", "",
            "Pulled by `wade model pull \(model.name)\(option)` from \(hub.endpoint.absoluteString).",
            "",
            "| part | repository | commit | licence, as the hub states it |",
            "| --- | --- | --- | --- |",
        ]
        for (part, source) in model.sources {
            let name = source.repository.name
            let commit = files.first { $0.part == part }?.commit ?? ""
            let licence = licences[name] ?? "not stated"
            lines.append("| \(part.rawValue) | \(name) | \(cell(commit)) | \(cell(licence)) |")
        }
        lines += ["", "| file | bytes | checksum |", "| --- | --- | --- |"]
        for file in files {
            let checksum = file.checksum.map { "\($0)" } ?? "nobody stated one"
            lines.append("| \(file.repository.name)/\(file.path) | \(file.size) | \(checksum) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Foreign words that cannot end their cell.
    private func cell(_ text: String) -> String {
        String(text.prefix(100).map { $0 == "|" || $0.isNewline ? " " : $0 })
    }

    /// Appends the section to the card at `path`.
    func append(to path: String) throws(HubError) {
        do {
            let card = try String(contentsOfFile: path, encoding: .utf8)
            try Data((card + text).utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            throw .disk(path: path, action: "write", reason: error.localizedDescription)
        }
    }
}
