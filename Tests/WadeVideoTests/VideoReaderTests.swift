//! The frames that a reader gives, against clips whose frames carry their numbers.
import Foundation
import Testing
import WadeImage

@testable import WadeVideo

@Suite("Reading clips")
struct VideoReaderTests {
    private let clips: TestClips

    init() throws { clips = try TestClips() }

    @Test("The frame on show at t is the last one that began at or before t")
    func framesByTime() throws {
        var reader = try VideoReader(path: bytes(clips.numbered("a.mp4")))
        #expect(reader.metadata.duration == 2)
        #expect(reader.metadata.frameCount == 50)
        #expect(!reader.metadata.hasVariableRate)
        let sampled = try reader.frames(at: [-1, 0, 0.039, 0.04, 0.5, 1.99, 2, 1e300, .infinity])
        #expect(sampled.frames.map(number) == [0, 0, 0, 1, 12, 49, 49, 49, 49])
        #expect(sampled.frames.map(\.time) == [0, 0, 0, 0.04, 0.48, 1.96, 1.96, 1.96, 1.96])
        #expect(sampled.distinctCount == 4)
        #expect(sampled.flags == [.shortClip])
        #expect(sampled.failed == 0)
    }

    @Test("Times in any order, asked at once or one by one, give the same frames")
    func anyOrder() throws {
        let clip = try bytes(clips.numbered("a.mp4"))
        let times = [1.5, 0.1, 1.9, 0.7, 0.7, 0]
        var atOnce = try VideoReader(path: clip)
        var oneByOne = try VideoReader(path: clip)
        let expected = try atOnce.frames(at: times).frames
        #expect(expected.map(number) == [37, 2, 47, 17, 17, 0])
        for (time, frame) in zip(times, expected) {
            #expect(try oneByOne.frames(at: [time]).frames == [frame])
        }
    }

    @Test(
        "Passing over frames and seeking give the frames that decoding everything gives",
        arguments: ["a.mp4", "a.mkv", "a.ts", "a.flv", "a.h264"])
    func seeking(name: String) throws {
        // Five times over, slowed down, so that there is something to seek across.
        let clip = try clips.numbered(
            name, filter: "loop=4:50:0,setpts=N*4/25/TB", options: ["-frames:v", "250"])
        var limits = VideoLimits()
        limits.seekDistance = 1
        limits.fullScanSize = 1
        var every: [VideoFrame] = []
        var reader = try VideoReader(path: bytes(clip))
        try reader.everyFrame { every.append($0) }
        #expect(every.count == 250)
        for step in [1, 7, 40, 111] {
            let wanted = stride(from: 0, to: every.count, by: step).map { every[$0] }
            var seeking = try VideoReader(path: bytes(clip), limits: limits)
            let sampled = try seeking.frames(at: wanted.map(\.time))
            #expect(sampled.frames.map(\.time) == wanted.map(\.time), "every \(step)th of \(name)")
            #expect(sampled.frames == wanted, "every \(step)th of \(name)")
        }
    }

    @Test("Every frame of a film with unreferenced pictures is the same when asked for alone")
    func unreferencedPictures() throws {
        let clip = try clips.numbered(
            "b.mp4", options: ["-c:v", "libx264", "-bf", "3", "-g", "50"])
        var every: [VideoFrame] = []
        var reader = try VideoReader(path: bytes(clip))
        try reader.everyFrame { every.append($0) }
        #expect(every.count == 50)
        for (index, frame) in every.enumerated() {
            var alone = try VideoReader(path: bytes(clip))
            #expect(try alone.frames(at: [frame.time]).frames == [frame], "frame \(index)")
        }
    }

    @Test(
        "A frame of which only a part is converted gives the encoder the pixels of the whole",
        arguments: [
            ("640x270", "yuv420p"), ("270x640", "yuv420p"), ("1000x302", "yuv420p"),
            ("322x180", "yuv420p"), ("641x271", "yuv420p"), ("640x270", "yuvj420p"),
            ("640x270", "yuv444p"), ("64x48", "yuv420p"),
        ])
    func partsOfFrames(size: String, format: String) throws {
        let clip = try clips.make(
            "part-\(size)-\(format).mkv",
            [
                "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=5:duration=1,noise=alls=30:allf=t",
                "-c:v", format == "yuvj420p" ? "mjpeg" : "ffv1", "-pix_fmt", format,
            ])
        for fit in Preprocessing.Fit.allCases {
            for filter in ResampleFilter.allCases {
                let preprocessing = try Preprocessing(
                    imageSize: 96, resizedSize: 112, fit: fit, filter: filter, mean: [0, 0, 0],
                    standardDeviation: [1, 1, 1])
                var whole = try VideoReader(path: bytes(clip))
                var prepared = try VideoReader(path: bytes(clip))
                let times = [0, 0.4, 0.8]
                let expected = try whole.frames(at: times).frames
                var count = 0
                _ = try prepared.forEachFrame(at: times, preprocessing: preprocessing) {
                    index, frame in
                    count += 1
                    #expect(frame?.image == preprocessing.picture(expected[index].image))
                    #expect(frame?.time == expected[index].time)
                }
                #expect(count == 3)
            }
        }
    }

    @Test("Frames of a variable rate keep their own times")
    func variableRate() throws {
        let clip = try clips.numbered(
            "v.mkv", filter: "settb=1/1000,setpts='if(lt(N,20),N/10,2+(N-20)/100)/TB'",
            options: ["-enc_time_base", "0.001"])
        var reader = try VideoReader(path: bytes(clip))
        #expect(reader.metadata.hasVariableRate)
        let sampled = try reader.frames(at: [0.55, 2.055, 2.285])
        #expect(sampled.frames.map(number) == [5, 25, 48])
        #expect(sampled.frames.map(\.time) == [0.5, 2.05, 2.28])
    }

    @Test("A clip whose clock begins late is timed from its first frame")
    func startOffset() throws {
        let clip = try clips.numbered("late.mkv", options: ["-output_ts_offset", "10"])
        var reader = try VideoReader(path: bytes(clip))
        #expect(reader.metadata.startTime == 10)
        #expect(abs(reader.metadata.duration - 2) < 1e-9)
        #expect(try reader.frames(at: [1]).frames.map(\.time) == [1])
    }

    @Test("Frames held back for reordering come out at the end")
    func drained() throws {
        var reader = try VideoReader(path: bytes(clips.numbered("b.mp4", frames: 47)))
        var numbers: [Int] = []
        try reader.everyFrame { numbers.append(number($0)) }
        #expect(numbers == Array(0..<47))
    }

    @Test("Display matrices turn and mirror the picture")
    func displayMatrix() throws {
        let clip = try clips.numbered(
            "m.mp4", frames: 1, filter: "drawbox=0:0:32:24:white:fill", options: ["-bf", "0"])
        // Where the white corner has to be: top left, then what each matrix makes of it.
        let cases: [(Int32, Int32, Int32, Int32, corner: (Bool, Bool), rotation: Int)] = [
            (1, 0, 0, 1, (true, true), 0), (0, 1, -1, 0, (false, true), 90),
            (-1, 0, 0, -1, (false, false), 180), (0, -1, 1, 0, (true, false), 270),
            (-1, 0, 0, 1, (false, true), 0),
        ]
        for (index, (a, b, c, d, corner, rotation)) in cases.enumerated() {
            let turned = try clips.turned(clip, name: "m\(index).mp4", a: a, b: b, c: c, d: d)
            var reader = try VideoReader(path: bytes(turned))
            let image = try #require(try reader.frames(at: [0]).frames.first).image
            let sideways = rotation % 180 == 90
            #expect(size(image) == (sideways ? "48x64" : "64x48"))
            #expect(size(reader.metadata) == size(image))
            #expect(reader.metadata.rotationDegrees == rotation)
            #expect(reader.metadata.isMirrored == (index == 4))
            for (left, top) in [(true, true), (false, true), (true, false), (false, false)] {
                let x = left ? image.width / 4 : image.width * 3 / 4
                let y = top ? image.height / 4 : image.height * 3 / 4
                let isWhite = image.pixels[(y * image.width + x) * 3] > 128
                #expect(
                    isWhite == ((left, top) == corner), "case \(index), left \(left), top \(top)")
            }
        }
    }

    @Test("Samples that are not square are shown in their shape")
    func sampleAspectRatio() throws {
        let clip = try clips.numbered("s.mp4", frames: 2, size: "96x120", filter: "setsar=20/11")
        var reader = try VideoReader(path: bytes(clip))
        #expect(size(reader.metadata) == "175x120")
        let image = try #require(try reader.frames(at: [0]).frames.first).image
        #expect(size(image) == "175x120")
    }

    @Test("A stream that changes its size in the middle gives every frame at its own size")
    func sizeChange() throws {
        let small = try clips.numbered("1.ts", frames: 10)
        let large = try clips.numbered(
            "2.ts", frames: 10, size: "96x80", options: ["-output_ts_offset", "0.4"])
        let joined = try clips.write(
            "joined.ts", [UInt8](Data(contentsOf: small) + Data(contentsOf: large)))
        var reader = try VideoReader(path: bytes(joined))
        var sizes: [Int] = []
        try reader.everyFrame { sizes.append($0.image.width) }
        #expect(sizes == [Int](repeating: 64, count: 10) + [Int](repeating: 96, count: 10))
    }

    @Test(
        "The matrix is the tag's, else BT.709 from 720 lines up and BT.601 below",
        arguments: [("64x48", "bt709", "bt709"), ("64x48", "", "bt601"), ("64x720", "", "bt709")])
    func matrix(size: String, tag: String, made: String) throws {
        let clip = try clips.make(
            "c.mkv",
            ["-f", "lavfi", "-i", "color=c=0xC81E1E:s=\(size)", "-frames:v", "1", "-vf"]
                + ["format=gbrp,scale=out_color_matrix=\(made):out_range=tv,format=yuv444p"]
                + ["-c:v", "ffv1", "-colorspace", tag.isEmpty ? "unknown" : tag])
        var reader = try VideoReader(path: bytes(clip))
        let image = try #require(try reader.frames(at: [0]).frames.first).image
        for (found, expected) in zip(image.pixels.prefix(3), [200, 30, 30]) {
            // Rounding to 8-bit YUV and back costs up to 2.
            #expect(abs(Int(found) - expected) <= 2)
        }
    }

    @Test("High dynamic range is tone-mapped and says so")
    func highDynamicRange() throws {
        let clip = try clips.numbered(
            "h.mp4", frames: 3,
            options: ["-color_trc", "smpte2084", "-color_primaries", "bt2020"]
                + ["-colorspace", "bt2020nc"])
        var reader = try VideoReader(path: bytes(clip))
        #expect(reader.metadata.transfer == "smpte2084")
        #expect(try reader.frames(at: [0]).flags.contains(.toneMapped))
    }

    @Test("Transparency is laid over black")
    func alpha() throws {
        let clip = try clips.make(
            "t.mov",
            ["-f", "lavfi", "-i", "color=c=white@0.5:s=32x32,format=rgba", "-frames:v", "1"]
                + ["-c:v", "qtrle"])
        var reader = try VideoReader(path: bytes(clip))
        let image = try #require(try reader.frames(at: [0]).frames.first).image
        #expect((126...129).contains(image.pixels[0]))
    }

    @Test("A still picture is a clip of one frame")
    func still() throws {
        let picture = try clips.make(
            "p.png", ["-f", "lavfi", "-i", "color=c=red:s=20x10", "-frames:v", "1"])
        var reader = try VideoReader(path: bytes(picture))
        #expect(reader.metadata.isStill)
        #expect(reader.metadata.duration == 0)
        let sampled = try reader.frames(
            at: FrameSampling.uniform(count: 2).times(
                in: ClipSpan(start: 0, end: 0, boundary: .whole)))
        #expect(sampled.frames.count == 2)
        #expect(sampled.frames[0].image.width == 20)
        #expect(sampled.flags == [.shortClip])
    }

    private func size(_ image: RGBImage) -> String { "\(image.width)x\(image.height)" }

    private func size(_ metadata: VideoMetadata) -> String {
        "\(metadata.width)x\(metadata.height)"
    }

    @Test("Labelled cuts are found")
    func sceneCuts() throws {
        let clip = try clips.make(
            "cuts.mp4",
            ["-f", "lavfi", "-i", "testsrc=s=128x72:r=25:d=1", "-f", "lavfi", "-i"]
                + ["mandelbrot=s=128x72:r=25", "-filter_complex"]
                + ["[1:v]trim=duration=1[m];[0:v][m]concat=n=2,format=yuv420p"]
                + ["-c:v", "libx264"])
        var reader = try VideoReader(path: bytes(clip))
        #expect(try reader.sceneCuts() == [1])
        let spans = try reader.spans(.scenes(minimumLength: 0.2))
        #expect(spans.map(\.start) == [0, 1])
    }
}
