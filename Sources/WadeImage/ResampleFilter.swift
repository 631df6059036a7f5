//! The kernels of Pillow's resize and the fixed-point weights it makes of them.

/// A resampling kernel, with Pillow's name and definition.
package enum ResampleFilter: String, Sendable, Codable, CaseIterable {
    /// The triangle, 1 - |x| within 1.
    case bilinear
    /// Keys' cubic with a = -0.5, within 2.
    case bicubic

    /// Half the kernel's width at scale 1, in source pixels.
    var support: Double {
        switch self {
        case .bilinear: return 1
        case .bicubic: return 2
        }
    }

    /// The kernel at `offset` source pixels from its centre, evaluated in Pillow's order of operations.
    func weight(at offset: Double) -> Double {
        let x = offset.magnitude
        switch self {
        case .bilinear:
            return x < 1 ? 1 - x : 0
        case .bicubic:
            let a = -0.5
            if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
            return 0
        }
    }
}

/// The weights of one axis for a window of output positions: output `i` is the sum over
/// `t < counts[i]` of source `sourceRange.lowerBound + starts[i] + t` times `weights[i * taps + t]`.
///
/// Pillow `Resample.c`, `precompute_coeffs` and `normalize_coeffs_8bpc` (12.3 and before).
struct ResampleWeights {
    /// Fraction bits of a weight: 32 less 8 for the pixel and 2 for overshoot.
    static let precisionBits: Int32 = 22

    /// Room for weights per output position.
    let taps: Int
    /// The source positions that any output position of the window reads.
    let sourceRange: Range<Int>
    /// First source position of each output position, counted from the start of `sourceRange`.
    let starts: [Int]
    /// Number of weights of each output position; may be less than `taps` at the borders.
    let counts: [Int]
    /// Fixed-point weights, `taps` per output position.
    let weights: [Int32]

    /// Weights for the output positions `window` of an axis resized from `source` to `target` positions.
    init(source: Int, target: Int, window: Range<Int>, filter: ResampleFilter) {
        precondition(
            source > 0 && !window.isEmpty && window.lowerBound >= 0 && window.upperBound <= target,
            "resample: window \(window) of \(source) to \(target)")
        let scale = Double(source) / Double(target)
        let widening = max(scale, 1)
        let support = filter.support * widening
        let taps = Int(support.rounded(.up)) * 2 + 1
        var starts = [Int](repeating: 0, count: window.count)
        var counts = starts
        var weights = [Int32](repeating: 0, count: window.count * taps)
        var row = [Double](repeating: 0, count: taps)
        for (i, position) in window.enumerated() {
            let center = (Double(position) + 0.5) * scale
            let start = max(Int(center - support + 0.5), 0)
            let count = min(Int(center + support + 0.5), source) - start
            var sum = 0.0
            for t in 0..<count {
                row[t] = filter.weight(at: (Double(t + start) - center + 0.5) * (1 / widening))
                sum += row[t]
            }
            for t in 0..<count {
                let weight = sum == 0 ? row[t] : row[t] / sum
                let fixed = weight * Double(Int32(1) << Self.precisionBits)
                weights[i * taps + t] = Int32(fixed < 0 ? fixed - 0.5 : fixed + 0.5)
            }
            starts[i] = start
            counts[i] = count
        }
        let first = starts.first ?? 0
        self.taps = taps
        self.sourceRange = first..<(starts.last ?? 0) + (counts.last ?? 0)
        self.starts = starts.map { $0 - first }
        self.counts = counts
        self.weights = weights
    }
}
