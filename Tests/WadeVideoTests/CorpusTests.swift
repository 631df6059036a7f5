//! Real clips against what independent decoders said of them; the clips are not ours to publish, so `WADE_CORPUS` says where
//! they lie, and without it these tests do not run.
import Foundation
import Testing
import WadeImage
import WadeTestSupport

@testable import WadeVideo

@Suite("Real clips", .enabled(if: Fixtures.corpus != nil))
struct CorpusTests {
    /// `expected-frames.json`.
    private struct Expected: Decodable {
        let clips: [Clip]

        struct Clip: Decodable {
            let file: String
            let display: [Int]
            let first_pts_s: Double
            let plans: [String: [Sample]]
            let pictures: [String: Picture]
        }
        struct Sample: Decodable {
            let frame: Int
            let pts_s: Double
        }
        struct Picture: Decodable {
            let native: Colours
        }
        struct Colours: Decodable {
            let mean_rgb: [Double]
        }
    }

    /// `real/manifest.json`.
    private struct Manifest: Decodable {
        let clips: [Clip]

        struct Clip: Decodable {
            let file: String
            let cut_times_s: [Double]
            let cut_tol_s: Double
        }
    }

    private func mean(_ image: RGBImage) -> [Double] {
        var sums = [0, 0, 0]
        for index in image.pixels.indices { sums[index % 3] += Int(image.pixels[index]) }
        return sums.map { Double($0) / Double(image.width * image.height) }
    }

    @Test("Uniform sampling by the measured duration shows the frames, sizes and colours expected")
    func expectedFrames() throws {
        let corpus = try #require(Fixtures.corpus)
        let expected = try JSONDecoder().decode(
            Expected.self,
            from: Data(contentsOf: corpus.appendingPathComponent("expected-frames.json")))
        for clip in expected.clips where clip.file.hasPrefix("real/") {
            var reader = try VideoReader(path: bytes(corpus.appendingPathComponent(clip.file)))
            let samples = try #require(clip.plans["midpoints_8"])
            let whole = ClipSpan(start: 0, end: reader.metadata.duration, boundary: .whole)
            let sampled = try reader.frames(at: FrameSampling.uniform(count: 8).times(in: whole))
            for (frame, sample) in zip(sampled.frames, samples) {
                let place = "\(clip.file), frame \(sample.frame)"
                // The expectation is rounded to a microsecond.
                #expect(abs(frame.time + clip.first_pts_s - sample.pts_s) < 2e-6, "\(place)")
                #expect(
                    "\(frame.image.width)x\(frame.image.height)"
                        == "\(clip.display[0])x\(clip.display[1])", "\(place)")
                let colours = try #require(clip.pictures[String(sample.frame)]).native.mean_rgb
                for (found, wanted) in zip(mean(frame.image), colours) {
                    // The same conversion, but turned after it rather than before.
                    #expect(abs(found - wanted) < 0.05, "\(place): \(found), expected \(wanted)")
                }
            }
        }
    }

    @Test("Labelled cuts are found, and no others where the camera is calm")
    func cuts() throws {
        let corpus = try #require(Fixtures.corpus).appendingPathComponent("real")
        let manifest = try JSONDecoder().decode(
            Manifest.self, from: Data(contentsOf: corpus.appendingPathComponent("manifest.json")))
        // This one begins with broken pictures until a key picture at 9.57 s, which looks like a cut.
        for clip in manifest.clips where clip.file != "arm-wrestling.mp4" {
            var reader = try VideoReader(path: bytes(corpus.appendingPathComponent(clip.file)))
            let cuts = try reader.sceneCuts()
            #expect(cuts.count == clip.cut_times_s.count, "\(clip.file): \(cuts)")
            for (found, wanted) in zip(cuts, clip.cut_times_s) {
                #expect(abs(found - wanted) <= clip.cut_tol_s, "\(clip.file)")
            }
        }
    }
}
