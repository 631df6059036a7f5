//! Facts about remembered clips: nothing but what decides them matters, and they come back to the bit.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeTestSupport
import WadeVideo

@testable import WadePipeline

@Suite("remembered visual tokens")
struct VisualTokenCacheTests {
    private let files: TemporaryFolder
    private let folder: CacheFolder
    private let configuration: FlamingoConfiguration

    init() throws {
        files = try TemporaryFolder()
        folder = try #require(
            try CacheFolder.open(CacheSettings(folder: files("cache"), isNamed: true)))
        configuration = try FlamingletConfiguration(
            vision: [
                "image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "heads": 2,
                "projection_width": 8,
            ], resampler: ["layers": 1, "heads": 2, "head_width": 8, "latents": 4, "frames": 8],
            crossAttention: ["heads": 2, "head_width": 8, "blocks": 1],
            language: [
                "vocabulary_size": 32, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32,
            ]
        ).configuration(name: "tiny")
    }

    private func cache(
        _ configuration: FlamingoConfiguration? = nil, weights: String = "00",
        sampling: FrameSampling = .uniform(count: 2)
    ) throws -> VisualTokenCache {
        var pipeline = plainPipeline([captionTask])
        pipeline.sampling = sampling
        return try VisualTokenCache(
            folder, configuration ?? self.configuration, weightsSHA256: weights,
            pipeline: pipeline)
    }

    private func source(_ content: String, name: String = "a.mp4") throws -> ClipSource {
        let path = files.write(content, to: name)
        return ClipSource(
            path: path, relativePath: path,
            identity: try ContentIdentity.read(path, known: { _ in nil }))
    }

    /// A clip with every kind of number that is hard to write down.
    private var clip: EncodedClip<Tensor> {
        var values = (0..<64).map { Float($0) / 3 }
        values[0...7] = [
            -0.0, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
            Float(bitPattern: 0x7FC0_1234), 1 / 3,
        ]
        var video = AnnotationRecord.Video()
        (video.duration, video.averageFrameRate) = (1.0 / 3, 30000.0 / 1001)
        (video.width, video.height, video.rotation) = (640, 480, 90)
        (video.codec, video.pixelFormat, video.transfer) = ("h264", "yuv420p", "bt709")
        video.isVariableFrameRate = true
        var frames = AnnotationRecord.Frames()
        (frames.requested, frames.used, frames.failed) = (2, 1, 1)
        (frames.times, frames.digest) = ([0.1 + 0.2], "sha256:ab")
        return EncodedClip(
            tokens: Tensor(values, shape: [4, 16]), video: video,
            span: ClipSpan(start: -0.0, end: 1.0 / 3, boundary: .scene), frames: frames,
            flags: [.framesMissing, .clockFixed],
            embedding: [-0.0, .nan] + (0..<14).map { 1 / Float($0 + 3) }, decodeMilliseconds: 5,
            visionMilliseconds: 6)
    }

    /// Asks `cache` for a clip; says what it gave and whether it had to be made.
    private func ask(_ cache: VisualTokenCache, _ source: ClipSource, _ span: ClipSpan? = nil)
        throws -> (EncodedClip<Tensor>, isMade: Bool)
    {
        var isMade = false
        let answer = cache.clip(source, span) {
            isMade = true
            return .success(clip)
        }
        return (try answer.get(), isMade)
    }

    @Test("a clip that is remembered is the one that was made, to the bit, and is not made again")
    func same() throws {
        let (first, isMade) = try ask(cache(), source("film"))
        #expect(isMade && !first.isCached)
        let (second, isMadeAgain) = try ask(cache(), source("film"))
        #expect(!isMadeAgain && second.isCached)
        let bits = { (clip: EncodedClip<Tensor>) in clip.tokens.values.map(\.bitPattern) }
        #expect(bits(second) == bits(clip) && second.tokens.shape == clip.tokens.shape)
        #expect(second.embedding.map(\.bitPattern) == clip.embedding.map(\.bitPattern))
        #expect(second.video == clip.video && second.frames == clip.frames)
        #expect(second.span == clip.span && second.span.start.sign == .minus)
        #expect(Set(second.flags) == Set(clip.flags))
        #expect(second.decodeMilliseconds == 0 && second.visionMilliseconds == 0)
        #expect(folder.complaints == [])
    }

    @Test("name and language model do not matter; content, span, weights, vision and sampling do")
    func keys() throws {
        let span = ClipSpan(start: 0, end: 1, boundary: .stride)
        _ = try ask(cache(), source("film"))
        _ = try ask(cache(), source("film"), span)
        var talkative = configuration
        talkative.language.layers = 7
        talkative.name = "other"
        #expect(try !ask(cache(talkative), source("film", name: "renamed.mkv")).isMade)
        #expect(try !ask(cache(), source("film", name: "renamed.mkv"), span).isMade)

        var (seeing, resampling) = (configuration, configuration)
        var eye = try #require(seeing.vision.transformer)
        eye.normEpsilon = 1e-6
        seeing.vision = .transformer(eye)
        resampling.resampler.heads = 1
        #expect(try ask(cache(seeing), source("film")).isMade)
        #expect(try ask(cache(resampling), source("film")).isMade)
        #expect(try ask(cache(weights: "01"), source("film")).isMade)
        #expect(try ask(cache(sampling: .uniform(count: 3)), source("film")).isMade)
        #expect(try ask(cache(), source("another film")).isMade)
        for other in [(0.0, 2.0, ClipSpan.Boundary.stride), (0, 1, .scene), (0.5, 1, .stride)] {
            let span = ClipSpan(start: other.0, end: other.1, boundary: other.2)
            #expect(try ask(cache(), source("film"), span).isMade)
        }
    }

    @Test("failures, and clips of a file that changes meanwhile, are not remembered")
    func notKept() throws {
        let source = try source("film")
        let failure = ClipFailure(code: .timeout, stage: .decode, message: "took too long")
        guard case .failure(failure) = try cache().clip(source, nil, encode: { .failure(failure) })
        else { return #expect(Bool(false), "a failure became something else") }
        _ = try cache().clip(source, nil) {
            files.write("another film", to: "a.mp4", secondsAgo: 10)
            return .success(clip)
        }.get()
        files.write("film", to: "a.mp4")
        #expect(try ask(cache(), self.source("film")).isMade)
        #expect(folder.complaints == [])
    }

    @Test("what another version wrote is made anew without a word")
    func otherVersion() throws {
        _ = try ask(cache(), source("film"))
        let name = try #require(
            try FileManager.default.subpathsOfDirectory(atPath: files("cache").text)
                .first { $0.count > 64 })
        let parts = name.split(separator: "/").map(String.init)
        let key = CacheFolder.Key(group: parts[0], name: parts[1])
        folder.write(Array("{}\n1234".utf8), under: key)
        #expect(try ask(cache(), source("film")).isMade && folder.complaints == [])
        #expect(try !ask(cache(), source("film")).isMade)
    }

    @Test("where a file was cut is remembered by its content and the rule")
    func spans() throws {
        let found = [
            ClipSpan(start: 0, end: 1.0 / 3, boundary: .scene),
            ClipSpan(start: 1.0 / 3, end: 2, boundary: .scene),
        ]
        let rule = Segmentation.scenes(minimumLength: 1)
        var result = SpanCache(folder, rule).spans(of: try source("film")) { _ in .success(found) }
        #expect(try result.get() == found)
        let failure = ClipFailure(code: .timeout, stage: .decode, message: "took too long")
        let refuse: ClipCutter = { _ in .failure(failure) }
        result = SpanCache(folder, rule).spans(of: try source("film", name: "b"), cut: refuse)
        #expect(try result.get() == found)
        let other = Segmentation.scenes(minimumLength: 2)
        result = SpanCache(folder, other).spans(of: try source("film"), cut: refuse)
        #expect(result == .failure(failure))
    }
}
