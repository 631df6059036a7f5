//! Light, film and lens: what turns colours of a scene into a picture of a certain brightness and age.

/// Everything that befalls the picture between the scene and the file.
struct Light {
    let seed: UInt64
    /// Mean luma that the clip shall have, and whether bright places keep their light in the dark.
    let target: Float
    let keepsHighlights: Bool
    let film: Film
    let transition: Transition
    /// Fades: the time at which the picture begins to change, the time at which it is done, and how much light is left.
    let fade: (start: Float, end: Float, rest: Float)
    /// Sepia: added to red, taken from blue.
    let tint: Float
    /// Exposure changes by these shares: steadily over the clip, and from frame to frame.
    let drift: Float
    let flicker: Float
    let whiteBalance: Paint
    /// How often the picture is smoothed by a 3 × 3 kernel.
    let blur: Int
    let vignette: Float
    /// Standard deviation of film grain.
    let grain: Float
    /// JPEG quality; nil leaves compression to an encoder.
    let quality: Float?
    /// Black bars above and below or left and right, as shares of the picture.
    let bars: SIMD2<Float>

    /// How colours of a scene become light.
    struct Tone {
        /// The curve's steepness at black.
        var gain: Float
        /// How far the curve bends: 0 is a straight line, 1 keeps white where it is.
        var bend: Float

        /// Half the curve of every channel, half that of luma alone: the first turns strong light pale, the second keeps its hue.
        func callAsFunction(_ paint: Paint) -> Paint {
            let curve = (gain - 1) * bend
            let apart = paint / (1 + curve * paint)
            let together = paint / (1 + curve * paint.luma)
            return (0.5 * gain * (apart + together)).within(0, 1)
        }
    }

    /// The curve that gives `pictures` together the wanted mean luma.
    func tone(for pictures: [Picture]) -> Tone {
        var samples: [Paint] = []
        for picture in pictures {
            for index in stride(from: 0, to: picture.pixels.count, by: 61) {
                samples.append(coloured(picture.pixels[index]))
            }
        }
        // A vignette takes a third of its strength from the mean.
        let wanted = target / (1 - vignette / 3)
        var tone = Tone(gain: 1, bend: 1)
        let mean = samples.reduce(0) { $0 + $1.luma } / Float(samples.count)
        if mean > wanted {
            guard keepsHighlights else { return Tone(gain: wanted / max(mean, 0.001), bend: 0) }
            // Bent all the way, only the brightest spots would be left.
            tone.bend = 0.75
        }
        var (low, high): (Float, Float) = (1 / 64, 64)
        for _ in 0..<16 {
            tone.gain = (low * high).squareRoot()
            let reached = samples.reduce(0) { $0 + tone($1).luma } / Float(samples.count)
            if reached < wanted { low = tone.gain } else { high = tone.gain }
        }
        return tone
    }

    /// The scene's colours within 0...1, without hue on monochrome film.
    private func coloured(_ paint: Paint) -> Paint {
        let within = paint.within(0, 1)
        return film == .monochrome ? Paint(repeating: within.luma) : within
    }

    /// How much of the light is there at time `t`: 0...1.
    func fading(_ t: Float) -> Float {
        let done = min(1, max(0, (t - fade.start) / (fade.end - fade.start)))
        switch transition {
        case .fadeOut: return 1 - (1 - fade.rest) * done
        case .fadeIn: return fade.rest + (1 - fade.rest) * done
        case .none, .cut: return 1
        }
    }

    /// Turns the scene's colours into the finished picture of time `t`, the `tick`th of the shot.
    func finish(_ picture: inout Picture, tone: Tone, at t: Float, tick: Int) {
        var random = RandomStream(seed: seed, purpose: 1000 &+ UInt64(tick))
        let exposure =
            (1 + drift * (t - 0.5)) * (1 + flicker * random.signed()) * fading(t)
        let light = whiteBalance * exposure
        for index in picture.pixels.indices {
            picture.pixels[index] = tone(coloured(picture.pixels[index])) * light
        }
        for _ in 0..<blur { smooth(&picture) }
        develop(&picture, &random)
        if let quality { BlockCompression(quality: quality).apply(to: &picture) }
    }

    /// Vignette, grain, tint and bars.
    private func develop(_ picture: inout Picture, _ random: inout RandomStream) {
        let (width, height) = (picture.width, picture.height)
        let columns = (0..<width).map { x -> Float in
            let u = (Float(x) + 0.5) / Float(width) * 2 - 1
            return u * u
        }
        let edge = (x: Int(bars.x * Float(width)), y: Int(bars.y * Float(height)))
        let sepia = Paint(tint, 0, -tint, 0)
        for y in 0..<height {
            let v = (Float(y) + 0.5) / Float(height) * 2 - 1
            let isBar = y < edge.y || y >= height - edge.y
            for x in 0..<width {
                let index = y * width + x
                if isBar || x < edge.x || x >= width - edge.x {
                    picture.pixels[index] = Paint()
                    continue
                }
                var pixel = picture.pixels[index] * (1 - vignette * 0.5 * (columns[x] + v * v))
                pixel += sepia * pixel.y
                if grain > 0 { pixel += grain * RandomStream.bell(random.next()) }
                picture.pixels[index] = pixel
            }
        }
    }

    /// The kernel (1 2 1) in both directions; the outermost pixels stay.
    private func smooth(_ picture: inout Picture) {
        let (width, height) = (picture.width, picture.height)
        for y in 0..<height {
            let row = y * width
            var before = picture.pixels[row]
            for x in 1..<width - 1 {
                let here = picture.pixels[row + x]
                picture.pixels[row + x] = here * 0.5 + (before + picture.pixels[row + x + 1]) * 0.25
                before = here
            }
        }
        var above = Array(picture.pixels[..<width])
        for y in 1..<height - 1 {
            let row = y * width
            for x in 0..<width {
                let here = picture.pixels[row + x]
                let below = picture.pixels[row + width + x]
                picture.pixels[row + x] = here * 0.5 + (above[x] + below) * 0.25
                above[x] = here
            }
        }
    }
}
