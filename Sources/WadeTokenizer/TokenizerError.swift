//! What can be wrong with a tokenizer file, and with the ids given to a tokenizer.

/// Errors of the tokenizer room: each names the file, the place in it, what was found and what was expected.
package enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// The file cannot be opened or read.
    case unreadable(file: String, reason: String)
    /// The file is larger than any tokenizer; `bytes` and `limit` are in bytes.
    case tooLarge(file: String, bytes: Int, limit: Int)
    /// The file is not what its format promises.
    case malformed(file: String, place: String, found: String, expected: String)
    /// The file asks for a kind of tokenizer, or of step in one, that this room does not have.
    case unsupported(file: String, place: String, name: String, supported: String)
    /// An id that names no token was to be decoded.
    case unknownIdentifier(Int, vocabularyCount: Int)

    package var description: String { oneLine(message) }

    private var message: String {
        switch self {
        case .unreadable(let file, let reason):
            return "\(file): cannot be read: \(reason)"
        case .tooLarge(let file, let bytes, let limit):
            return "\(file): found \(bytes) bytes, expected at most \(limit)"
        case .malformed(let file, let place, let found, let expected):
            return "\(file): \(place): found \(found), expected \(expected)"
        case .unsupported(let file, let place, let name, let supported):
            return "\(file): \(place): found \(name), which is not supported, expected \(supported)"
        case .unknownIdentifier(let id, let count):
            return "decoding: found id \(id), expected an id of the \(count) tokens"
        }
    }
}

/// `message` in one line: names and values in it come out of foreign files, and it may reach a terminal, which obeys controls.
func oneLine(_ message: String) -> String {
    message.unicodeScalars.reduce(into: "") { line, scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            line += scalar.escaped(asASCII: true)
        default: line.unicodeScalars.append(scalar)
        }
    }
}
