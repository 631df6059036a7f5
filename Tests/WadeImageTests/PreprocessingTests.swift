//! What a preprocessing description accepts, and the numbers it makes of simple pictures.
import Foundation
import Testing

@testable import WadeImage

@Suite struct PreprocessingTests {
    private func make(
        size: Int = 4, resized: Int? = nil, fit: Preprocessing.Fit = .squash,
        mean: [Float] = [0.5, 0.25, 0], deviation: [Float] = [0.5, 0.25, 1]
    ) throws -> Preprocessing {
        try Preprocessing(
            imageSize: size, resizedSize: resized, fit: fit, mean: mean,
            standardDeviation: deviation)
    }

    @Test("values are (level / 255 - mean) / deviation, channel by channel")
    func normalization() throws {
        let image = RGBImage(width: 1, height: 1, pixels: [255, 0, 51])
        let values = try make(size: 2).pixelValues(image)
        #expect(values == [1, 1, 1, 1, -1, -1, -1, -1, 0.2, 0.2, 0.2, 0.2])
    }

    @Test("several pictures of different sizes follow one another")
    func batch() throws {
        let preprocessing = try make(fit: .shorterSideTorchvision)
        let images = [pattern(width: 9, height: 6), pattern(width: 5, height: 13)]
        #expect(
            preprocessing.pixelValues(of: images)
                == images.flatMap { preprocessing.pixelValues($0) })
    }

    @Test(
        "a padded picture keeps its aspect ratio and stands in the middle of the mean's colour",
        arguments: [(12, 6, 4, 2), (6, 12, 2, 4), (5, 5, 4, 4), (100, 1, 4, 1)])
    func padding(width: Int, height: Int, shownWidth: Int, shownHeight: Int) throws {
        let preprocessing = try make(size: 4, fit: .padded, mean: [0.485, 0.456, 0.406])
        let white = RGBImage(
            width: width, height: height, pixels: Array(repeating: 255, count: width * height * 3))
        let picture = preprocessing.picture(white)
        #expect(picture.width == 4 && picture.height == 4)
        let (left, top) = ((4 - shownWidth) / 2, (4 - shownHeight) / 2)
        for y in 0..<4 {
            for x in 0..<4 {
                let pixel = Array(picture.pixels[(y * 4 + x) * 3..<(y * 4 + x) * 3 + 3])
                let isInside =
                    (left..<left + shownWidth).contains(x) && (top..<top + shownHeight).contains(y)
                #expect(pixel == (isInside ? [255, 255, 255] : [124, 116, 104]), "\(x), \(y)")
            }
        }
        let window = preprocessing.sourceWindow(width: width, height: height)
        #expect(window.columns == 0..<width && window.rows == 0..<height)
    }

    @Test("a larger resized size leaves a border that the centre crop cuts away")
    func border() throws {
        let image = pattern(width: 8, height: 8)
        let picture = try make(size: 4, resized: 8).picture(image)
        #expect(picture == image.cropped(columns: 2..<6, rows: 2..<6))
    }

    @Test("an extreme aspect ratio is prepared without composing the whole resized picture")
    func sliver() throws {
        // Resized whole, 224 x 13,440,000 pixels would need 9 GB.
        let image = RGBImage(
            width: 1, height: 60_000, pixels: [UInt8](repeating: 7, count: 180_000))
        let picture = try make(size: 224, fit: .shorterSideTransformers).picture(image)
        #expect(
            picture.width == 224 && picture.height == 224 && picture.pixels.allSatisfy { $0 == 7 })
    }

    @Test("descriptions that no picture can be prepared by are refused")
    func refusals() {
        #expect(throws: ImageError.self) { try make(size: 0) }
        #expect(throws: ImageError.self) { try make(size: 5000) }
        #expect(throws: ImageError.self) { try make(size: 4, resized: 3) }
        #expect(throws: ImageError.self) { try make(mean: [0, 0]) }
        #expect(throws: ImageError.self) { try make(mean: [0, .nan, 0]) }
        #expect(throws: ImageError.self) { try make(deviation: [1, 0, 1]) }
        let json = Data(
            #"{"image_size": -3, "fit": "squash", "filter": "bicubic", "image_mean": [0,0,0], "image_std": [1,1,1]}"#
                .utf8)
        #expect(throws: ImageError.self) {
            try JSONDecoder().decode(Preprocessing.self, from: json)
        }
    }

    @Test("a description survives JSON")
    func roundTrip() throws {
        let preprocessing = try make(size: 4, resized: 6, fit: .shorterSideTransformers)
        let data = try JSONEncoder().encode(preprocessing)
        #expect(try JSONDecoder().decode(Preprocessing.self, from: data) == preprocessing)
    }
}
