//! Files with labels, which people and other programs write: read whole, and complained about with what is wrong.
internal import Foundation
internal import WadePipeline

/// Reads label files.
enum LabelFile {
    /// The bytes of the file at `path`; throws `file`.
    static func read(_ path: PathBytes) throws(PipelineError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: path.text)))
        } catch {
            throw .file(
                path: path.shown, action: "read the labels", reason: error.localizedDescription)
        }
    }

    /// What `error` of Foundation's decoder says, with the way to the value.
    static func reason(_ error: any Error) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
            return path.isEmpty
                ? context.debugDescription
                : "\(path.joined(separator: ".")): \(context.debugDescription)"
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return place(context) + " (no \"\(key.stringValue)\")"
        case DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            return place(context)
        default: return "\(error)"
        }
    }
}
