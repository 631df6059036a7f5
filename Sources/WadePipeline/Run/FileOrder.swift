//! Which files a run takes first.

/// The order of a run's files, and so of its lines.
package enum FileOrder: String, Sendable, CaseIterable {
    /// The order of the input: by the paths' bytes.
    case name
    /// The latest changed first.
    case newest
    /// The earliest changed first.
    case oldest
    /// The fewest bytes first.
    case smallest

    /// With a time limit every so many-th file is the one that has waited longest.
    static let fairness = 4

    private typealias Ranked = (file: FoundFile, status: FileStatus?, place: Int)

    /// `files`, which come in the order of their names, in this order; what is alike keeps the order of the names.
    ///
    /// Newest or smallest first under a time limit could leave the oldest or largest files to every next night. So then each fourth
    /// file among those that `isPending` is the earliest changed one that is left, and files that need nothing come last.
    func sorted(
        _ files: [FoundFile], isTimeLimited: Bool, isPending: (FoundFile) -> Bool
    ) -> [FoundFile] {
        guard self != .name else { return files }
        let ranked: [Ranked] = files.enumerated().map { place, file in
            (file, try? FileStatus.of(file.path, followingLinks: true), place)
        }
        let sorted = ranked.sorted { precedes($0, $1) }
        guard isTimeLimited, self != .oldest else { return sorted.map(\.file) }
        let pending = sorted.filter { isPending($0.file) }
        let isLeft = Set(pending.map(\.place))
        return Self.mixed(pending) + sorted.filter { !isLeft.contains($0.place) }.map(\.file)
    }

    private func precedes(_ one: Ranked, _ other: Ranked) -> Bool {
        guard let first = one.status, let second = other.status else {
            return (one.status == nil ? 1 : 0, one.place)
                < (other.status == nil ? 1 : 0, other.place)
        }
        let times = [first, second].map { ($0.modifiedSeconds, $0.modifiedNanoseconds) }
        switch self {
        case .newest where times[0] != times[1]: return times[0] > times[1]
        case .oldest where times[0] != times[1]: return times[0] < times[1]
        case .smallest where first.size != second.size: return first.size < second.size
        default: return one.place < other.place
        }
    }

    /// Three of `files` in their order, then the earliest changed of the rest, and so on.
    private static func mixed(_ files: [Ranked]) -> [FoundFile] {
        var waiting = files.sorted { FileOrder.oldest.precedes($0, $1) }.makeIterator()
        var favoured = files.makeIterator()
        var taken: Set<Int> = []
        var mixed: [FoundFile] = []
        while mixed.count < files.count {
            let isTurn = mixed.count % fairness == fairness - 1
            guard let next = isTurn ? waiting.next() : favoured.next() else { break }
            if taken.insert(next.place).inserted { mixed.append(next.file) }
        }
        return mixed
    }
}
