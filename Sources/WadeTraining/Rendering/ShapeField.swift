//! Outlines as signed distances.

/// What an actor's outline is: a subject's shape, or a soft ellipse for a body in the background.
enum Outline: Sendable {
    case circle, square, triangle, star, cross, ring

    /// The outline of `shape`.
    init(_ shape: SubjectShape) {
        switch shape {
        case .circle, .unclear: self = .circle
        case .square: self = .square
        case .triangle: self = .triangle
        case .star: self = .star
        case .cross: self = .cross
        case .ring: self = .ring
        }
    }

    /// About the distance of (u, v) to the outline of radius 1, negative inside; v points downwards.
    func distance(_ u: Float, _ v: Float) -> Float {
        switch self {
        case .circle: return (u * u + v * v).squareRoot() - 0.95
        case .square: return max(abs(u), abs(v)) - 0.85
        case .triangle: return max(abs(u) * 0.866 - v * 0.5, v) - 0.52
        case .star: return Self.star(u, v)
        case .cross:
            let a = abs(u)
            let b = abs(v)
            return min(max(a - 1, b - 0.3), max(a - 0.3, b - 1))
        case .ring: return abs((u * u + v * v).squareRoot() - 0.72) - 0.25
        }
    }

    /// Five points, folded onto one (after Inigo Quilez' sdStar5).
    private static func star(_ u: Float, _ v: Float) -> Float {
        let radius: Float = 1.1
        let fold = SIMD2<Float>(0.809_017, -0.587_785)
        let mirror = SIMD2<Float>(-0.809_017, -0.587_785)
        var p = SIMD2(abs(u), -v)
        p -= 2 * max((fold * p).sum(), 0) * fold
        p -= 2 * max((mirror * p).sum(), 0) * mirror
        p.x = abs(p.x)
        p.y -= radius
        let edge = 0.42 * SIMD2<Float>(0.587_785, 0.809_017) - SIMD2<Float>(0, 1)
        let along = min(radius, max(0, (p * edge).sum() / (edge * edge).sum()))
        let rest = p - edge * along
        let distance = (rest * rest).sum().squareRoot()
        return p.y * edge.x > p.x * edge.y ? distance : -distance
    }
}
