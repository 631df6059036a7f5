//! What can be wrong with weights and the files that hold them.

/// Errors of the tensor room: each names the file, the tensor, what was found and what was expected.
package enum TensorError: Error, Equatable, CustomStringConvertible {
    /// The file cannot be opened, mapped or read.
    case unreadable(file: String, reason: String)
    /// The file cannot be created, written or put in place.
    case unwritable(file: String, reason: String)
    /// The file is not what its format promises.
    case malformed(file: String, found: String, expected: String)
    /// A pickle asks for something that does not build tensors.
    case refusedGlobal(file: String, name: String)
    /// A tensor's entry contradicts its file.
    case malformedTensor(file: String, name: String, found: String, expected: String)
    /// The model needs a tensor that no file holds.
    case missing(name: String, file: String)
    /// Files hold tensors that the model does not use.
    case unread(names: [String], file: String)
    /// A tensor has another shape than the configuration implies.
    case shapeMismatch(name: String, found: Shape, expected: Shape, file: String)

    package var description: String { oneLine(message) }

    private var message: String {
        switch self {
        case .unreadable(let file, let reason):
            return "\(file): cannot be read: \(reason)"
        case .unwritable(let file, let reason):
            return "\(file): cannot be written: \(reason)"
        case .malformed(let file, let found, let expected):
            return "\(file): found \(found), expected \(expected)"
        case .refusedGlobal(let file, let name):
            let shown = printable(name)
            return "\(file): the pickle asks for \(shown), which does not build tensors; refused"
        case .malformedTensor(let file, let name, let found, let expected):
            return "\(file): \(printable(name)): found \(found), expected \(expected)"
        case .missing(let name, let file):
            return "\(file): \(printable(name)) is missing"
        case .unread(let names, let file):
            let shown = names.prefix(5).map(printable).joined(separator: ", ")
            let more = names.count > 5 ? " and \(names.count - 5) more" : ""
            return "\(file): the model has no use for \(shown)\(more)"
        case .shapeMismatch(let name, let found, let expected, let file):
            return "\(file): \(printable(name)) has shape \(found), expected \(expected)"
        }
    }
}

/// A name out of a file, fit for one line of a message: control characters escaped, at most 200 characters.
func printable(_ name: String) -> String {
    var line = ""
    for scalar in name.unicodeScalars.prefix(200) {
        let isControl = scalar.properties.generalCategory == .control
        line += isControl ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return name.unicodeScalars.count > 200 ? line + "…" : line
}

/// `message` in one line: names and values in it come out of foreign files, and it may reach a terminal, which obeys controls.
package func oneLine(_ message: String) -> String {
    message.unicodeScalars.reduce(into: "") { line, scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            line += scalar.escaped(asASCII: true)
        default: line.unicodeScalars.append(scalar)
        }
    }
}
