//! What happens to a picture between the decoder and the model: orientation, shape, tone, cuts.
import Testing
import WadeImage

@testable import WadeVideo

@Suite("Pictures")
struct PictureTests {
    /// 2 × 3 pixels, numbered row by row.
    private let picture = RGBImage(
        width: 2, height: 3, pixels: [1, 2, 3, 4, 5, 6].flatMap { [$0, $0, $0] })

    private func numbers(_ image: RGBImage) -> [UInt8] {
        stride(from: 0, to: image.pixels.count, by: 3).map { image.pixels[$0] }
    }

    @Test(
        "All eight orientations put every pixel where the display matrix says",
        arguments: [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]
            + [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)])
    func orientations(a: Int, b: Int, c: Int, d: Int) throws {
        let orientation = try #require(
            Orientation(a: Double(a), b: Double(b), c: Double(c), d: Double(d)))
        let shown = orientation.applied(to: picture)
        // (x, y) goes to (a x + c y, b x + d y), moved so that the picture begins at 0.
        var expected = [UInt8](repeating: 0, count: 6)
        for y in 0..<3 {
            for x in 0..<2 {
                var (tx, ty) = (a * x + c * y, b * x + d * y)
                tx -= min(0, a * 1) + min(0, c * 2)
                ty -= min(0, b * 1) + min(0, d * 2)
                expected[ty * shown.width + tx] = UInt8(y * 2 + x + 1)
            }
        }
        #expect(numbers(shown) == expected)
    }

    @Test("A degenerate display matrix is no orientation")
    func degenerateMatrix() {
        #expect(Orientation(a: 0, b: 0, c: 0, d: 0) == nil)
        #expect(Orientation(a: 1, b: 1, c: 1, d: 1) == nil)
    }

    @Test("Samples that are not square lengthen one side; damaged ratios change nothing")
    func displayedSize() {
        func size(_ numerator: Int, _ denominator: Int) -> [Int] {
            let size = AspectRatio(numerator: numerator, denominator: denominator)
                .displayedSize(width: 96, height: 120, maximumPixels: 1_000_000)
            return [size.width, size.height]
        }
        #expect(size(20, 11) == [175, 120])
        #expect(size(1, 2) == [96, 240])
        #expect(size(1, 1) == [96, 120])
        #expect(size(Int(Int32.max), 1) == [96, 120])
    }

    @Test(
        "Tone mapping keeps black, brings reference white near white, and keeps the order of brightness"
    )
    func toneMapping() {
        for transfer in [HighDynamicRange.perceptualQuantizer, .hybridLogGamma] {
            let map = ToneMap(transfer)
            var rows: [UInt8] = []
            for step in 0..<16 {
                let sample = UInt16(step * 4369)
                for _ in 0..<3 { rows += [UInt8(sample & 255), UInt8(sample >> 8)] }
            }
            let values = numbers(map.picture(rows: rows, stride: 96, width: 16, height: 1))
            #expect(values.first == 0)
            #expect((240...255).contains(values.last ?? 0))
            #expect(values == values.sorted())
        }
        // 58 % of PQ is 203 cd/m², the white of BT.2408.
        let white = UInt16(0.5807 * 65535)
        let row = [UInt8](repeating: 0, count: 6).indices.map {
            $0 % 2 == 0 ? UInt8(white & 255) : UInt8(white >> 8)
        }
        let shown = ToneMap(.perceptualQuantizer).picture(rows: row, stride: 6, width: 1, height: 1)
        #expect((215...240).contains(shown.pixels[0]))
    }

    /// A picture of stripes and blocks that says where the camera looks and which scene it is.
    private func scene(_ seed: Int, offset: Int) -> RGBImage {
        let (width, height) = SceneDetector.pictureSize
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let cell = UInt64((x + offset) / 8 * 73 + y / 8 * 151 + seed * 7919)
                let mixed = (cell ^ (cell >> 4)) &* 0x9E37_79B9_7F4A_7C15
                let value = UInt8(mixed >> 56)
                pixels += [value, 255 - value, value / 2]
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    @Test("A new scene is a cut; a camera that jerks and a picture that stands are none")
    func cuts() {
        var detector = SceneDetector()
        for frame in 0..<30 {
            // Frame 8: a jerk by half a cell. Frame 20: another scene.
            let image = frame < 20 ? scene(1, offset: frame < 8 ? 0 : 4) : scene(2, offset: 0)
            detector.append(image, time: Double(frame) / 10)
        }
        #expect(detector.cuts == [2.0])
    }

    @Test(
        "Cuts are found at the first change, at the last one, and one after the other, whatever was asked before"
    )
    func cutsAtTheEnds() {
        var detector = SceneDetector()
        var asked: [[Double]] = []
        for frame in 0..<40 {
            // New scenes at frames 1, 10, 20 and 39.
            let number = [1, 10, 20, 39].count { $0 <= frame }
            detector.append(scene(number + 1, offset: 0), time: Double(frame) / 10)
            asked.append(detector.cuts)
        }
        #expect(detector.cuts == [0.1, 1, 2, 3.9])
        #expect(asked[9] == [0.1] && asked[10] == [0.1, 1] && asked[25] == [0.1, 1, 2])
    }
}
