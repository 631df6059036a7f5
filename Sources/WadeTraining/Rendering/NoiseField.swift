//! Noise of many octaves on a square that wraps, built from coarse to fine.

/// Levels of about ±1 on a square of `side` × `side` points, a power of two, wrapping at its edges.
struct NoiseField {
    let side: Int
    var levels: [Float]

    /// Noise whose coarsest octave has `coarsest` cells a side and whose octaves weigh `persistence` of the one before. The finest has
    /// two points a cell. Cost: each octave is a smooth doubling of the sum so far, so all together cost what the last costs.
    init(side: Int, coarsest: Int, persistence: Float, _ random: inout RandomStream) {
        self.side = side
        var cells = coarsest
        var weight: Float = 1
        var energy: Float = 1
        var field = Self.white(cells, 1, &random)
        while cells < side {
            field = Self.doubled(field, cells)
            cells *= 2
            guard cells < side else { break }
            weight *= persistence
            energy += weight * weight
            for index in field.indices { field[index] += weight * random.signed() }
        }
        // Uniform numbers have variance 1/3, and smoothing takes about half of it away.
        let scale = 2.2 / energy.squareRoot()
        for index in field.indices { field[index] *= scale }
        levels = field
    }

    private static func white(_ side: Int, _ weight: Float, _ random: inout RandomStream)
        -> [Float]
    {
        (0..<side * side).map { _ in weight * random.signed() }
    }

    /// Twice as many points a side, by the quadratic B-spline's weights (1 3 3 1)/4.
    private static func doubled(_ field: [Float], _ side: Int) -> [Float] {
        let wide = side * 2
        var rows = [Float](repeating: 0, count: side * wide)
        for y in 0..<side {
            let row = y * side
            for x in 0..<side {
                let here = field[row + x] * 0.75
                let left = field[row + (x == 0 ? side - 1 : x - 1)]
                let right = field[row + (x == side - 1 ? 0 : x + 1)]
                rows[y * wide + 2 * x] = here + 0.25 * left
                rows[y * wide + 2 * x + 1] = here + 0.25 * right
            }
        }
        var result = [Float](repeating: 0, count: wide * wide)
        for y in 0..<side {
            let row = y * wide
            let above = (y == 0 ? side - 1 : y - 1) * wide
            let below = (y == side - 1 ? 0 : y + 1) * wide
            let upper = 2 * y * wide
            let lower = upper + wide
            for x in 0..<wide {
                let here = rows[row + x] * 0.75
                result[upper + x] = here + 0.25 * rows[above + x]
                result[lower + x] = here + 0.25 * rows[below + x]
            }
        }
        return result
    }
}
