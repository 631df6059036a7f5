//! Which file belongs to which part: a hash of its path, and a list of those that were moved to make the parts equally long.

/// The owner of every path there is or will be.
///
/// Note [Nothing is lost]: tasks start at different times and see different listings of a folder that grows. If the owner of a file
/// depended on the other files, two tasks could each take it for the other's. So a path alone decides it, by its hash. Parts that
/// are equal in expectation only are not equal, though, so some files are moved; which ones depends on the listing, and so it is
/// written down once, in a file that is put in its place exclusively: whichever task comes first makes it, and all others follow it.
package struct ShardMap: Sendable, Equatable {
    /// The number of parts.
    package let count: Int
    /// The parts, from 0, of those files that are not where their hash wants them, by that hash.
    var moved: [UInt64: Int] = [:]
    /// Whether there were parts before, which may hold files of other parts by this map.
    var followsParts = false

    /// `count` parts by hashes alone.
    package init(count: Int) {
        precondition(count > 0)
        self.count = count
    }

    /// The part, from 0, that the file at `path` below the root of the run belongs to.
    package func owner(of path: PathBytes) -> Int {
        let hash = Self.hash(path)
        return moved[hash] ?? Self.home(hash, count)
    }

    /// Whether the file at `path` belongs to `shard`.
    package func holds(_ path: PathBytes, in shard: Shard) -> Bool {
        owner(of: path) == shard.index - 1
    }

    /// FNV-1a over the bytes, mixed by MurmurHash3's finalizer, without which the high bits of short names are poor.
    static func hash(_ path: PathBytes) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in path.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }

    /// The high word of the product: as even as the hash, without the bias of a remainder.
    private static func home(_ hash: UInt64, _ count: Int) -> Int {
        Int(hash.multipliedFullWidth(by: UInt64(count)).high)
    }

    // MARK: - Balance

    /// A file with what it is expected to cost.
    package struct Weighed: Sendable {
        let hash: UInt64
        let cost: Double

        /// The file at `path` below the root of the run; `cost` in any unit.
        package init(path: PathBytes, cost: Double) {
            hash = ShardMap.hash(path)
            self.cost = cost.isFinite ? max(cost, 0) : 0
        }
    }

    /// `count` parts of which none is longer than the mean by more than one file: each keeps the dearest of its own files that
    /// fit below the mean, and what does not fit goes, the dearest first, to whichever part is shortest (Graham's LPT rule). The
    /// order of `files` does not matter.
    package init(count: Int, balancing files: [Weighed], followsParts: Bool = false) {
        self.init(count: count)
        self.followsParts = followsParts
        let sorted = files.sorted { ($0.cost, $0.hash) > ($1.cost, $1.hash) }
        let mean = sorted.reduce(0) { $0 + $1.cost } / Double(count)
        var loads = [Double](repeating: 0, count: count)
        var homeless: [Weighed] = []
        for file in sorted {
            let home = Self.home(file.hash, count)
            // A rounding error must not send a file away from where it fits exactly.
            if loads[home] == 0 || loads[home] + file.cost <= mean * (1 + 1e-12) {
                loads[home] += file.cost
            } else {
                homeless.append(file)
            }
        }
        var shortest = LeastLoaded(loads)
        for file in homeless {
            let part = shortest.add(file.cost)
            if part != Self.home(file.hash, count) { moved[file.hash] = part }
        }
    }

    /// The parts by their loads, the least first, in a binary heap; equal loads by their number.
    private struct LeastLoaded {
        private var heap: [(load: Double, part: Int)]

        init(_ loads: [Double]) {
            heap = loads.enumerated().map { ($1, $0) }.sorted { $0 < $1 }
        }

        /// Adds `cost` to the least loaded part and says which that was.
        mutating func add(_ cost: Double) -> Int {
            let part = heap[0].part
            heap[0].load += cost
            var place = 0
            while true {
                let children = [2 * place + 1, 2 * place + 2].filter { $0 < heap.count }
                guard let least = children.min(by: { heap[$0] < heap[$1] }),
                    heap[least] < heap[place]
                else { return part }
                heap.swapAt(least, place)
                place = least
            }
        }
    }
}
