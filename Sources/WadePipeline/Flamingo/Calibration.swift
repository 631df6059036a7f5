//! How probable it is that an answer is right, learned from examples.
import Foundation

/// Platt scaling: p(right) = σ(slope · confidence + intercept), fitted by maximum likelihood with Platt's targets in place of 0 and 1
/// ("Probabilistic Outputs for Support Vector Machines", 1999), by Newton's method as Lin, Lin & Weng have it (2007). With few
/// examples the targets keep the curve from certainty: n right ones and none wrong give (n + 1) / (n + 2).
/// The slope is never negative: should confidence speak against being right, it is not listened to.
struct Calibration: Sendable, Equatable {
    /// An answer whose truth is known.
    struct Example: Sendable, Equatable {
        /// The larger, the surer.
        var confidence: Double
        /// Whether it was right.
        var isRight: Bool
    }

    /// What confidence is multiplied by; 0 or more.
    let slope: Double
    /// What is added.
    let intercept: Double
    /// Examples that it was learned from, and right ones among them.
    let count: Int, rightCount: Int

    /// The curve for `examples`; without any it says one half.
    init(_ examples: [Example]) {
        let right = Double(examples.filter(\.isRight).count)
        let wrong = Double(examples.count) - right
        count = examples.count
        rightCount = Int(right)
        let prior = log((right + 1) / (wrong + 1))
        let mean = examples.reduce(0) { $0 + $1.confidence } / Double(max(examples.count, 1))
        let spread =
            (examples.reduce(0) { $0 + ($1.confidence - mean) * ($1.confidence - mean) }
            / Double(max(examples.count, 1))).squareRoot()
        guard right > 0, wrong > 0, spread > 1e-12 else {
            (slope, intercept) = (0, prior)
            return
        }
        let points = examples.map { example in
            (
                x: (example.confidence - mean) / spread,
                target: example.isRight ? (right + 1) / (right + 2) : 1 / (wrong + 2)
            )
        }
        let (a, b) = Self.fit(points, start: prior)
        guard a > 0 else {
            (slope, intercept) = (0, prior)
            return
        }
        slope = a / spread
        intercept = b - a * mean / spread
    }

    /// The slope and intercept of least cross-entropy; the targets lie within (0, 1), so there is one.
    private static func fit(_ points: [(x: Double, target: Double)], start: Double) -> (
        Double, Double
    ) {
        func loss(_ a: Double, _ b: Double) -> Double {
            points.reduce(0) { sum, point in
                let z = a * point.x + b
                // log(1 + exp(z)) − target · z, without overflow
                return sum + max(z, 0) + log1p(exp(-abs(z))) - point.target * z
            }
        }
        var (a, b) = (0.0, start)
        var best = loss(a, b)
        for _ in 0..<100 {
            var (ga, gb, haa, hab, hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9)
            for point in points {
                let p = 1 / (1 + exp(-(a * point.x + b)))
                let (error, weight) = (p - point.target, p * (1 - p))
                ga += error * point.x
                gb += error
                haa += weight * point.x * point.x
                hab += weight * point.x
                hbb += weight
            }
            if abs(ga) < 1e-9, abs(gb) < 1e-9 { break }
            let determinant = haa * hbb - hab * hab
            let (da, db) = (
                (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
            )
            var step = 1.0
            while step > 1e-10, loss(a - step * da, b - step * db) >= best { step /= 2 }
            guard step > 1e-10 else { break }
            (a, b) = (a - step * da, b - step * db)
            best = loss(a, b)
        }
        return (a, b)
    }

    /// The probability of being right at `confidence`.
    func probability(_ confidence: Double) -> Double {
        1 / (1 + exp(-(slope * confidence + intercept)))
    }
}
