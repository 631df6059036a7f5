//! Colours: what a word such as `orange` may look like.

/// Red, green and blue in 0...1, and an unused fourth lane.
typealias Paint = SIMD4<Float>

extension SIMD4<Float> {
    /// The colour of this hue (turns), saturation and value.
    static func hsv(_ hue: Float, _ saturation: Float, _ value: Float) -> Paint {
        let sector = (hue - hue.rounded(.down)) * 6
        let index = Swift.min(5, Int(sector))
        let f = sector - Float(index)
        let p = value * (1 - saturation)
        let q = value * (1 - saturation * f)
        let t = value * (1 - saturation * (1 - f))
        switch index {
        case 0: return Paint(value, t, p, 0)
        case 1: return Paint(q, value, p, 0)
        case 2: return Paint(p, value, t, 0)
        case 3: return Paint(p, q, value, 0)
        case 4: return Paint(t, p, value, 0)
        default: return Paint(value, p, q, 0)
        }
    }

    /// Every lane brought between the bounds.
    func within(_ low: Float, _ high: Float) -> Paint {
        let raised = replacing(with: low, where: self .< low)
        return raised.replacing(with: high, where: raised .> high)
    }

    /// BT.601 luma.
    var luma: Float { 0.299 * x + 0.587 * y + 0.114 * z }

    /// How far apart two colours are: the largest difference in a channel.
    func distance(to other: Paint) -> Float {
        let d = self - other
        return Swift.max(abs(d.x), abs(d.y), abs(d.z))
    }
}

extension SubjectColour {
    /// A colour that people call by this word.
    func paint(_ random: inout RandomStream) -> Paint {
        switch self {
        case .red:
            .hsv(random.uniform(-0.012, 0.004), random.uniform(0.8, 1), random.uniform(0.75, 1))
        case .orange:
            .hsv(random.uniform(0.065, 0.09), random.uniform(0.85, 1), random.uniform(0.9, 1))
        case .yellow:
            .hsv(random.uniform(0.15, 0.178), random.uniform(0.75, 1), random.uniform(0.9, 1))
        case .green:
            .hsv(random.uniform(0.3, 0.4), random.uniform(0.7, 1), random.uniform(0.5, 0.9))
        case .blue:
            .hsv(random.uniform(0.58, 0.66), random.uniform(0.75, 1), random.uniform(0.65, 1))
        case .purple:
            .hsv(random.uniform(0.75, 0.82), random.uniform(0.6, 1), random.uniform(0.55, 0.9))
        case .white: .hsv(random.unit(), random.uniform(0, 0.06), random.uniform(0.93, 1))
        case .black, .unclear: .hsv(random.unit(), random.uniform(0, 0.2), random.uniform(0, 0.05))
        }
    }

    /// Whether the word names a hue.
    var hasHue: Bool { self != .white && self != .black && self != .unclear }
}

/// Hue, saturation and value of a background.
struct BackgroundTone {
    var hue: Float
    var saturation: Float
    var value: Float

    /// A tone that people call by the word.
    init(_ word: BackgroundHue, _ random: inout RandomStream) {
        let ranges: (hue: (Float, Float), saturation: (Float, Float), value: (Float, Float))
        switch word {
        case .red: ranges = ((-0.02, 0.006), (0.55, 0.9), (0.5, 0.85))
        case .yellow: ranges = ((0.132, 0.162), (0.5, 0.9), (0.65, 0.95))
        case .green: ranges = ((0.27, 0.42), (0.35, 0.85), (0.35, 0.8))
        case .blue: ranges = ((0.54, 0.67), (0.35, 0.85), (0.45, 0.9))
        case .purple: ranges = ((0.73, 0.83), (0.35, 0.8), (0.4, 0.8))
        case .brown: ranges = ((0.05, 0.085), (0.45, 0.7), (0.28, 0.5))
        case .grey, .unclear: ranges = ((0, 1), (0, 0.07), (0.35, 0.75))
        }
        hue = random.uniform(ranges.hue.0, ranges.hue.1)
        saturation = random.uniform(ranges.saturation.0, ranges.saturation.1)
        value = random.uniform(ranges.value.0, ranges.value.1)
    }

    /// The tone itself.
    var paint: Paint { .hsv(hue, saturation, value) }

    /// The tone where the texture is `level` (-2...2, mostly within ±1), at this contrast.
    func paint(at level: Float, contrast: Float, hueDrift: Float) -> Paint {
        .hsv(
            hue + hueDrift * level, saturation * (1 - 0.2 * contrast * level),
            min(1, max(0.02, value * (1 + contrast * level))))
    }
}

extension BackgroundHue {
    /// The subject's colour that could not be told from this background.
    var clash: SubjectColour? { SubjectColour(rawValue: rawValue) }
}
