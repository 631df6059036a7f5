//! YAML with the place of every value, so that a complaint can name file, line and column.
import Foundation
import Yams

/// A value of a YAML file.
package struct YAMLField {
    private let node: Node
    private let file: String
    private let position: Mark?
    /// The names that led here, such as `tasks[0].question`.
    package let name: String

    /// The one document in the file at `path`; throws `pipeline` with the place of the fault, or `file`.
    package static func read(file path: PathBytes) throws(PipelineError) -> YAMLField {
        try read(SmallFile.read(path), file: path.shown)
    }

    /// The one document in `bytes`; throws `pipeline` with the place of the fault.
    package static func read(_ bytes: [UInt8], file: String) throws(PipelineError) -> YAMLField {
        guard
            let text = String(
                validating: bytes.dropFirst(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0),
                as: UTF8.self)
        else {
            throw .pipeline(
                place: "\(file):1:1", found: "bytes that are not UTF-8", expected: "UTF-8")
        }
        try refuseManyAliases(bytes, file: file)
        do {
            guard let node = try compose(yaml: text) else {
                throw PipelineError.pipeline(
                    place: "\(file):1:1", found: "nothing", expected: "a pipeline")
            }
            return YAMLField(node: node, file: file, position: node.mark, name: "")
        } catch let error as PipelineError {
            throw error
        } catch {
            throw fault(error, file: file)
        }
    }

    private static func fault(_ error: any Error, file: String) -> PipelineError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let found = ["found ", "but found "].first { problem.hasPrefix($0) }
            return .pipeline(
                place: "\(file):\(mark.line):\(mark.column)",
                found: String(problem.dropFirst(found?.count ?? 0)), expected: "YAML")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return .pipeline(
                place: "\(file):\(context.mark.line):\(context.mark.column)",
                found: duplicates.sorted().map(escaped).joined(separator: ", ") + " twice",
                expected: "each name once in the values that begin here")
        case .reader(let problem, let offset, let value, let yaml):
            let lines = yaml.prefix(offset ?? 0).split(
                omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            let character = value < 0 ? "" : "the character U+\(String(value, radix: 16)): "
            return .pipeline(
                place: "\(file):\(lines.count):\((lines.last?.count ?? 0) + 1)",
                found: character + problem, expected: "YAML")
        default:
            return .pipeline(place: "\(file):1:1", found: escaped("\(error)"), expected: "YAML")
        }
    }

    /// Text of the file, or about it, for a message that may reach a terminal.
    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { $0 += $1.escapedForTerminal }
    }

    /// Most aliases of one file: aliases of aliases multiply, and no file of 24 can name more than some thousand values.
    private static let aliasLimit = 24

    /// Yams compares names value by value, so a name that is an alias of aliases would take years; they are counted before it reads.
    /// What only looks like an alias counts too, if its name has an anchor.
    private static func refuseManyAliases(_ bytes: [UInt8], file: String) throws(PipelineError) {
        let anchors = Set(marked(UInt8(ascii: "&"), in: bytes).map(\.name))
        let aliases = marked(UInt8(ascii: "*"), in: bytes).filter { anchors.contains($0.name) }
        guard aliases.count > aliasLimit else { return }
        let before = bytes[..<aliases[aliasLimit].start].split(
            separator: 0x0A, omittingEmptySubsequences: false)
        throw .pipeline(
            place: "\(file):\(before.count):\((before.last?.count ?? 0) + 1)",
            found: "\(aliases.count) aliases", expected: "at most \(aliasLimit) in one file")
    }

    /// The names after each `mark`, in the letters that libyaml allows, and where the marks stand.
    private static func marked(_ mark: UInt8, in bytes: [UInt8]) -> [(
        name: ArraySlice<UInt8>, start: Int
    )] {
        bytes.indices.filter { bytes[$0] == mark }.map { start in
            let name = bytes[(start + 1)...].prefix { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
                default: false
                }
            }
            return (name, start)
        }
    }

    /// The error that something else than `expected` stands here.
    package func wrong(_ expected: String, found: String? = nil) -> PipelineError {
        let mark = node.mark ?? position
        let place = "\(file):\(mark?.line ?? 1):\(mark?.column ?? 1)"
        let subject = name.isEmpty ? "" : "\(name): "
        return .pipeline(place: place, found: found ?? subject + summary, expected: expected)
    }

    private var summary: String {
        switch node {
        case .scalar(let scalar): return scalar.string.shownShort
        case .mapping(let members): return "\(members.count) named values"
        case .sequence(let elements): return "a list of \(elements.count)"
        case .alias: return "an alias"
        }
    }

    /// The members of named values, of which all must be among `known`.
    package func members(_ known: [String]) throws(PipelineError) -> [String: YAMLField] {
        guard case .mapping(let mapping) = node else { throw wrong("named values: \(list(known))") }
        var members: [String: YAMLField] = [:]
        for (key, value) in mapping {
            let field = YAMLField(node: key, file: file, position: mapping.mark, name: name)
            guard let text = key.scalar?.string, known.contains(text) else {
                throw field.wrong(
                    "one of \(list(known))", found: "unknown name \(field.summary)")
            }
            members[text] = YAMLField(
                node: value, file: file, position: key.mark,
                name: name.isEmpty ? text : "\(name).\(text)")
        }
        return members
    }

    /// All members, whatever their names, in the order of the file.
    package func anyMembers() throws(PipelineError) -> [(name: YAMLField, value: YAMLField)] {
        guard case .mapping(let mapping) = node else { throw wrong("named values") }
        return mapping.map { key, value in
            (
                YAMLField(node: key, file: file, position: mapping.mark, name: name),
                YAMLField(
                    node: value, file: file, position: key.mark,
                    name: [name, Self.escaped(String((key.scalar?.string ?? "").prefix(40)))]
                        .filter { !$0.isEmpty }.joined(separator: "."))
            )
        }
    }

    private func list(_ names: [String]) -> String { names.joined(separator: ", ") }

    /// Whether named values stand here.
    package var isMapping: Bool { if case .mapping = node { true } else { false } }

    /// Whether a list stands here.
    package var isList: Bool { if case .sequence = node { true } else { false } }

    /// A single value that is not in quotes, as it is written; nil for anything else.
    var plainText: String? {
        guard let scalar = node.scalar, scalar.style == .plain else { return nil }
        return scalar.string
    }

    /// Whether the word `off` stands here.
    var isOff: Bool { node.scalar?.string == "off" }

    /// The elements of a list.
    package func elements() throws(PipelineError) -> [YAMLField] {
        guard case .sequence(let sequence) = node else { throw wrong("a list") }
        return sequence.enumerated().map { index, element in
            YAMLField(
                node: element, file: file, position: sequence.mark, name: "\(name)[\(index)]")
        }
    }

    /// A text, as it is written: `yes` is `yes`.
    package func text() throws(PipelineError) -> String {
        guard case .scalar(let scalar) = node, !isEmptyPlain(scalar) else { throw wrong("a text") }
        return scalar.string
    }

    private func isEmptyPlain(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain
            && (scalar.string.isEmpty || scalar.string == "~" || scalar.string == "null")
    }

    /// A whole number in `range`.
    package func integer(in range: ClosedRange<Int>) throws(PipelineError) -> Int {
        guard let text = node.scalar?.string, let number = Int(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)"
                : "from \(range.lowerBound) to \(range.upperBound)"
            throw wrong("a whole number \(bounds)")
        }
        return number
    }

    /// A finite number in `range`.
    package func number(in range: ClosedRange<Double>) throws(PipelineError) -> Double {
        guard let text = node.scalar?.string, let number = Double(text), number.isFinite,
            range.contains(number)
        else { throw wrong("a number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// `true` or `on`, `false` or `off`.
    func flag() throws(PipelineError) -> Bool {
        switch node.scalar?.string {
        case "true", "on": return true
        case "false", "off": return false
        default: throw wrong("true or false")
        }
    }

    /// One word of a closed list.
    package func word<Word: RawRepresentable<String> & CaseIterable>() throws(PipelineError) -> Word
    {
        guard let text = node.scalar?.string, let word = Word(rawValue: text) else {
            throw wrong("one of \(list(Word.allCases.map(\.rawValue)))")
        }
        return word
    }
}
