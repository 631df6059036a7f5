//! A walk over a line's bytes along the schema, for lines that nothing is wrong with: nearly all of a million are.

/// What a line says as far as lines are compared with each other.
struct RecordFacts: Equatable {
    /// The record's key.
    var key = LedgerKey.none
    /// `run.seq`.
    var sequence: Int64 = 0
    /// The number of `status` among the schema's words.
    var status = 0
}

/// The schema as the bytes of a right line have it: what must stand there, and values in between.
///
/// Note [Right or unknown]: a line passes only if the full reading (`JSONReader`, `RecordSchema`, `JSONWriter`) would find nothing wrong
/// with it. The walk may fail on a right line, never pass a wrong one: whatever it has no quick answer to it leaves to the full reading,
/// which also finds the words for what is wrong.
struct RecordScan {
    /// Bytes that stand before a value, and the value.
    private struct Step {
        var opening: [UInt8]
        var value: Value
        var fact: Fact?
    }

    private enum Value {
        case word([[UInt8]])
        case text(TextShape?)
        case integer(least: Int64, most: Int64)
        case number
        case flag
        case words([[UInt8]])
        case texts
        case numbers
    }

    /// Members that lines are compared by, or that other members depend on.
    private enum Fact: String {
        case key
        case status
        case sequence = "run.seq"
        case errorCode = "error.code"
        case choice = "output.choice"
        case choices = "task.choices"
        case times = "frames.pts_s"
    }

    private var steps: [Step] = []
    private var end: [UInt8] = []
    /// The words that `status` may be.
    private(set) var statuses: [String] = []
    private var errorStatus = -1

    /// Nil when the schema says something that this walk cannot follow.
    init?(_ schema: RecordSchema) {
        guard add(schema.root, at: "") else { return nil }
        let facts: [Fact] = [.key, .status, .sequence, .errorCode, .choice, .choices, .times]
        guard facts.allSatisfy({ fact in steps.contains { $0.fact == fact } }),
            let error = statuses.firstIndex(of: "error")
        else { return nil }
        errorStatus = error
    }

    private mutating func add(_ rule: RecordSchema.Rule, at place: String) -> Bool {
        let value: Value
        switch rule {
        case .words(let words):
            guard let words = Self.plain(words) else { return false }
            value = .word(words)
            if place == Fact.status.rawValue {
                statuses = words.map { String(decoding: $0, as: UTF8.self) }
            }
        case .list(.words(let words)):
            guard let words = Self.plain(words) else { return false }
            value = .words(words)
        case .list(.kind("string", least: _, most: _, pattern: nil)): value = .texts
        case .list(.kind("number", least: _, most: _, pattern: nil)): value = .numbers
        case .list: return false
        case .members(let rules, let required):
            guard Set(rules.keys) == Set(required), !rules.isEmpty else { return false }
            let names = rules.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            for (index, name) in names.enumerated() {
                guard name.utf8.allSatisfy(TextShape.isPlain), let rule = rules[name] else {
                    return false
                }
                end += Array("\(index == 0 ? "{" : ",")\"\(name)\":".utf8)
                guard add(rule, at: place.isEmpty ? name : "\(place).\(name)") else { return false }
            }
            end.append(UInt8(ascii: "}"))
            return true
        case .kind("string", least: _, most: _, let pattern):
            var shape: TextShape?
            if let pattern {
                shape = TextShape(pattern.source)
                guard shape != nil else { return false }
            }
            value = .text(shape)
        case .kind("integer", let least, let most, pattern: _):
            value = .integer(least: least ?? .min, most: most ?? .max)
        case .kind("number", least: _, most: _, pattern: _): value = .number
        case .kind("boolean", least: _, most: _, pattern: _): value = .flag
        case .kind: return false
        }
        steps.append(Step(opening: end, value: value, fact: Fact(rawValue: place)))
        end = []
        return true
    }

    /// The bytes of words that stand in quotes as they are; nil when one needs an escape.
    private static func plain(_ words: [String]) -> [[UInt8]]? {
        let bytes = words.map { Array($0.utf8) }
        return bytes.joined().allSatisfy(TextShape.isPlain) ? bytes : nil
    }

    /// What `line` says; nil when something may be wrong with it.
    func facts(of line: LineScan) -> RecordFacts? {
        var scan = line
        guard scan.isTextWithoutControls else { return nil }
        var facts = RecordFacts()
        var hasCode = false
        var choice: Int64 = -1
        var choiceCount = 0
        for step in steps {
            guard scan.accept(step.opening) else { return nil }
            switch step.value {
            case .word(let words):
                guard let text = scan.string(),
                    let word = words.firstIndex(where: { scan.equals(text, $0) })
                else { return nil }
                if step.fact == .status { facts.status = word }
                if step.fact == .errorCode { hasCode = !text.isEmpty }
            case .text(let shape):
                guard let text = scan.plainString() else { return nil }
                if let shape, !scan.matches(text, shape) { return nil }
                if step.fact == .key {
                    guard let key = scan.key(text) else { return nil }
                    facts.key = key
                }
            case .integer(let least, let most):
                guard let number = scan.plainInteger(), number >= least, number <= most else {
                    return nil
                }
                if step.fact == .sequence { facts.sequence = number }
                if step.fact == .choice { choice = number }
            case .number: guard scan.shortestNumber() != nil else { return nil }
            case .flag: guard scan.plainFlag() else { return nil }
            case .words(let words):
                let isRight = scan.list { scan in
                    guard let text = scan.string() else { return false }
                    return words.contains { scan.equals(text, $0) }
                }
                guard isRight else { return nil }
            case .texts:
                var count = 0
                let isRight = scan.list { scan in
                    count += 1
                    return scan.plainString() != nil
                }
                guard isRight else { return nil }
                if step.fact == .choices { choiceCount = count }
            case .numbers:
                var last = -Double.infinity
                let mustAscend = step.fact == .times
                let isRight = scan.list { scan in
                    guard let number = scan.shortestNumber(), !mustAscend || number >= last else {
                        return false
                    }
                    last = number
                    return true
                }
                guard isRight else { return nil }
            }
        }
        guard scan.accept(end), scan.isAtEnd, hasCode == (facts.status == errorStatus),
            choice < choiceCount || choice < 0
        else { return nil }
        return facts
    }
}
