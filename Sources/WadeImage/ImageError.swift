//! What can be wrong with the pictures and preprocessing descriptions that come from outside.

/// Errors of the image room: each names where, what was found and what was expected.
package enum ImageError: Error, Equatable, CustomStringConvertible {
    /// A preprocessing description that no picture can be prepared by.
    case invalidPreprocessing(field: String, found: String, expected: String)
    /// A picture that would be too large to compose or to write.
    case tooLarge(what: String, width: Int, height: Int, limit: String)
    /// zlib could not compress; the status is zlib's own.
    case compressionFailed(status: Int)

    package var description: String {
        switch self {
        case .invalidPreprocessing(let field, let found, let expected):
            return "preprocessing: \(field): found \(found), expected \(expected)"
        case .tooLarge(let what, let width, let height, let limit):
            return "\(what): found \(width)x\(height) pixels, expected at most \(limit)"
        case .compressionFailed(let status):
            return "png: zlib returned status \(status), expected 0"
        }
    }
}
