//! One shot before it is filmed: a world, a camera and actors.

/// A part of the picture whose texture moves by itself, as water, leaves or a road do.
struct Flow {
    enum Kind {
        /// Every row sways.
        case ripple
        /// The whole part runs sideways.
        case run
    }

    let kind: Kind
    /// The part: world heights in views, 0 in the middle of the shot.
    let upper: Float
    let lower: Float
    /// How far it sways, or how far it runs over the shot, in views.
    let amount: Float
    let phase: Float

    /// The displacement of the world's height `v` at time `t`, in views.
    func displacement(_ v: Float, _ t: Float) -> Float {
        guard v >= upper, v < lower else { return 0 }
        switch kind {
        case .ripple: return amount * Waves.sine(v * 9 + t * 5 + phase)
        case .run: return amount * t
        }
    }
}

/// A shot.
struct Scene {
    let world: WorldPlan
    /// The place of the world in the middle of the picture, as shares of its side, and how much of its side the view spans.
    let centre: SIMD2<Float>
    let span: Float
    let camera: CameraPath
    let flow: Flow?
    /// Drawn first to last.
    let actors: [Actor]
    /// The subject, the last of the actors; nil when there is none.
    let subject: Actor?

    /// What the camera sees at time `t` (0...1 over the whole clip).
    func film(_ world: World, view: View, at t: Float, on picture: inout Picture) {
        let side = Float(world.side)
        let offset = camera.offset(t)
        let reach = Waves.exponential(-camera.logZoom(t))
        let texels = span * side
        // Shown width and height of the view in texels, for a magnification of 1.
        let (across, down) = (texels * view.width, texels * view.height)
        let mask = world.side - 1
        let (width, height) = (picture.width, picture.height)
        // Large and positive, so that truncation is rounding down; a multiple of the side.
        let base = centre * side + 16 * side
        for y in 0..<height {
            let v = ((Float(y) + 0.5) / Float(height) - 0.5) * reach + offset.y
            let ty = base.y + v * down
            let ay = ty - ty.rounded(.down)
            let upper = (Int(ty) & mask) * world.side
            let lower = ((Int(ty) + 1) & mask) * world.side
            let shift = offset.x - (flow?.displacement(v, t) ?? 0)
            let first = base.x + ((0.5 / Float(width) - 0.5) * reach + shift) * across
            let step = reach * across / Float(width)
            for x in 0..<width {
                let tx = first + Float(x) * step
                let whole = Int(tx)
                let ax = tx - Float(whole)
                let left = whole & mask
                let right = (whole + 1) & mask
                let one = world.texels[upper + left]
                let two = world.texels[lower + left]
                let a = one + (world.texels[upper + right] - one) * ax
                let b = two + (world.texels[lower + right] - two) * ax
                picture.pixels[y * width + x] = a + (b - a) * ay
            }
        }
        for actor in actors {
            actor.draw(on: &picture, view: view, camera: camera, world: world, at: t)
        }
    }

    /// Where subject and camera are at time `t`.
    func point(_ t: Float) -> PathPoint {
        let offset = camera.offset(t)
        let place = subject?.position(t, camera)
        return PathPoint(
            x: place?.centre.x ?? 0.5, y: place?.centre.y ?? 0.5,
            radius: (subject?.radius ?? 0) * (place?.growth ?? 1), dx: offset.x, dy: offset.y,
            logZoom: camera.logZoom(t))
    }
}
