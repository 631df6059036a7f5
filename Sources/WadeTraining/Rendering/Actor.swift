//! Things that are drawn over the world: the subject, small companions, and large soft bodies.

/// A thing with an outline, a coat and a way of moving.
struct Actor {
    /// What an actor keeps its place in.
    enum Anchor {
        /// The screen: its way is what is seen, whatever the camera does.
        case screen
        /// The world: the camera's movement is seen on it too.
        case world
    }

    var outline: Outline
    var paint: Paint
    /// Radius in the middle of the shot; the shown picture has an area of 1.
    var radius: Float
    /// Half-width over half-height.
    var stretch: Float = 1
    /// Width of the edge, in radii.
    var softness: Float = 0
    /// Turns at the middle of the shot, and over all of it.
    var angle: Float = 0
    var spin: Float = 0
    /// How much darker the lower end is.
    var shade: Float = 0
    /// How strongly the world's texture, taken from elsewhere, covers the paint.
    var texture: Float = 0
    var textureOrigin = SIMD2<Float>()
    /// Place in the middle of the shot: 0 is the picture's centre, ±0.5 its edges.
    var place = SIMD2<Float>()
    /// Way over the whole shot, in views.
    var travel = SIMD2<Float>()
    var easing = Easing.even
    /// How far it sways, in views, and how.
    var sway: Float = 0
    var tremors: (Tremor, Tremor)?
    var anchor = Anchor.screen

    /// Where the centre is seen at time `t`, and how much larger than in the middle of the shot.
    func position(_ t: Float, _ camera: CameraPath) -> (centre: SIMD2<Float>, growth: Float) {
        var centre = place + travel * (easing.progress(t) - 0.5)
        if sway > 0, let tremors { centre += SIMD2(tremors.0.at(t), tremors.1.at(t)) * sway }
        let growth = Waves.exponential(camera.logZoom(t))
        switch anchor {
        case .screen: centre -= camera.shaking(t)
        case .world: centre = (centre - camera.offset(t)) * growth
        }
        return (centre + 0.5, growth)
    }

    /// Draws the actor as it is seen at time `t`.
    func draw(
        on picture: inout Picture, view: View, camera: CameraPath, world: World, at t: Float
    ) {
        let (centre, growth) = position(t, camera)
        let (width, height) = (Float(picture.width), Float(picture.height))
        let px = centre.x * width
        let py = centre.y * height
        let half = radius * growth
        let narrow = stretch.squareRoot()
        let rx = half * width / view.width * narrow
        let ry = half * height / view.height / narrow
        let turned = angle + spin * (t - 0.5)
        let (c, s) = (Waves.cosine(turned), Waves.sine(turned))
        // The pixels in a radius, so that an edge is at least one pixel wide.
        let scale = (rx * ry).squareRoot()
        let edge = 1 / max(1 / scale, softness)
        let reach = 1.15 + softness
        let (ex, ey) = (rx * reach * 1.2, ry * reach * 1.2)
        let left = max(0, Int((px - ex).rounded(.down)))
        let right = min(picture.width - 1, Int(px + ex))
        let top = max(0, Int((py - ey).rounded(.down)))
        let bottom = min(picture.height - 1, Int(py + ey))
        guard left <= right, top <= bottom else { return }
        let mask = world.side - 1
        let grain = Float(world.side) * 0.4 * radius
        for y in top...bottom {
            let v0 = (Float(y) + 0.5 - py) / ry
            let row = y * picture.width
            for x in left...right {
                let u0 = (Float(x) + 0.5 - px) / rx
                let u = c * u0 + s * v0
                let v = c * v0 - s * u0
                let alpha = min(1, max(0, 0.5 - outline.distance(u, v) * edge))
                guard alpha > 0 else { continue }
                var colour = paint
                if texture > 0 {
                    let tx = Int(textureOrigin.x + u * grain + 4096) & mask
                    let ty = Int(textureOrigin.y + v * grain + 4096) & mask
                    colour += (world.texels[ty * world.side + tx] - colour) * texture
                }
                colour *= 1 - shade * (0.5 + 0.5 * v)
                picture.pixels[row + x] += (colour - picture.pixels[row + x]) * alpha
            }
        }
    }
}
