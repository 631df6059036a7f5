//! What an answer may look like, byte by byte: regular expressions without their spelling.

/// A set of byte strings, put together from smaller ones. Text is UTF-8.
package indirect enum BytePattern: Sendable, Equatable {
    /// These bytes, one after the other.
    case bytes([UInt8])
    /// One byte out of these ranges.
    case oneOf([ClosedRange<UInt8>])
    /// One after the other.
    case sequence([BytePattern])
    /// Any of these; without any, nothing at all.
    case choice([BytePattern])
    /// At least `least` times, at most `most` times or without a bound.
    case repeated(BytePattern, least: Int, most: Int?)

    /// The bytes of a text.
    package static func text(_ text: String) -> BytePattern { .bytes(Array(text.utf8)) }

    /// Once or not at all.
    package static func optional(_ pattern: BytePattern) -> BytePattern {
        .repeated(pattern, least: 0, most: 1)
    }
}

/// A nondeterministic automaton after Thompson (CACM 11(6), 1968), the step from a pattern to a deterministic one.
struct NondeterministicAutomaton {
    /// A step by one byte.
    struct Edge {
        let bytes: ClosedRange<UInt8>
        let target: Int32
    }

    /// Steps by a byte, by state.
    private(set) var edges: [[Edge]] = [[]]
    /// Steps by nothing, by state.
    private(set) var jumps: [[Int32]] = [[]]
    /// The only state in which a text may end; texts begin in state 0.
    private(set) var end: Int32 = 0
    private var steps = 0

    /// More than any answer of a sensible size needs.
    private static let mostSteps = 1 << 20

    /// The automaton of `pattern`; throws `request` for one of a million parts and more.
    init(_ pattern: BytePattern) throws {
        end = try add(pattern, after: 0)
    }

    private mutating func state() -> Int32 {
        edges.append([])
        jumps.append([])
        return Int32(edges.count - 1)
    }

    /// Adds what `pattern` takes behind the state `start` and says where that ends.
    private mutating func add(_ pattern: BytePattern, after start: Int32) throws -> Int32 {
        steps += 1
        guard steps < Self.mostSteps else {
            throw FlamingoError.request(
                found: "an answer's form of more than \(Self.mostSteps) parts",
                expected: "a smaller one, such as with lower bounds on lengths")
        }
        switch pattern {
        case .bytes(let bytes):
            return bytes.reduce(start) { from, byte in step(from, [byte...byte]) }
        case .oneOf(let ranges):
            return step(start, ranges)
        case .sequence(let parts):
            return try parts.reduce(start) { try add($1, after: $0) }
        case .choice(let parts):
            let end = state()
            for part in parts {
                let begin = state()
                jumps[Int(start)].append(begin)
                jumps[Int(try add(part, after: begin))].append(end)
            }
            return end
        case .repeated(let part, let least, let most):
            return try addCopies(of: part, least, most, after: start)
        }
    }

    private mutating func step(_ from: Int32, _ ranges: [ClosedRange<UInt8>]) -> Int32 {
        let to = state()
        for range in ranges { edges[Int(from)].append(Edge(bytes: range, target: to)) }
        return to
    }

    private mutating func addCopies(
        of part: BytePattern, _ least: Int, _ most: Int?, after start: Int32
    ) throws -> Int32 {
        var last = start
        var count = 0
        while count < least {
            last = try add(part, after: last)
            count += 1
        }
        guard let most else {
            let loop = state()
            jumps[Int(last)].append(loop)
            jumps[Int(try add(part, after: loop))].append(loop)
            return loop
        }
        let end = state()
        jumps[Int(last)].append(end)
        while count < most {
            last = try add(part, after: last)
            jumps[Int(last)].append(end)
            count += 1
        }
        return end
    }
}
