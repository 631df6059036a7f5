//! Which demonstrations stand before a query, by a seed.
package import WadePipeline

/// All items of a pool in the order in which a seed draws them. The first ones are the demonstrations of every query, except that a
/// query's own video is never among its demonstrations: then the next one takes the place. More shots only add to fewer, and
/// the prompt is the same for nearly all queries, so that it is read once.
package struct DemonstrationDraw: Sendable {
    /// The pool in the order of the draw.
    package let order: [LocatedItem]

    /// The draw of `seed` from `pool`.
    package init(_ pool: [LocatedItem], seed: Int) {
        var random = ResamplingStream(seed: UInt64(bitPattern: Int64(seed)))
        order = random.distinct(pool.count, below: pool.count).map { pool[$0] }
    }

    /// The `shots` demonstrations of a query about the video at `path`, those in `barred` left out; fewer when there are not so many.
    package func demonstrations(_ shots: Int, for path: PathBytes, barred: Set<PathBytes> = [])
        -> [LocatedItem]
    {
        Array(order.lazy.filter { $0.path != path && !barred.contains($0.path) }.prefix(shots))
    }

    /// Orders of `count` demonstrations: their own and others, `most` at most, the same ones for the same seed.
    package static func orders(_ count: Int, most: Int, seed: Int) -> [[Int]] {
        let own = Array(0..<count)
        guard count > 1, most > 1 else { return [own] }
        var possible = 1
        for factor in 2...count where possible < most { possible *= factor }
        var random = ResamplingStream(seed: UInt64(bitPattern: Int64(seed)))
        var orders = [own]
        while orders.count < min(most, possible) {
            let order = random.distinct(count, below: count)
            if !orders.contains(order) { orders.append(order) }
        }
        return orders
    }
}
