//! Pictures as JPEG: what is written can be read again and looks the same.
import Foundation
import Testing
import WadeImage

@testable import WadeVideo

@Suite("JPEG")
struct JPEGTests {
    @Test(
        "a picture of any size is read back with its colours, and the same picture gives the same bytes"
    )
    func roundTrip() throws {
        let clips = try TestClips()
        for (width, height) in [(160, 90), (33, 17), (1, 1), (7, 200)] {
            let pixels = (0..<height).flatMap { y in
                (0..<width).flatMap { x -> [UInt8] in
                    [UInt8(x * 200 / width), UInt8(y * 200 / height), 90]
                }
            }
            let image = RGBImage(width: width, height: height, pixels: pixels)
            let bytes = try JPEG.encode(image, quantizer: 3)
            // JFIF: start of image, then APP0.
            #expect(Array(bytes.prefix(4)) == [0xFF, 0xD8, 0xFF, 0xE0])
            #expect(Array(bytes.suffix(2)) == [0xFF, 0xD9])
            #expect(try JPEG.encode(image, quantizer: 3) == bytes)
            let file = try clips.write("\(width)x\(height).jpg", bytes)
            var reader = try VideoReader(path: WadeVideoTests.bytes(file))
            let frame = try #require(try reader.frames(at: [0]).frames.first)
            #expect(frame.image.width == width && frame.image.height == height)
            let errors = zip(frame.image.pixels, pixels).map { abs(Int($0) - Int($1)) }
            let mean = Double(errors.reduce(0, +)) / Double(errors.count)
            #expect(mean < 4, "\(width)x\(height): \(mean)")
        }
    }

    @Test("a coarser picture takes fewer bytes")
    func quantizer() throws {
        let pixels = (0..<(64 * 64 * 3)).map {
            UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13)
        }
        let image = RGBImage(width: 64, height: 64, pixels: pixels)
        let fine = try JPEG.encode(image, quantizer: 2).count
        #expect(try JPEG.encode(image, quantizer: 31).count * 2 < fine)
    }
}
