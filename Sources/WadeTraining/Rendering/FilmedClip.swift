//! A clip as a real video: its size and length, and its line of truth.
internal import Foundation
internal import WadeImage
internal import WadePipeline
internal import WadeVideo

/// Pixels of a video.
package struct FrameSize: Sendable, Equatable {
    package let width: Int
    package let height: Int

    /// Both even and from 16 to 1920, as encoders and the renderer take them; nil otherwise.
    package init?(width: Int, height: Int) {
        guard (16...1920).contains(width), (16...1920).contains(height), width % 2 == 0,
            height % 2 == 0
        else { return nil }
        self.width = width
        self.height = height
    }

    fileprivate init(_ width: Int, _ height: Int) {
        self.width = width
        self.height = height
    }
}

/// A clip of a rendered folder, drawn from its seed.
struct FilmedClip: Sendable {
    let name: String
    let seed: UInt64
    let size: FrameSize
    /// Frames a second.
    let rate: Int
    let frames: Int
    /// libx264's constant rate factor; the dark keeps its texture only when it is fine.
    private let quality: (dark: Int, lit: Int)
    private let mixture: ClipMixture

    /// The clip of `seed`; what is nil is drawn.
    init(
        name: String, seed: UInt64, mixture: ClipMixture, size: FrameSize?, rate: Int?,
        seconds: Double?
    ) {
        var random = RandomStream(seed: seed, purpose: 9)
        let sizes = [
            FrameSize(320, 180), FrameSize(240, 180), FrameSize(240, 240), FrameSize(180, 320),
            FrameSize(320, 134),
        ]
        let drawn = sizes[random.index(weights: [0.45, 0.2, 0.1, 0.15, 0.1])]
        let rates = [12, 15, 24, 25]
        let drawnRate = random.element(rates)
        let drawnSeconds = 2 + Double(random.index(5)) / 2
        self.name = name
        self.seed = seed
        self.mixture = mixture
        self.size = size ?? drawn
        self.rate = rate ?? drawnRate
        frames = max(1, Int(((seconds ?? drawnSeconds) * Double(self.rate)).rounded()))
        quality = (14 + random.index(7), 18 + random.index(13))
    }

    private var plan: ClipPlan {
        ClipPlan(
            seed: seed, mixture: mixture, aspect: Float(size.width) / Float(size.height),
            ticks: frames, isEncoded: true)
    }

    /// Writes the video to `path`.
    func write(to path: PathBytes) throws(VideoError) {
        let plan = plan
        let (width, height) = (size.width, size.height)
        let studio = Studio(plan: plan, worldSide: Studio.worldSide(width, height))
        // The light is set by the frames that uniform sampling will see.
        let tone = plan.light.tone(
            for: plan.uniformTicks(8).map { studio.shoot(at: $0.time, width: 96, height: 96) })
        var writer = try VideoWriter(
            path: path.bytes, width: width, height: height, rate: rate,
            quality: plan.truth.brightness == .dark ? quality.dark : quality.lit)
        for tick in 0..<frames {
            let t = (Float(tick) + 0.5) / Float(frames)
            var picture = studio.shoot(at: t, width: width, height: height)
            plan.light.finish(&picture, tone: tone, at: t, tick: tick)
            try writer.append(picture.image())
        }
        try writer.finish()
    }

    /// The clip's line of `truth.jsonl`, without its end.
    func truthLine() throws(PipelineError) -> [UInt8] {
        let plan = plan
        let truth = plan.truth
        let phrases = ShotAttribute.allCases.map { ($0.rawValue, truth.phrase(of: $0)) }
        let line = TruthLine(
            file: name, seed: seed, width: size.width, height: size.height, fps: rate,
            frames: frames, truth: truth, phrases: Dictionary(uniqueKeysWithValues: phrases),
            path: plan.uniformTicks(8).map { TruthLine.rounded(plan.point(at: $0.time)) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(line))
        } catch {
            throw .record(field: name, found: "\(error)", expected: "a truth that JSON can say")
        }
    }
}

/// A line of `truth.jsonl`.
package struct TruthLine: Codable, Equatable, Sendable {
    /// The video's name, in the folder of the file that holds the line.
    package let file: String
    package let seed: UInt64
    package let width: Int
    package let height: Int
    package let fps: Int
    package let frames: Int
    package let truth: ClipTruth
    /// Every attribute as people say it within a sentence.
    package let phrases: [String: String]
    /// Subject and camera in the eight frames that `uniform:8` samples.
    package let path: [PathPoint]

    /// Four decimals: more than eyes see, and few enough to read.
    fileprivate static func rounded(_ point: PathPoint) -> PathPoint {
        func short(_ value: Float) -> Float { (value * 10_000).rounded() / 10_000 + 0 }
        return PathPoint(
            x: short(point.x), y: short(point.y), radius: short(point.radius),
            dx: short(point.dx), dy: short(point.dy), logZoom: short(point.logZoom))
    }
}
