//! Renders clips of which everything is known, from a seed alone.
internal import WadeImage

/// Makes clips with their truth. The same seed gives the same bytes on every machine and build: all draws are integers of
/// SplitMix64, and pixels are made of IEEE sums, products, quotients and square roots only. A value; any number of threads may use it.
package struct ClipRenderer: Sendable {
    /// What the clips show how often.
    package let mixture: ClipMixture

    /// A renderer of clips with these shares.
    package init(mixture: ClipMixture = ClipMixture()) {
        self.mixture = mixture
    }

    /// What is true of the clip of `seed`, without rendering it.
    package func truth(seed: UInt64) -> ClipTruth { ClipPlan(seed: seed, mixture: mixture).truth }

    /// The clip of `seed` as `frames` pictures in the middles of equal parts of its time, as uniform sampling takes them. A square
    /// picture holds a scene of an aspect ratio that the seed draws, squeezed, as models see real films; any other size is seen as it is.
    /// With `chosen`, indices of frames in their order, only these are finished and given; their pixels are the same as in the whole.
    package func clip(
        seed: UInt64, frames: Int = 8, chosen: [Int]? = nil, width: Int, height: Int
    ) -> RenderedClip {
        precondition(
            frames > 0 && width >= 8 && height >= 8, "ClipRenderer: \(frames) of \(width)x\(height)"
        )
        let aspect = width == height ? nil : Float(width) / Float(height)
        let plan = ClipPlan(seed: seed, mixture: mixture, aspect: aspect)
        let studio = Studio(plan: plan, worldSide: Studio.worldSide(width, height))
        let ticks = plan.uniformTicks(frames)
        var pictures = ticks.map { studio.shoot(at: $0.time, width: width, height: height) }
        let tone = plan.light.tone(for: pictures)
        let shown = chosen ?? Array(ticks.indices)
        let images = shown.map { index in
            let tick = ticks[index]
            plan.light.finish(&pictures[index], tone: tone, at: tick.time, tick: tick.index)
            return pictures[index].image()
        }
        return RenderedClip(
            frames: images, truth: plan.truth,
            path: shown.map { plan.point(at: ticks[$0].time) })
    }
}

/// The worlds of a clip's shots, painted.
struct Studio {
    let plan: ClipPlan
    private let worlds: [World]

    init(plan: ClipPlan, worldSide: Int) {
        self.plan = plan
        worlds = plan.shots.map { $0.scene.world.world(side: worldSide) }
    }

    /// A world's side that gives a picture of this size about one point a pixel.
    static func worldSide(_ width: Int, _ height: Int) -> Int {
        let side = width * height
        return side <= 128 * 128 ? 256 : side <= 400 * 300 ? 512 : 1024
    }

    /// The scene at time `t`, before light and film.
    func shoot(at t: Float, width: Int, height: Int) -> Picture {
        var picture = Picture(width: width, height: height)
        let shot = plan.shot(at: t)
        plan.shots[shot].scene.film(worlds[shot], view: plan.view, at: t, on: &picture)
        return picture
    }
}

extension Picture {
    /// The picture in 8 bits.
    func image() -> RGBImage {
        let bytes = pixels.count * 3
        let values = unsafe [UInt8](unsafeUninitializedCapacity: bytes) { output, count in
            var next = 0
            for pixel in pixels {
                let scaled = (pixel * 255 + 0.5).within(0, 255)
                unsafe output[next] = UInt8(scaled.x)
                unsafe output[next + 1] = UInt8(scaled.y)
                unsafe output[next + 2] = UInt8(scaled.z)
                next += 3
            }
            count = bytes
        }
        return RGBImage(width: width, height: height, pixels: values)
    }
}
