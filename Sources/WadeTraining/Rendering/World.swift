//! The world behind the subject: a textured square that wraps, over which the camera looks.

/// What a world looks like.
enum WorldFamily: CaseIterable {
    /// Noise of several octaves.
    case noise
    /// A long gradient under noise.
    case gradient
    /// Stripes, checks or dots.
    case pattern
    /// Scattered rectangles and triangles.
    case scatter
    /// Sky over ground.
    case landscape
    /// Windows or bricks at a regular pitch.
    case facade
}

/// All that is drawn about a world before it is painted.
struct WorldPlan {
    let seed: UInt64
    let family: WorldFamily
    let tone: BackgroundTone
    /// The ground's tone where it differs from the sky's.
    let groundTone: BackgroundTone?
    /// Relative difference of light and dark; next to nothing in a world without features.
    let contrast: Float
    /// Whether scattered pieces have hues of their own.
    let hasColouredPieces: Bool

    /// The painted world, `side` (a power of two, at least 256) points a side.
    func world(side: Int) -> World {
        var random = RandomStream(seed: seed, purpose: 11)
        let noise = NoiseField(
            side: side, coarsest: 2 << random.index(3), persistence: random.uniform(0.45, 0.85),
            &random)
        var levels = noise.levels
        switch family {
        case .noise: break
        case .gradient: addGradient(&levels, side, &random)
        case .pattern: addPattern(&levels, side, &random)
        case .scatter: addPieces(&levels, side, &random)
        case .landscape: addLight(&levels, side, &random)
        case .facade: addFacade(&levels, side, &random)
        }
        let drift = random.uniform(-0.008, 0.008)
        let upper = table(tone, drift)
        var texels = [Paint](repeating: Paint(), count: side * side)
        let horizon = family == .landscape ? side / 2 : side
        let lower = table(groundTone ?? tone, drift)
        for y in 0..<side {
            // The horizon is a little uneven.
            for x in 0..<side {
                let index = y * side + x
                let isGround =
                    Float(y) + levels[(index + side * side / 4) % (side * side)] * 3
                    >= Float(horizon)
                let entry = min(255, max(0, Int((levels[index] + 2) * 64)))
                texels[index] = isGround ? lower[entry] : upper[entry]
            }
        }
        if hasColouredPieces { paintPieces(&texels, side, &random) }
        return World(side: side, texels: texels)
    }

    private func table(_ tone: BackgroundTone, _ drift: Float) -> [Paint] {
        (0..<256).map { tone.paint(at: Float($0) / 64 - 2, contrast: contrast, hueDrift: drift) }
    }

    private func addGradient(_ levels: inout [Float], _ side: Int, _ random: inout RandomStream) {
        let across = random.index(2)
        let down = across == 0 ? 1 : random.index(2)
        let phase = random.unit()
        let share = random.uniform(0.3, 0.8)
        let wave = (0..<side).map { Waves.sine(Float($0) / Float(side) + phase) * 0.9 }
        for y in 0..<side {
            for x in 0..<side {
                let level = wave[(across * x + down * y) % side]
                levels[y * side + x] = levels[y * side + x] * share + level
            }
        }
    }

    private func addPattern(_ levels: inout [Float], _ side: Int, _ random: inout RandomStream) {
        let kind = random.index(3)
        var across = 4 + random.index(14)
        var down = 4 + random.index(14)
        if kind == 0 {
            switch random.index(3) {
            case 0: across = 0
            case 1: down = 0
            default: break
            }
        }
        // Noise enough to tell how far a regular pattern has moved.
        let share = random.uniform(0.4, 0.8)
        let wave = (0..<side).map { Waves.sine(Float($0) / Float(side)) }
        for y in 0..<side {
            for x in 0..<side {
                let a = wave[across * x % side]
                let b = wave[down * y % side]
                let level: Float
                switch kind {
                case 0: level = wave[(across * x + down * y) % side] > 0 ? 0.8 : -0.8
                case 1: level = (a > 0) != (b > 0) ? 0.8 : -0.8
                default: level = a * b > 0.45 ? 1.2 : -0.4
                }
                levels[y * side + x] = levels[y * side + x] * share + level
            }
        }
    }

    private func addPieces(_ levels: inout [Float], _ side: Int, _ random: inout RandomStream) {
        let share = random.uniform(0.2, 0.7)
        for index in levels.indices { levels[index] *= share }
        for _ in 0..<20 + random.index(60) {
            let level = random.uniform(-1.2, 1.2)
            Piece(side, 4, 38, &random).visit(side) { levels[$0] += level }
        }
    }

    /// Light that falls off from the horizon, and soft blobs on the ground.
    private func addLight(_ levels: inout [Float], _ side: Int, _ random: inout RandomStream) {
        let sky = random.uniform(0.15, 0.6)
        let ground = random.uniform(0.6, 1.1)
        let shift = groundTone == nil ? random.element([-0.9, -0.6, 0.6] as [Float]) : 0
        for y in 0..<side {
            let share = Float(y) / Float(side)
            let isSky = y < side / 2
            let light = isSky ? share * 1.2 - 0.3 : shift - (share - 0.5) * 0.5
            let amount = isSky ? sky : ground
            for x in 0..<side { levels[y * side + x] = levels[y * side + x] * amount + light }
        }
        for _ in 0..<6 + random.index(20) {
            let level = random.uniform(-0.9, 0.7)
            var piece = Piece(side, 5, 22, &random)
            piece.y = Float(side) * random.uniform(0.44, 0.95)
            piece.visit(side) { levels[$0] += level }
        }
    }

    private func addFacade(_ levels: inout [Float], _ side: Int, _ random: inout RandomStream) {
        let columns = 6 << random.index(3)
        let rows = columns * (1 + random.index(2))
        let pitch = (x: side / columns, y: side / rows)
        let width = Int(Float(pitch.x) * random.uniform(0.4, 0.9))
        let height = Int(Float(pitch.y) * random.uniform(0.4, 0.9))
        let shift = random.chance(0.4) ? pitch.x / 2 : 0
        let share = random.uniform(0.35, 0.7)
        let base = random.element([-0.9, 0.9] as [Float])
        let lights = (0..<64).map { _ in base + random.uniform(-0.5, 0.5) }
        for y in 0..<side {
            let row = y / pitch.y
            for x in 0..<side {
                let across = x + (row % 2) * shift
                let column = across / pitch.x % columns
                let isPane = across % pitch.x < width && y % pitch.y < height
                let level = isPane ? lights[(row * 7 + column * 3) % 64] : -base * 0.4
                levels[y * side + x] = levels[y * side + x] * share + level
            }
        }
    }

    /// A few pieces in other hues; together they stay a small part of the world.
    private func paintPieces(_ texels: inout [Paint], _ side: Int, _ random: inout RandomStream) {
        for _ in 0..<30 + random.index(50) {
            let paint = Paint.hsv(
                random.unit(), random.uniform(0.3, 0.9), random.uniform(0.25, 0.95))
            let strength = random.uniform(0.3, 0.8)
            Piece(side, 2, 8, &random).visit(side) {
                texels[$0] += (paint - texels[$0]) * strength
            }
        }
    }
}

/// A rectangle or triangle somewhere in a world.
private struct Piece {
    var x: Float
    var y: Float
    let halfWidth: Float
    let halfHeight: Float
    let cosine: Float
    let sine: Float
    let isTriangle: Bool

    /// A piece of half sizes between the bounds, in 256ths of the world's side.
    init(_ side: Int, _ least: Float, _ most: Float, _ random: inout RandomStream) {
        let unit = Float(side) / 256
        x = random.unit() * Float(side)
        y = random.unit() * Float(side)
        halfWidth = random.uniform(least, most) * unit
        halfHeight = random.uniform(least, most) * unit
        let angle = random.unit()
        cosine = Waves.cosine(angle)
        sine = Waves.sine(angle)
        isTriangle = random.chance(0.5)
    }

    /// Gives `body` the index of every point of the piece.
    func visit(_ side: Int, _ body: (Int) -> Void) {
        let reach = Int(halfWidth + halfHeight) + 1
        for dy in -reach...reach {
            let row = ((Int(y) + dy) & (side - 1)) * side
            for dx in -reach...reach {
                let u = cosine * Float(dx) + sine * Float(dy)
                let v = cosine * Float(dy) - sine * Float(dx)
                guard abs(v) < halfHeight else { continue }
                let half =
                    isTriangle ? halfWidth * (halfHeight - v) / (2 * halfHeight) : halfWidth
                if abs(u) < half { body(row + ((Int(x) + dx) & (side - 1))) }
            }
        }
    }
}

/// A painted square that wraps.
struct World {
    let side: Int
    /// side × side colours, row by row.
    let texels: [Paint]
}
