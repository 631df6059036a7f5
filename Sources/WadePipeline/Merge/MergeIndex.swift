//! Every record of every part, in a hundred bytes each.

/// The records that several outputs hold, one for each file, clip, task and recipe.
///
/// Note [Which line counts]: within one file a later `run.seq` replaces an earlier one, as for every reader. Files that tasks wrote
/// without knowing of each other have no common numbers. There an answer counts more than an error, of two answers the one that was
/// given first, of two errors the later one, and a record is gone where it was taken back after it was written. Of answers
/// behind different shots of their video (`demos.set_id`; the key is the same) the later one counts, as in one file: the shots have
/// changed since the earlier one.
struct MergeIndex {
    /// A record and where its line stands.
    struct Entry {
        /// The number of the file that holds it.
        var source: Int32
        var length: Int32
        var offset: Int
        /// The path's number in `paths`.
        var path: Int32
        var clipIndex: Int32
        var clipCount: Int32
        /// Numbers in `tasks` and `recipes`.
        var task: Int32
        var recipe: Int32
        var sequence: Int
        var created: Int
        var set: UInt64
        /// The key under which the first file with the content has its answer.
        var original: LedgerKey
        var isCopy: Bool
        var isError: Bool
        var isRemoved: Bool
        var hasContent: Bool
        /// Whether the line is spelled as we do.
        var isSpelled: Bool
    }

    /// Two answers to one question that are not the same.
    struct Difference: Equatable {
        var path: PathBytes
        var task: String
    }

    /// What makes a record another one: the file, and the clip, task and recipe that the key of the original stands for.
    private struct Identity: Hashable {
        var path: Int32
        var original: LedgerKey

        func hash(into hasher: inout Hasher) {
            hasher.combine(path)
            hasher.combine(original.words.0)
        }
    }

    private(set) var entries: [Entry] = []
    private var places: [Identity: Int32] = [:]
    private(set) var paths = PathTable()
    private(set) var tasks = NameTable()
    private(set) var recipes = NameTable()
    /// The first differences, and how many there are.
    private(set) var differences: [Difference] = []
    private(set) var differenceCount = 0
    /// Lines that said the same as another file's.
    private(set) var repeated = 0
    /// Answers behind shots that have changed since, where another file has the answer behind the later ones.
    private(set) var outdated = 0

    static let mostDifferences = 20

    /// Adds a line. `output` gives the bytes of `output` on the line of another entry, for comparison.
    mutating func add(
        _ line: MergeLine, source: Int, offset: Int, length: Int, isSpelled: Bool,
        answer: ArraySlice<UInt8>, answerOf: (Entry) -> [UInt8]
    ) {
        let entry = Entry(
            source: Int32(source), length: Int32(length), offset: offset,
            path: paths.number(of: line.path),
            clipIndex: Int32(clamping: line.clipIndex), clipCount: Int32(clamping: line.clipCount),
            task: tasks.number(of: line.task), recipe: recipes.number(of: line.recipe),
            sequence: line.sequence, created: line.created, set: line.set, original: line.original,
            isCopy: line.sameAs != .none, isError: line.isError, isRemoved: line.isRemoved,
            hasContent: line.hasContent, isSpelled: isSpelled)
        let identity = Identity(path: entry.path, original: entry.original)
        guard let place = places[identity].map({ Int($0) }) else {
            places[identity] = Int32(entries.count)
            entries.append(entry)
            return
        }
        let old = entries[place]
        if old.source == entry.source {
            if entry.sequence >= old.sequence { entries[place] = entry }
        } else if counts(entry, more: old, answer, answerOf) {
            entries[place] = entry
        }
    }

    private mutating func counts(
        _ entry: Entry, more old: Entry, _ answer: ArraySlice<UInt8>,
        _ answerOf: (Entry) -> [UInt8]
    ) -> Bool {
        if entry.isRemoved || old.isRemoved {
            return (entry.created, old.isRemoved ? 1 : 0) > (old.created, entry.isRemoved ? 1 : 0)
        }
        if entry.isError != old.isError { return old.isError }
        if entry.isError { return entry.created > old.created }
        if entry.set != old.set {
            outdated += 1
            return entry.created > old.created
        }
        if answerOf(old)[...] == answer {
            repeated += 1
        } else {
            differenceCount += 1
            if differences.count < Self.mostDifferences {
                differences.append(
                    Difference(
                        path: PathBytes(bytes: paths[entry.path]),
                        task: String(decoding: tasks[entry.task], as: UTF8.self)))
            }
        }
        return entry.created < old.created
    }
}

/// Paths by number, their bytes one behind the other: a million arrays of their own would take twice the memory.
struct PathTable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var numbers: [UInt64: Int32] = [:]

    /// Paths.
    var count: Int { ends.count }

    /// The number of `path`, a new one at its first mention.
    mutating func number(of path: [UInt8]) -> Int32 {
        var hash = ShardMap.hash(PathBytes(bytes: path))
        // Two paths with one hash take neighbouring places.
        while let number = numbers[hash] {
            if self[number] == path { return number }
            hash &+= 1
        }
        let number = Int32(ends.count)
        bytes.append(contentsOf: path)
        ends.append(bytes.count)
        numbers[hash] = number
        return number
    }

    /// The number of `path`; nil when no line has it.
    func known(_ path: [UInt8]) -> Int32? {
        var hash = ShardMap.hash(PathBytes(bytes: path))
        while let number = numbers[hash] {
            if self[number] == path { return number }
            hash &+= 1
        }
        return nil
    }

    /// The bytes of the path numbered `number`.
    subscript(number: Int32) -> [UInt8] { Array(slice(number)) }

    private func slice(_ number: Int32) -> ArraySlice<UInt8> {
        let place = Int(number)
        return bytes[(place == 0 ? 0 : ends[place - 1])..<ends[place]]
    }

    /// The place of every path, by its number, when paths are in the order of their bytes.
    func ranks() -> [Int32] {
        let sorted = (0..<Int32(count)).sorted { slice($0).lexicographicallyPrecedes(slice($1)) }
        var ranks = [Int32](repeating: 0, count: count)
        for (rank, number) in sorted.enumerated() { ranks[Int(number)] = Int32(rank) }
        return ranks
    }
}

/// A few names by number, in the order in which they are first met.
struct NameTable {
    private(set) var names: [[UInt8]] = []
    private var numbers: [[UInt8]: Int32] = [:]

    /// The number of `name`, a new one at its first mention.
    mutating func number(of name: [UInt8]) -> Int32 {
        if let number = numbers[name] { return number }
        let number = Int32(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    /// The name numbered `number`.
    subscript(number: Int32) -> [UInt8] { names[Int(number)] }
}
