//! Draws a shot: world, camera, subject and everything around it.

/// What a shot has to show.
struct ShotRequest {
    /// Why a shot cannot be read.
    enum Trouble { case featureless, shaken, black }
    /// Whom the shot is about.
    enum Cast { case subject, nobody, crowd }

    var camera: CameraMovement
    var cast: Cast
    var shape: SubjectShape
    var colour: SubjectColour
    var motion: ScreenMotion
    var background: BackgroundHue
    var trouble: Trouble?
    let film: Film
    let brightness: Brightness
    let bars: SIMD2<Float>
    let view: View
}

extension ShotRequest {
    /// A shot that shows what is requested; `hasOneHue` is false when the background has two hues.
    func scene(seed: UInt64) -> (scene: Scene, hasOneHue: Bool) {
        var random = RandomStream(seed: seed, purpose: 3)
        let paint = (film == .monochrome ? monochromeColour : colour).paint(&random)
        let (world, hasOneHue) = worldPlan(seed, avoiding: paint, &random)
        let camera = cameraPath(&random)
        var center = SIMD2(random.unit(), random.unit())
        if world.family == .landscape { center.y = 0.5 + random.uniform(-0.08, 0.08) }
        let span = random.uniform(0.85, 1.25) * 96 / 256
        let flow = drawFlow(&random)
        var actors = bodies(world, &random)
        var subject: Actor?
        switch cast {
        case .nobody: break
        case .crowd: actors += crowd(&random)
        case .subject:
            let made = drawSubject(paint, camera, &random)
            actors += companions(made, &random) + [made]
            subject = made
        }
        let scene = Scene(
            world: world, centre: center, span: span, camera: camera, flow: flow, actors: actors,
            subject: subject)
        return (scene, hasOneHue)
    }

    /// On black-and-white film a colour may have the background's grey; white and black stand out.
    private var monochromeColour: SubjectColour {
        switch colour {
        case .white, .yellow, .orange, .green: .white
        default: .black
        }
    }

    private func worldPlan(
        _ seed: UInt64, avoiding paint: Paint, _ random: inout RandomStream
    ) -> (WorldPlan, Bool) {
        let weights: [Float] = [0.2, 0.12, 0.13, 0.2, 0.2, 0.15]
        let family =
            trouble == .featureless
            ? .noise : WorldFamily.allCases[random.index(weights: weights)]
        var tone = BackgroundTone(background, &random)
        // The subject has to stand out; a dozen tries always were enough.
        for _ in 0..<12 where cast == .subject && !stands(paint, outOf: tone.paint) {
            tone = BackgroundTone(background, &random)
        }
        // Bright brown is beige; as saturated as in the shade it would be salmon.
        if background == .brown, brightness == .bright { tone.saturation *= 0.8 }
        var ground: BackgroundTone?
        if family == .landscape, film == .colourful, random.chance(0.5) {
            let others = BackgroundHue.allCases.filter {
                $0 != background && $0 != .unclear && (cast != .subject || $0.clash != colour)
            }
            ground = BackgroundTone(random.element(others), &random)
        }
        let least: Float = brightness == .dark ? 0.2 : 0.13
        let contrast = trouble == .featureless ? 0.003 : random.uniform(least, 0.4)
        let isPale = background == .grey && (cast != .subject || !colour.hasHue)
        let mayHavePieces = film == .colourful && trouble != .featureless
        let plan = WorldPlan(
            seed: seed, family: family, tone: tone, groundTone: ground, contrast: contrast,
            hasColouredPieces: mayHavePieces && (isPale || random.chance(0.2)))
        return (plan, ground == nil)
    }

    private func stands(_ paint: Paint, outOf tone: Paint) -> Bool {
        film == .monochrome
            ? abs(paint.luma - tone.luma) > 0.3 : paint.distance(to: tone) > 0.33
    }

    private func cameraPath(_ random: inout RandomStream) -> CameraPath {
        let isLong = random.chance(0.25)
        let wide = isLong ? random.uniform(0.8, 1.5) : random.uniform(0.22, 0.8)
        let high = isLong ? random.uniform(0.8, 1.2) : random.uniform(0.22, 0.8)
        let growth = random.uniform(0.24, 0.69)
        let aside = random.uniform(-0.12, 0.12)
        let rest = SIMD2(random.uniform(-0.012, 0.012), random.uniform(-0.012, 0.012))
        let small = random.uniform(-0.02, 0.02)
        let easing = random.element(Easing.allCases)
        var travel = SIMD2<Float>()
        var zoom = small
        switch camera {
        case .panLeft: travel = SIMD2(-wide, aside * wide)
        case .panRight: travel = SIMD2(wide, aside * wide)
        case .tiltUp: travel = SIMD2(aside * high, -high)
        case .tiltDown: travel = SIMD2(aside * high, high)
        case .zoomIn: (travel, zoom) = (rest * 2, growth)
        case .zoomOut: (travel, zoom) = (rest * 2, -growth)
        case .fixed, .unclear:
            let isLocked = random.chance(0.5)
            (travel, zoom) = isLocked ? (SIMD2(), 0) : (rest, small * 0.5)
        }
        var shake: Float = 0
        switch random.index(weights: [0.45, 0.25, 0.2, 0.1]) {
        case 1: shake = random.uniform(0.002, 0.007)
        case 2: shake = random.uniform(0.007, 0.016)
        case 3: shake = random.uniform(0.016, 0.028)
        default: break
        }
        let way = max(abs(travel.x), abs(travel.y))
        if camera != .fixed { shake = min(shake, max(way, abs(zoom) * 0.5) * 0.06) }
        if trouble == .shaken { shake = random.uniform(0.16, 0.3) }
        return CameraPath(travel: travel, zoom: zoom, easing: easing, shake: shake, &random)
    }

    private func drawFlow(_ random: inout RandomStream) -> Flow? {
        let share: Float = camera == .fixed ? 0.25 : 0.06
        guard trouble == nil, random.chance(share) else { return nil }
        let kind: Flow.Kind = random.chance(0.6) ? .ripple : .run
        let upper = random.uniform(-0.5, 0.2)
        let amount =
            kind == .ripple
            ? random.uniform(0.008, 0.035)
            : random.uniform(0.2, 0.9) * (random.chance(0.5) ? 1 : -1)
        let height = kind == .ripple ? random.uniform(0.3, 1.5) : random.uniform(0.2, 0.4)
        return Flow(
            kind: kind, upper: upper, lower: upper + height, amount: amount, phase: random.unit())
    }

    /// Large soft shapes in the background's own hue that sway or walk: people, leaves, machines.
    private func bodies(_ world: WorldPlan, _ random: inout RandomStream) -> [Actor] {
        let share: Float = camera == .fixed ? 0.4 : 0.2
        guard trouble != .featureless, random.chance(share) else { return [] }
        return (0..<1 + random.index(2)).map { _ in
            let light = random.uniform(0.55, 1.35)
            var body = Actor(
                outline: .circle, paint: world.tone.paint * light,
                radius: random.uniform(0.14, 0.32))
            body.stretch = random.uniform(0.45, 1.3)
            body.softness = random.uniform(0.2, 0.6)
            body.texture = random.uniform(0.5, 0.85)
            body.textureOrigin = SIMD2(random.uniform(0, 256), random.uniform(0, 256))
            body.place = SIMD2(random.uniform(-0.5, 0.5), random.uniform(-0.4, 0.5))
            if random.chance(0.4) {
                body.travel = SIMD2(random.uniform(-0.4, 0.4), random.uniform(-0.08, 0.08))
            }
            body.sway = random.chance(0.7) ? random.uniform(0.008, 0.035) : 0
            body.tremors = (Tremor(&random), Tremor(&random))
            body.anchor = .world
            return body
        }
    }

    /// Small things that move otherwise than the subject or stand in the world.
    private func companions(_ subject: Actor, _ random: inout RandomStream) -> [Actor] {
        guard trouble != .featureless else { return [] }
        var count = random.index(weights: [0.5, 0.25, 0.15, 0.1])
        let needsHue = film == .colourful && background == .grey && !colour.hasHue
        if needsHue { count = max(1, count) }
        return (0..<count).map { index in
            var small = thing(
                radius: min(subject.radius * 0.45, random.uniform(0.025, 0.06)), &random)
            small.anchor = .world
            small.place = SIMD2(random.uniform(-0.48, 0.48), random.uniform(-0.48, 0.48))
            if random.chance(0.6) {
                small.travel = SIMD2(random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5))
            }
            if index == 0, needsHue {
                small.paint = random.element([SubjectColour.red, .orange, .green, .blue, .purple])
                    .paint(&random)
                small.anchor = .screen
                small.travel *= 0.4
                small.place *= 0.7
            }
            return small
        }
    }

    /// Several things of the same rank, each with its own way.
    private func crowd(_ random: inout RandomStream) -> [Actor] {
        (0..<3 + random.index(3)).map { _ in
            var one = thing(radius: random.uniform(0.065, 0.1), &random)
            one.place = SIMD2(random.uniform(-0.4, 0.4), random.uniform(-0.4, 0.4))
            if random.chance(0.75) {
                one.travel = SIMD2(random.uniform(-0.6, 0.6), random.uniform(-0.6, 0.6))
            }
            one.anchor = random.chance(0.5) ? .world : .screen
            return one
        }
    }

    private func thing(radius: Float, _ random: inout RandomStream) -> Actor {
        let shape = random.element(SubjectShape.allCases.filter { $0 != .unclear })
        let colours = SubjectColour.allCases.filter { $0 != .unclear }
        var thing = Actor(
            outline: Outline(shape), paint: random.element(colours).paint(&random), radius: radius)
        thing.angle = random.uniform(-0.05, 0.05)
        thing.sway = random.chance(0.3) ? random.uniform(0.005, 0.02) : 0
        thing.tremors = (Tremor(&random), Tremor(&random))
        return thing
    }

    private func drawSubject(
        _ paint: Paint, _ camera: CameraPath, _ random: inout RandomStream
    ) -> Actor {
        let isZoom = abs(camera.zoom) > 0.2
        var subject = Actor(
            outline: Outline(shape), paint: paint,
            radius: isZoom ? random.uniform(0.12, 0.19) : random.uniform(0.11, 0.22))
        subject.softness = random.chance(0.25) ? random.uniform(0.04, 0.18) : 0
        subject.angle = random.uniform(-0.045, 0.045)
        subject.spin = random.chance(0.3) ? random.uniform(-0.05, 0.05) : 0
        subject.shade = random.chance(0.5) ? random.uniform(0, 0.2) : 0
        subject.texture = random.chance(0.3) ? random.uniform(0.03, 0.15) : 0
        subject.textureOrigin = SIMD2(random.uniform(0, 256), random.uniform(0, 256))
        subject.sway = random.chance(0.3) ? random.uniform(0.002, 0.007) : 0
        subject.tremors = (Tremor(&random), Tremor(&random))
        subject.easing = random.element(Easing.allCases)
        // What stands in the world moves against the camera, as fast and in step with it.
        let against = motion.direction * camera.travel
        let stands = min(against.x, against.y) < -0.2 && random.chance(0.5)
        var way = random.uniform(0.27, 0.75)
        if stands {
            way = min(0.8, max(abs(camera.travel.x), abs(camera.travel.y)))
            subject.easing = camera.easing
        }
        let aside = random.uniform(-0.12, 0.12) * way
        let direction = motion.direction
        subject.travel = direction * way + SIMD2(direction.y, direction.x) * aside
        if motion == .still {
            subject.travel = SIMD2(random.uniform(-0.012, 0.012), random.uniform(-0.012, 0.012))
        }
        let extent = SIMD2(subject.radius / view.width, subject.radius / view.height)
        var limit = SIMD2<Float>()
        for axis in 0..<2 {
            let moves = abs(direction[axis]) > 0
            let room = 0.48 - bars[axis] - (moves ? way * 0.45 : extent[axis] * 0.8)
            limit[axis] = max(0, room)
        }
        subject.place = limit * SIMD2(random.signed(), random.signed())
        return subject
    }
}

extension ScreenMotion {
    /// The unit vector of the motion, x to the right and y downwards; zero when still.
    var direction: SIMD2<Float> {
        switch self {
        case .left: SIMD2(-1, 0)
        case .right: SIMD2(1, 0)
        case .up: SIMD2(0, -1)
        case .down: SIMD2(0, 1)
        case .still, .unclear: SIMD2()
        }
    }
}
