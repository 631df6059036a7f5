//! Sums, products and exponentials over runs of float32, eight at a time; the order of additions is fixed by the length alone.

private let laneCount = 8

extension UnsafePointer<Float> {
    /// Values i…i+7.
    @inline(__always)
    fileprivate func lanes(at i: Int) -> SIMD8<Float> {
        unsafe UnsafeRawPointer(self + i).loadUnaligned(as: SIMD8<Float>.self)
    }

    /// Values i…count−1, fewer than eight, and `filler` behind them.
    @inline(__always)
    fileprivate func lanes(from i: Int, to count: Int, filler: Float) -> SIMD8<Float> {
        var lanes = SIMD8<Float>(repeating: filler)
        for lane in 0..<count - i { unsafe lanes[lane] = self[i + lane] }
        return lanes
    }

    /// Σ xᵢ
    func sum(count: Int) -> Float {
        var sums = SIMD8<Float>.zero
        var i = 0
        while i + laneCount <= count {
            unsafe sums += lanes(at: i)
            i += laneCount
        }
        if i < count { unsafe sums += lanes(from: i, to: count, filler: 0) }
        return sums.sum()
    }

    /// Σ xᵢ·yᵢ
    func dot(_ other: UnsafePointer<Float>, count: Int) -> Float {
        var sums = SIMD8<Float>.zero
        var i = 0
        while i + laneCount <= count {
            unsafe sums += lanes(at: i) * other.lanes(at: i)
            i += laneCount
        }
        if i < count {
            unsafe sums +=
                lanes(from: i, to: count, filler: 0) * other.lanes(from: i, to: count, filler: 0)
        }
        return sums.sum()
    }

    /// Σ (xᵢ − mean)²
    func squaredDistance(from mean: Float, count: Int) -> Float {
        var sums = SIMD8<Float>.zero
        var i = 0
        while i + laneCount <= count {
            let apart = unsafe lanes(at: i) - mean
            sums += apart * apart
            i += laneCount
        }
        if i < count {
            let apart = unsafe lanes(from: i, to: count, filler: mean) - mean
            sums += apart * apart
        }
        return sums.sum()
    }

    /// The largest value; −∞ of none.
    func largest(count: Int) -> Float {
        var largest = SIMD8<Float>(repeating: -.infinity)
        var i = 0
        while i + laneCount <= count {
            let next = unsafe lanes(at: i)
            largest.replace(with: next, where: next .> largest)
            i += laneCount
        }
        if i < count {
            let next = unsafe lanes(from: i, to: count, filler: -.infinity)
            largest.replace(with: next, where: next .> largest)
        }
        return largest.max()
    }
}

extension UnsafeMutablePointer<Float> {
    /// xᵢ ← exp(xᵢ − largest), where `largest` is no less than any xᵢ; returns their sum.
    func exponentiate(minus largest: Float, count: Int) -> Float {
        let values = unsafe UnsafePointer(self)
        var sums = SIMD8<Float>.zero
        var i = 0
        while i + laneCount <= count {
            let power = unsafe exponential(values.lanes(at: i) - largest)
            unsafe UnsafeMutableRawPointer(self + i).storeBytes(
                of: power, as: SIMD8<Float>.self)
            sums += power
            i += laneCount
        }
        if i < count {
            let power = unsafe exponential(
                values.lanes(from: i, to: count, filler: -.infinity) - largest)
            for lane in 0..<count - i { unsafe self[i + lane] = power[lane] }
            sums += power
        }
        return sums.sum()
    }

    /// xᵢ ← xᵢ·scale
    func scale(by scale: Float, count: Int) {
        for i in 0..<count { unsafe self[i] *= scale }
    }

    /// Adds each row of (rows, width) to this row.
    func addRows(of rows: UnsafePointer<Float>, count: Int, width: Int, scaledBy scale: Float = 1) {
        for row in 0..<count {
            let line = unsafe rows + row * width
            for i in 0..<width { unsafe self[i] += scale * line[i] }
        }
    }
}

/// eˣ for x ≤ 0 to 2 units in the last place; 0 below −87.3, where float32 has no normal numbers left.
///
/// x = n·ln 2 + r with |r| ≤ ½·ln 2, and a polynomial for eʳ (Cephes' `expf`). The standard library's expf is its oracle.
@inline(__always)
func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> {
    typealias Floats = SIMD8<Float>
    // Adding 1.5·2²³ rounds to the nearest integer and leaves it in the lowest bits.
    let rounder: Float = 12_582_912
    var bounded = x
    let tooSmall = x .< Floats(repeating: -87.3)
    bounded.replace(with: -87.3, where: tooSmall)
    let shifted = bounded * 1.442_695_04 + rounder
    let n = shifted - rounder
    let r = (bounded - n * 0.693_359_375) + n * 2.121_944_4e-4
    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_9e-3
    p = p * r + 4.166_579_6e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_1e-1
    p = p * (r * r) + r + 1
    let exponent = (unsafe unsafeBitCast(shifted, to: SIMD8<UInt32>.self) &+ 127) &<< 23
    var power = unsafe p * unsafeBitCast(exponent, to: Floats.self)
    power.replace(with: 0, where: tooSmall)
    return power
}
