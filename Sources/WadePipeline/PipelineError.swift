//! What can stop a run before or during its work; what fails for one clip only is a `ClipFailure`.

/// Errors of the pipeline room: each says where, what was found and what was expected.
package enum PipelineError: Error, Equatable, CustomStringConvertible {
    /// A pipeline or demonstrations file says something that cannot be followed; `place` is file:line:column.
    case pipeline(place: String, found: String, expected: String)
    /// A file of ours cannot be opened, read or written.
    case file(path: String, action: String, reason: String)
    /// Another run holds the output.
    case locked(path: String, holder: String)
    /// A number that JSON cannot say.
    case notFinite(field: String, found: String)
    /// A line that is no annotation record.
    case record(field: String, found: String, expected: String)
    /// What a user asks for contradicts itself.
    case request(found: String, expected: String)
    /// The machine lacks what every clip needs.
    case system(String)
    /// The reader of the output has gone away (EPIPE).
    case readerGone

    package var description: String {
        switch self {
        case .pipeline(let place, let found, let expected):
            return "\(place): found \(found), expected \(expected)"
        case .file(let path, let action, let reason):
            return "\(path): cannot \(action): \(reason)"
        case .locked(let path, let holder):
            return "\(path): another run holds this output: \(holder)"
        case .notFinite(let field, let found):
            return "\(field): found \(found), expected a finite number"
        case .record(let field, let found, let expected):
            return "\(field): found \(found), expected \(expected)"
        case .request(let found, let expected):
            return "found \(found), expected \(expected)"
        case .system(let reason):
            return "no clip can be decoded: \(reason)"
        case .readerGone:
            return "standard output: the reader has gone away"
        }
    }
}
