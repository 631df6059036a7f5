//! How the camera travels over the world during a shot.

/// How a movement's progress follows time.
enum Easing: CaseIterable {
    case even, smooth, held, late, early

    /// Progress 0...1 at time `t` 0...1.
    func progress(_ t: Float) -> Float {
        switch self {
        case .even: t
        case .smooth: t * t * (3 - 2 * t)
        case .held: min(1, max(0, (t - 0.2) / 0.6))
        case .late: t * (0.4 + 0.6 * t)
        case .early: 1 - (1 - t) * (0.4 + 0.6 * (1 - t))
        }
    }
}

/// A sum of three waves of growing frequency, about ±1: what a hand does to a camera, or wind to a tree.
struct Tremor {
    private let frequency: SIMD4<Float>
    private let phase: SIMD4<Float>
    private let weight: SIMD4<Float>

    init(_ random: inout RandomStream) {
        frequency = SIMD4(
            random.uniform(0.8, 2), random.uniform(3, 6), random.uniform(7, 15), 0)
        phase = SIMD4(random.unit(), random.unit(), random.unit(), 0)
        weight = SIMD4(
            random.uniform(0.4, 1), random.uniform(0.3, 0.7), random.uniform(0.1, 0.6), 0)
    }

    /// The displacement at time `t`.
    func at(_ t: Float) -> Float {
        var sum: Float = 0
        for index in 0..<3 {
            sum += weight[index] * Waves.sine(frequency[index] * t + phase[index])
        }
        return sum
    }
}

/// The camera's way; lengths in views (picture widths to the right, picture heights downwards).
struct CameraPath {
    /// How far the camera turns from beginning to end.
    let travel: SIMD2<Float>
    /// Natural logarithm of the magnification's growth from beginning to end.
    let zoom: Float
    let easing: Easing
    /// How far the hand shakes, in views.
    let shake: Float
    private let tremors: (Tremor, Tremor)

    init(
        travel: SIMD2<Float>, zoom: Float, easing: Easing, shake: Float,
        _ random: inout RandomStream
    ) {
        self.travel = travel
        self.zoom = zoom
        self.easing = easing
        self.shake = shake
        tremors = (Tremor(&random), Tremor(&random))
    }

    /// The hand's displacement at time `t`.
    func shaking(_ t: Float) -> SIMD2<Float> {
        shake > 0 ? SIMD2(tremors.0.at(t), tremors.1.at(t)) * shake : SIMD2()
    }

    /// The camera's displacement from the middle of the shot.
    func offset(_ t: Float) -> SIMD2<Float> {
        travel * (easing.progress(t) - 0.5) + shaking(t)
    }

    /// Natural logarithm of the magnification; 0 in the middle of the shot.
    func logZoom(_ t: Float) -> Float { zoom * (easing.progress(t) - 0.5) }
}
