//! Facts about rendered clips that can be measured in their pixels.
import Testing
import WadeImage

@testable import WadeTraining

private let renderer = ClipRenderer()

/// Seeds of clips whose truth satisfies `wanted`, the first `count` of them.
private func seeds(_ count: Int, where wanted: (ClipTruth) -> Bool) -> [UInt64] {
    var found: [UInt64] = []
    var seed: UInt64 = 0
    while found.count < count, seed < 20_000 {
        if wanted(renderer.truth(seed: seed)) { found.append(seed) }
        seed += 1
    }
    return found
}

private func luma(_ image: RGBImage) -> Double {
    var sum = 0.0
    for at in stride(from: 0, to: image.pixels.count, by: 3) {
        sum +=
            0.299 * Double(image.pixels[at]) + 0.587 * Double(image.pixels[at + 1]) + 0.114
            * Double(image.pixels[at + 2])
    }
    return sum / Double(image.pixels.count / 3) / 255
}

/// FNV-1a over all bytes of all frames.
private func digest(_ frames: [RGBImage]) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for frame in frames {
        for byte in frame.pixels { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    return hash
}

@Suite struct ClipRendererTests {
    @Test func `a seed gives the same clip whoever renders it and another seed another clip`() async
    {
        let alone = renderer.clip(seed: 7, width: 48, height: 48)
        let others = await withTaskGroup(of: UInt64.self) { group in
            for _ in 0..<3 {
                group.addTask { digest(ClipRenderer().clip(seed: 7, width: 48, height: 48).frames) }
            }
            return await group.reduce(into: [UInt64]()) { $0.append($1) }
        }
        #expect(others.allSatisfy { $0 == digest(alone.frames) })
        #expect(
            digest(renderer.clip(seed: 8, width: 48, height: 48).frames) != digest(alone.frames))
        #expect(alone.frames.count == 8 && alone.path.count == 8)
    }

    @Test func `frames that are chosen are those of the whole clip`() {
        let whole = renderer.clip(seed: 9, width: 48, height: 48)
        let some = renderer.clip(seed: 9, chosen: [1, 6], width: 48, height: 48)
        #expect(digest(some.frames) == digest([whole.frames[1], whole.frames[6]]))
        #expect(some.path == [whole.path[1], whole.path[6]] && some.truth == whole.truth)
    }

    /// The digest was made by an optimised build; changing what clips look like changes it, and then the next trained model.
    @Test func `three clips have the bytes they always had, in every build`() {
        var frames: [RGBImage] = []
        for seed in [7, 11, 12] as [UInt64] {
            frames += renderer.clip(seed: seed, width: 48, height: 48).frames
        }
        #expect(digest(frames) == 0x3FA5_2713_4022_5C42)
    }

    @Test func `every word of every attribute is shown, and no word is rare`() {
        let truths = (0..<3000 as Range<UInt64>).map { renderer.truth(seed: $0) }
        for attribute in ShotAttribute.allCases {
            let clear = truths.filter { $0.isClear(attribute) }
            #expect(clear.count > 1500)
            for value in attribute.values {
                let share =
                    Double(clear.count { $0.answer(to: attribute) == value }) / Double(clear.count)
                #expect(share > 0.05, "\(attribute) \(value): \(share)")
            }
        }
        let still = truths.count { $0.camera == .fixed }
        let seen = truths.count { $0.isClear(.camera) }
        #expect(abs(Double(still) / Double(seen) - 0.35) < 0.03)
    }

    @Test func `what a cut or missing colour hides is unclear`() {
        for seed in 0..<2000 as Range<UInt64> {
            let truth = renderer.truth(seed: seed)
            if truth.transition == .cut {
                let hidden: [ShotAttribute] = [.camera, .shape, .colour, .motion, .background]
                #expect(hidden.allSatisfy { !truth.isClear($0) })
            }
            if truth.film == .monochrome {
                #expect(!truth.isClear(.colour) && !truth.isClear(.background))
            }
            #expect(
                truth.isClear(.brightness) && truth.isClear(.transition) && truth.isClear(.film))
            #expect(truth.reversed.reversed == truth)
        }
    }

    @Test func `reversed time swaps directions and fades only`() {
        let truth = ClipTruth(
            camera: .panLeft, shape: .star, colour: .red, motion: .up, background: .blue,
            brightness: .dark, transition: .fadeOut, film: .colourful)
        let expected = ClipTruth(
            camera: .panRight, shape: .star, colour: .red, motion: .down, background: .blue,
            brightness: .dark, transition: .fadeIn, film: .colourful)
        #expect(truth.reversed == expected)
    }

    @Test(arguments: Brightness.allCases)
    func `mean luma lies in the range of its word`(brightness: Brightness) {
        let ranges: [Brightness: ClosedRange<Double>] = [
            .dark: 0...0.22, .normal: 0.27...0.54, .bright: 0.6...0.86,
        ]
        for seed in seeds(4, where: { $0.brightness == brightness && $0.transition == .none }) {
            let plan = ClipPlan(seed: seed, mixture: renderer.mixture)
            guard plan.light.bars == SIMD2() else { continue }
            let clip = renderer.clip(seed: seed, width: 48, height: 48)
            let mean = clip.frames.map(luma).reduce(0, +) / 8
            #expect(ranges[brightness]?.contains(mean) == true, "seed \(seed): \(mean)")
        }
    }

    @Test func `fades begin or end in black and cuts jump more than any other step`() {
        for seed in seeds(3, where: { $0.transition == .fadeOut && $0.brightness != .dark }) {
            let frames = renderer.clip(seed: seed, width: 48, height: 48).frames.map(luma)
            #expect(frames[7] < 0.25 * frames[0], "seed \(seed): \(frames)")
        }
        for seed in seeds(3, where: { $0.transition == .fadeIn && $0.brightness != .dark }) {
            let frames = renderer.clip(seed: seed, width: 48, height: 48).frames.map(luma)
            #expect(frames[0] < 0.25 * frames[7], "seed \(seed): \(frames)")
        }
        for seed in seeds(60, where: { $0.transition == .cut }) {
            let plan = ClipPlan(seed: seed, mixture: renderer.mixture)
            let shots = plan.uniformTicks(8).map { plan.shot(at: $0.time) }
            for shot in plan.shots.indices { #expect(shots.count { $0 == shot } >= 2) }
        }
    }

    @Test func `monochrome clips have no hue and coloured ones have`() {
        func hue(_ seed: UInt64) -> Int {
            let frame = renderer.clip(seed: seed, width: 48, height: 48).frames[4]
            return stride(from: 0, to: frame.pixels.count, by: 3).map {
                abs(Int(frame.pixels[$0]) - Int(frame.pixels[$0 + 1]))
            }.max() ?? 0
        }
        let isPlain: (ClipTruth) -> Bool = { $0.transition == .none && $0.brightness == .normal }
        for seed in seeds(3, where: { $0.film == .monochrome && isPlain($0) }) {
            #expect(hue(seed) <= 24, "seed \(seed)")
        }
        for seed in seeds(3, where: { $0.film == .colourful && isPlain($0) }) {
            #expect(hue(seed) > 40, "seed \(seed)")
        }
    }

    @Test func `the path moves as the words say, and the subject stays in the picture`() {
        for seed in 0..<1500 as Range<UInt64> {
            let truth = renderer.truth(seed: seed)
            let plan = ClipPlan(seed: seed, mixture: renderer.mixture)
            let path = plan.uniformTicks(8).map { plan.point(at: $0.time) }
            let moved = SIMD2(path[7].x - path[0].x, path[7].y - path[0].y)
            let turned = SIMD2(path[7].dx - path[0].dx, path[7].dy - path[0].dy)
            switch truth.motion {
            case .still: #expect(max(abs(moved.x), abs(moved.y)) < 0.14, "seed \(seed): \(moved)")
            case .unclear: break
            default:
                let along = (moved * truth.motion.direction).sum()
                let aside = abs(moved.x) + abs(moved.y) - abs(along)
                #expect(along > 0.15 && along > 1.5 * aside, "seed \(seed): \(moved)")
            }
            if truth.isClear(.motion) {
                #expect(path.allSatisfy { $0.radius > 0.08 }, "seed \(seed)")
                #expect(
                    path.allSatisfy { (-0.1...1.1).contains($0.x) && (-0.1...1.1).contains($0.y) })
            }
            switch truth.camera {
            case .panLeft: #expect(turned.x < -0.12, "seed \(seed): \(turned)")
            case .panRight: #expect(turned.x > 0.12, "seed \(seed): \(turned)")
            case .tiltUp: #expect(turned.y < -0.12, "seed \(seed): \(turned)")
            case .tiltDown: #expect(turned.y > 0.12, "seed \(seed): \(turned)")
            case .zoomIn: #expect(path[7].logZoom - path[0].logZoom > 0.15)
            case .zoomOut: #expect(path[7].logZoom - path[0].logZoom < -0.15)
            case .fixed:
                #expect(max(abs(turned.x), abs(turned.y)) < 0.12, "seed \(seed): \(turned)")
            case .unclear: break
            }
        }
    }

    @Test func `a panning camera moves the picture's content the other way`() {
        // Nothing but the world is seen, and its texture does not repeat.
        let isSimple: (UInt64) -> Bool = { seed in
            let plan = ClipPlan(seed: seed, mixture: renderer.mixture)
            let scene = plan.shots[0].scene
            // Slow enough for the search below.
            return abs(scene.camera.travel.x) < 0.5 && scene.actors.isEmpty && scene.flow == nil
                && plan.light.bars == SIMD2()
                && [.noise, .scatter, .landscape].contains(scene.world.family)
        }
        for (camera, sign) in [(CameraMovement.panRight, 1), (.panLeft, -1)] {
            let candidates = seeds(40) {
                $0.camera == camera && $0.transition == .none && $0.brightness == .normal
                    && !$0.isClear(.shape)
            }
            let simple = candidates.filter(isSimple).prefix(4)
            #expect(simple.count == 4)
            for seed in simple {
                let clip = renderer.clip(seed: seed, frames: 16, width: 64, height: 64)
                let shift = bestShift(clip.frames[5], clip.frames[10])
                #expect(shift * sign > 0, "seed \(seed): \(shift)")
            }
        }
    }

    /// By how many pixels `later`'s content lies further left than `earlier`'s, by the variance of the difference.
    private func bestShift(_ earlier: RGBImage, _ later: RGBImage) -> Int {
        func cost(_ shift: Int) -> Int {
            var (sum, squares) = (0, 0)
            for y in stride(from: 0, to: 64, by: 2) {
                for x in 20..<44 {
                    let a = Int(earlier.pixels[(y * 64 + x + shift) * 3 + 1])
                    let difference = a - Int(later.pixels[(y * 64 + x) * 3 + 1])
                    sum += difference
                    squares += difference * difference
                }
            }
            return squares - sum * sum / (32 * 24)
        }
        return (-20...19).min { cost($0) < cost($1) } ?? 0
    }
}
