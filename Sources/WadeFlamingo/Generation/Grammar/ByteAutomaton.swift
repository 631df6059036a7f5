//! A pattern as a table: one state, one byte, the next state.

/// A deterministic automaton over bytes (Rabin & Scott, IBM J. Res. Dev. 3(2), 1959) from whose every state an end can be reached.
struct ByteAutomaton: Sendable {
    /// What there is instead of a state when no text goes on that way.
    static let nowhere: Int32 = -1
    /// Texts begin here.
    static let start: Int32 = 0
    /// More than any answer of a sensible size needs; the table then has some tens of megabytes.
    private static let mostStates = 100_000

    /// Bytes that no state tells apart share a column.
    private let columns: [Int]
    private let columnCount: Int
    /// (states, columns)
    private var table: [Int32]
    /// Whether a text may end in a state.
    private(set) var isEnd: [Bool]
    /// Bytes from a state to the nearest end.
    private(set) var distances: [Int32] = []
    /// The lowest byte that leads nearer to the end, by state; 0 in an end.
    private(set) var nearing: [UInt8] = []

    /// The number of states.
    var count: Int { isEnd.count }

    /// Whether no text at all fits.
    var isEmpty: Bool { distances[0] == .max }

    /// The automaton of `pattern`; throws `request` when it would be too large.
    init(_ pattern: BytePattern) throws {
        let nondeterministic = try NondeterministicAutomaton(pattern)
        (columns, columnCount) = Self.columns(nondeterministic)
        (table, isEnd) = ([], [])
        try determine(nondeterministic)
        measureDistances()
    }

    /// The state after `byte` in `state`, or `nowhere`.
    func next(_ state: Int32, _ byte: UInt8) -> Int32 {
        table[Int(state) * columnCount + columns[Int(byte)]]
    }

    /// The state after `bytes` in `state`, or `nowhere`.
    func next(_ state: Int32, _ bytes: [UInt8]) -> Int32 {
        var state = state
        for byte in bytes {
            state = next(state, byte)
            if state == Self.nowhere { break }
        }
        return state
    }

    private static func columns(_ automaton: NondeterministicAutomaton) -> ([Int], Int) {
        var begins = [Bool](repeating: false, count: 257)
        for edge in automaton.edges.joined() {
            begins[Int(edge.bytes.lowerBound)] = true
            begins[Int(edge.bytes.upperBound) + 1] = true
        }
        var columns: [Int] = []
        var column = 0
        for byte in 0..<256 {
            if byte > 0, begins[byte] { column += 1 }
            columns.append(column)
        }
        return (columns, column + 1)
    }

    /// The subset construction: a state here is a set of states there.
    private mutating func determine(_ automaton: NondeterministicAutomaton) throws {
        var closure = Closure(automaton)
        var known: [[Int32]: Int32] = [:]
        var sets: [[Int32]] = []
        func state(_ set: [Int32]) -> Int32 {
            if let state = known[set] { return state }
            let state = Int32(sets.count)
            known[set] = state
            sets.append(set)
            return state
        }
        _ = state(closure.of([0]))
        var place = 0
        while place < sets.count {
            guard sets.count <= Self.mostStates else {
                throw FlamingoError.request(
                    found: "an answer's form of more than \(Self.mostStates) states",
                    expected: "a smaller one, such as with lower bounds on lengths")
            }
            let set = sets[place]
            isEnd.append(set.contains(automaton.end))
            var targets = [[Int32]](repeating: [], count: columnCount)
            for edge in set.flatMap({ automaton.edges[Int($0)] }) {
                let range =
                    columns[Int(edge.bytes.lowerBound)]...columns[Int(edge.bytes.upperBound)]
                for column in range { targets[column].append(edge.target) }
            }
            var latest: (targets: [Int32], state: Int32) = ([], Self.nowhere)
            for column in 0..<columnCount {
                if targets[column] != latest.targets {
                    latest = (
                        targets[column],
                        targets[column].isEmpty
                            ? Self.nowhere : state(closure.of(targets[column]))
                    )
                }
                table.append(latest.state)
            }
            place += 1
        }
    }

    /// Distances by breadth-first search from the ends; steps to where no end can be reached lead nowhere from then on.
    private mutating func measureDistances() {
        var sources = [[Int32]](repeating: [], count: count)
        for state in 0..<count {
            for column in 0..<columnCount {
                let target = table[state * columnCount + column]
                if target >= 0, sources[Int(target)].last != Int32(state) {
                    sources[Int(target)].append(Int32(state))
                }
            }
        }
        distances = [Int32](repeating: .max, count: count)
        var queue = (0..<Int32(count)).filter { isEnd[Int($0)] }
        for state in queue { distances[Int(state)] = 0 }
        var place = 0
        while place < queue.count {
            let target = Int(queue[place])
            for source in sources[target] where distances[Int(source)] == .max {
                distances[Int(source)] = distances[target] + 1
                queue.append(source)
            }
            place += 1
        }
        for place in table.indices where table[place] >= 0 {
            if distances[Int(table[place])] == .max { table[place] = Self.nowhere }
        }
        nearing = (0..<Int32(count)).map { state in
            let distance = distances[Int(state)]
            guard distance > 0, distance < .max else { return 0 }
            return (UInt8.min...UInt8.max).first { byte in
                let target = next(state, byte)
                return target >= 0 && distances[Int(target)] == distance - 1
            } ?? 0
        }
    }
}

/// Finds where jumps lead, again and again.
private struct Closure {
    private let automaton: NondeterministicAutomaton
    private var marks: [Int]
    private var mark = 0

    init(_ automaton: NondeterministicAutomaton) {
        self.automaton = automaton
        marks = [Int](repeating: 0, count: automaton.jumps.count)
    }

    /// The states that `states` and their jumps lead to, ascending; those without a step of their own are left out.
    mutating func of(_ states: [Int32]) -> [Int32] {
        mark += 1
        var found: [Int32] = []
        var waiting = states
        while let state = waiting.popLast() {
            guard marks[Int(state)] != mark else { continue }
            marks[Int(state)] = mark
            if !automaton.edges[Int(state)].isEmpty || state == automaton.end {
                found.append(state)
            }
            waiting += automaton.jumps[Int(state)]
        }
        return found.sorted()
    }
}
