//! The pending merges of a word, best first.

/// A merge that may be made: the symbol at `position` with the one after it.
struct PendingMerge {
    /// The merge's rank; the lowest goes first.
    let rank: Int32
    /// The id that the merge gives.
    let result: Int32
    /// The index of the left symbol; the lowest of equal rank goes first.
    let position: Int

    /// Whether this merge goes before `other`.
    func precedes(_ other: PendingMerge) -> Bool {
        rank != other.rank ? rank < other.rank : position < other.position
    }
}

/// A binary heap of pending merges.
struct MergeQueue {
    private var heap: [PendingMerge] = []

    /// An empty queue with room for `capacity` merges.
    init(capacity: Int) {
        heap.reserveCapacity(capacity)
    }

    /// Adds `merge`.
    mutating func insert(_ merge: PendingMerge) {
        var child = heap.count
        heap.append(merge)
        while child > 0 {
            let parent = (child - 1) / 2
            guard merge.precedes(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = merge
    }

    /// Removes the merge that goes first; nil when none is left.
    mutating func removeFirst() -> PendingMerge? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(last) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return first
    }
}
