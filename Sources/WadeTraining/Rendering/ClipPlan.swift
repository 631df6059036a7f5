//! Everything about a clip that its seed decides, before a pixel is made.

/// A clip's shots, light and truth.
struct ClipPlan {
    let truth: ClipTruth
    /// Shots in the order of time, each with the time at which it begins.
    let shots: [(start: Float, scene: Scene)]
    let light: Light
    let view: View
    /// How many frames the camera takes: sampled times fall onto these.
    let ticks: Int

    /// The clip of `seed`. `aspect` is the shown width over height, drawn when nil; `ticks` likewise. `isEncoded`: a real encoder follows.
    init(
        seed: UInt64, mixture: ClipMixture, aspect: Float? = nil, ticks: Int? = nil,
        isEncoded: Bool = false
    ) {
        var frame = RandomStream(seed: seed, purpose: 2)
        let drawn = [16 / 9, 4 / 3, 1, 9 / 16, 2.39] as [Float]
        let shape = drawn[frame.index(weights: [0.45, 0.18, 0.17, 0.12, 0.08])]
        let count = 16 + frame.index(100)
        let view = View(aspect: aspect ?? shape)
        let depth = frame.uniform(0.06, 0.15)
        let bars = [SIMD2(), SIMD2(0, depth), SIMD2(depth, 0)][
            frame.index(weights: [0.9, 0.06, 0.04])]

        var random = RandomStream(seed: seed, purpose: 1)
        let film: Film = random.chance(mixture.monochrome) ? .monochrome : .colourful
        let brightness = random.element(Brightness.allCases)
        let transition = Transition(mixture, &random)
        let first = ShotRequest(mixture, film, brightness, bars, view, &random)
        var requests = [first]
        var starts: [Float] = [0]
        if transition == .cut {
            for eighth in Self.cuts(&random) {
                requests.append(
                    ShotRequest(
                        mixture, film, brightness, bars, view, other: first.background, &random))
                starts.append(Float(eighth) / 8 + random.uniform(-0.025, 0.025))
            }
        }
        let made = requests.enumerated().map { index, request in
            request.scene(seed: seed &+ UInt64(index) &* 0x9E37_79B9)
        }
        self.view = view
        self.ticks = ticks ?? count
        shots = zip(starts, made).map { ($0, $1.scene) }
        truth = ClipTruth(first, transition, hasOneHue: made[0].hasOneHue)
        light = Light(
            seed: seed, first, transition, bars: bars, isEncoded: isEncoded)
    }

    /// The eighths of the clip at which it cuts; every shot has at least two of eight uniform frames.
    private static func cuts(_ random: inout RandomStream) -> [Int] {
        let first = 2 + random.index(5)
        guard first <= 4, random.chance(0.35) else { return [first] }
        return [first, first + 2 + random.index(5 - first)]
    }

    /// The index of the shot at time `t`.
    func shot(at t: Float) -> Int {
        (shots.lastIndex { $0.start <= t }) ?? 0
    }

    /// The tick that is on show at time `t`, and the time in its middle.
    func tick(at t: Float) -> (index: Int, time: Float) {
        let index = min(ticks - 1, max(0, Int(t * Float(ticks))))
        return (index, (Float(index) + 0.5) / Float(ticks))
    }

    /// The frame indices that sampling `count` frames uniformly shows.
    func uniformTicks(_ count: Int) -> [(index: Int, time: Float)] {
        (0..<count).map { tick(at: (Float($0) + 0.5) / Float(count)) }
    }

    /// Where subject and camera are at time `t`.
    func point(at t: Float) -> PathPoint { shots[shot(at: t)].scene.point(t) }
}

extension Transition {
    fileprivate init(_ mixture: ClipMixture, _ random: inout RandomStream) {
        let shares = [mixture.cut, mixture.fadeOut, mixture.fadeIn]
        let rest = max(0, 1 - shares.reduce(0, +))
        self = [.none, .cut, .fadeOut, .fadeIn][random.index(weights: [rest] + shares)]
    }
}

extension ShotRequest {
    /// Draws what a shot shows; `other` is the background of the shot before it.
    fileprivate init(
        _ mixture: ClipMixture, _ film: Film, _ brightness: Brightness, _ bars: SIMD2<Float>,
        _ view: View, other: BackgroundHue? = nil, _ random: inout RandomStream
    ) {
        self.film = film
        self.bars = bars
        self.view = view
        let moving: [CameraMovement] = [.panLeft, .panRight, .tiltUp, .tiltDown, .zoomIn, .zoomOut]
        let chosen = random.element(moving)
        camera = random.chance(mixture.staticCamera) ? .fixed : chosen
        let people = max(0, 1 - mixture.withoutSubject - mixture.crowd)
        cast =
            [.subject, .nobody, .crowd][
                random.index(weights: [people, mixture.withoutSubject, mixture.crowd])]
        shape = random.element(SubjectShape.allCases.filter { $0 != .unclear })
        colour = random.element(SubjectColour.allCases.filter { $0 != .unclear })
        motion = random.element(ScreenMotion.allCases.filter { $0 != .unclear })
        let clashing = cast == .subject ? colour : SubjectColour.unclear
        var hues = BackgroundHue.allCases.filter { $0 != .unclear && $0.clash != clashing }
        // A grey scene on colour film needs something with a hue to tell it from black and white.
        if cast == .nobody, film == .colourful { hues.removeAll { $0 == .grey } }
        if let other, !random.chance(0.3) { hues.removeAll { $0 == other } }
        background = random.element(hues)
        let isTroubled = random.chance(mixture.unreadable)
        let kind = random.index(weights: [0.45, 0.28, 0.27])
        trouble = isTroubled && other == nil ? [.featureless, .shaken, .black][kind] : nil
        self.brightness = trouble == .black ? .dark : brightness
    }
}

extension ClipTruth {
    fileprivate init(_ shot: ShotRequest, _ transition: Transition, hasOneHue: Bool) {
        let isCut = transition == .cut
        let isBlack = shot.trouble == .black
        let isShaken = shot.trouble == .shaken
        let isMonochrome = shot.film == .monochrome
        let hasSubject = !isCut && !isBlack && shot.cast == .subject
        self.init(
            camera: isCut || shot.trouble != nil ? .unclear : shot.camera,
            shape: hasSubject ? shot.shape : .unclear,
            colour: hasSubject && !isMonochrome ? shot.colour : .unclear,
            motion: hasSubject && !isShaken ? shot.motion : .unclear,
            background: isCut || isBlack || isMonochrome || !hasOneHue
                ? .unclear : shot.background,
            brightness: shot.brightness, transition: transition, film: shot.film)
    }
}

extension Light {
    /// Draws the light of a clip whose first shot is `shot`.
    fileprivate init(
        seed: UInt64, _ shot: ShotRequest, _ transition: Transition, bars: SIMD2<Float>,
        isEncoded: Bool
    ) {
        var random = RandomStream(seed: seed, purpose: 4)
        self.seed = seed
        self.bars = bars
        self.transition = transition
        film = shot.film
        let isDark = shot.brightness == .dark
        let range: (Float, Float)
        switch shot.brightness {
        case .dark: range = (shot.colour == .black ? 0.12 : 0.09, 0.18)
        case .normal: range = (0.31, 0.5)
        case .bright: range = (0.65, 0.81)
        }
        target = shot.trouble == .black ? 0.006 : random.uniform(range.0, range.1)
        keepsHighlights = random.chance(0.4) && shot.trouble != .black
        let begin = random.uniform(0.3, 0.65)
        let end = random.uniform(0.86, 0.92)
        let rest = random.chance(0.6) ? 0 : random.uniform(0, 0.07)
        fade = transition == .fadeIn ? (1 - end, 1 - begin, rest) : (begin, end, rest)
        let isMonochrome = film == .monochrome
        tint = isMonochrome && random.chance(0.3) ? random.uniform(0, 0.06) : 0
        let fades = transition == .fadeIn || transition == .fadeOut
        drift = !fades && random.chance(0.3) ? random.uniform(-0.35, 0.35) : 0
        flicker = random.chance(0.3) ? random.uniform(0, 0.06) : 0
        // Light is warm or cold, hardly ever green.
        let warmth = random.uniform(-0.06, 0.06)
        whiteBalance =
            isMonochrome
            ? Paint(repeating: 1)
            : Paint(1 + warmth, 1 + random.uniform(-0.01, 0.01), 1 - warmth, 1)
        blur = random.index(weights: [0.6, 0.28, 0.12])
        vignette = random.chance(0.3) ? random.uniform(0.1, 0.5) : 0
        grain = random.chance(0.6) ? random.uniform(0.002, isDark ? 0.012 : 0.03) : 0
        let level = random.uniform(isDark ? 40 : 22, 85)
        let isCompressed = random.chance(0.5)
        quality = isCompressed && !isEncoded ? level : nil
    }
}
