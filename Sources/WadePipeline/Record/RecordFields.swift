//! Typed access to the members of one object of a record.

/// The members of an object, asked for by name and type; each question throws `record` when the line has no such member.
struct RecordFields {
    private let value: JSONValue
    private let place: String

    /// The members of `value`, which messages call `place`.
    init(_ value: JSONValue, place: String = "") {
        self.value = value
        self.place = place
    }

    private func named(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    private func wrong(_ name: String, expected: String) -> PipelineError {
        .record(
            field: named(name), found: value[name]?.summary ?? "nothing", expected: expected)
    }

    /// The object called `name`.
    func object(_ name: String) throws(PipelineError) -> RecordFields {
        guard let inner = value[name], case .object = inner else {
            throw wrong(name, expected: "an object")
        }
        return RecordFields(inner, place: named(name))
    }

    /// The string called `name`.
    func text(_ name: String) throws(PipelineError) -> String {
        guard let text = value[name]?.text else { throw wrong(name, expected: "a string") }
        return text
    }

    /// The integer called `name`.
    func integer(_ name: String) throws(PipelineError) -> Int {
        guard case .integer(let number) = value[name], let integer = Int(exactly: number) else {
            throw wrong(name, expected: "an integer")
        }
        return integer
    }

    /// The float called `name`, spelled with a point.
    func number(_ name: String) throws(PipelineError) -> Double {
        guard case .number(let number) = value[name] else {
            throw wrong(name, expected: "a number with a point")
        }
        return number
    }

    /// The flag called `name`.
    func flag(_ name: String) throws(PipelineError) -> Bool {
        guard case .bool(let flag) = value[name] else {
            throw wrong(name, expected: "true or false")
        }
        return flag
    }

    /// The word called `name` out of a closed list.
    func word<Word: RawRepresentable<String> & CaseIterable>(_ name: String)
        throws(PipelineError) -> Word
    {
        guard let text = value[name]?.text, let word = Word(rawValue: text) else {
            throw wrong(name, expected: Self.list(Word.self))
        }
        return word
    }

    /// The words called `name` out of a closed list.
    func words<Word: RawRepresentable<String> & CaseIterable>(_ name: String)
        throws(PipelineError) -> [Word]
    {
        try texts(name).map { (text) throws(PipelineError) -> Word in
            guard let word = Word(rawValue: text) else {
                throw wrong(name, expected: Self.list(Word.self))
            }
            return word
        }
    }

    /// The strings called `name`.
    func texts(_ name: String) throws(PipelineError) -> [String] {
        guard let values = value[name]?.elements else {
            throw wrong(name, expected: "an array of strings")
        }
        return try values.map { (element) throws(PipelineError) -> String in
            guard let text = element.text else {
                throw wrong(name, expected: "an array of strings")
            }
            return text
        }
    }

    /// The floats called `name`.
    func numbers(_ name: String) throws(PipelineError) -> [Double] {
        guard let values = value[name]?.elements else {
            throw wrong(name, expected: "an array of numbers")
        }
        return try values.map { (element) throws(PipelineError) -> Double in
            guard case .number(let number) = element else {
                throw wrong(name, expected: "an array of numbers with a point")
            }
            return number
        }
    }

    private static func list<Word: RawRepresentable<String> & CaseIterable>(_: Word.Type) -> String
    {
        "one of " + Word.allCases.map(\.rawValue).joined(separator: ", ")
    }
}
