//! What can be wrong with a model or with what it is asked.
internal import WadeTensor

/// Errors of the model room: each says where, what was found and what was expected.
package enum FlamingoError: Error, Equatable, CustomStringConvertible {
    /// A field of a configuration is missing, unknown or contradicts another.
    case configuration(field: String, found: String, expected: String)
    /// A file of a model is missing or of another kind.
    case file(path: String, found: String, expected: String)
    /// A clip has more frames than the model has temporal embeddings for.
    case tooManyFrames(found: Int, expected: Int)
    /// Pixels of another shape than the vision encoder takes.
    case pixels(found: String, expected: String)
    /// A token id outside the vocabulary.
    case tokenOutOfRange(id: Int, vocabularySize: Int)
    /// A request that no answer can satisfy.
    case request(found: String, expected: String)

    package var description: String { oneLine(message) }

    private var message: String {
        switch self {
        case .configuration(let field, let found, let expected):
            return "\(field): found \(found), expected \(expected)"
        case .file(let path, let found, let expected):
            return "\(path): found \(found), expected \(expected)"
        case .tooManyFrames(let found, let expected):
            return "clip: found \(found) frames, expected at most \(expected)"
        case .pixels(let found, let expected):
            return "pixels: found \(found), expected \(expected)"
        case .tokenOutOfRange(let id, let size):
            return "token: found id \(id), expected 0 to \(size - 1)"
        case .request(let found, let expected):
            return "request: found \(found), expected \(expected)"
        }
    }
}
