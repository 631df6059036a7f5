//! Preprocessing against pictures and tensors that Pillow, open_clip and transformers made.
import Foundation
import Testing
import WadeTensor
import WadeTestSupport

@testable import WadeImage

private let clipMean: [Float] = [0.48145466, 0.4578275, 0.40821073]
private let clipDeviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

@Suite struct IdeficsPreprocessParityTests {
    private static let folder = "idefics/preprocess/"
    static let isPresent = FileManager.default.fileExists(
        atPath: Fixtures.url(folder + "expected_u8.safetensors").path)

    @Test("resized and cropped pictures equal Pillow's byte for byte", .enabled(if: isPresent))
    func pictures() throws {
        let images = try Fixtures.tensors(Self.folder + "images.safetensors")
        let expected = try Fixtures.tensors(Self.folder + "expected_u8.safetensors")
        #expect(!expected.tensors.isEmpty)
        for (name, stored) in expected.tensors {
            let (preprocessing, image) = try Self.parse(name)
            let picture = preprocessing.picture(try rgbImage(images, image))
            let bytes = try stored.uint8()
            let different = zip(picture.pixels, bytes).count { $0 != $1 }
            #expect(picture.pixels.count == bytes.count && different == 0, "\(name): \(different)")
        }
    }

    @Test("normalised values lie within 2e-6, the README's bound", .enabled(if: isPresent))
    func pixelValues() throws {
        let images = try Fixtures.tensors(Self.folder + "images.safetensors")
        let expected = try Fixtures.tensors(
            Self.folder + "expected_pixel_values.safetensors")
        #expect(!expected.tensors.isEmpty)
        for (name, stored) in expected.tensors {
            let (preprocessing, image) = try Self.parse(name)
            let values = preprocessing.pixelValues(try rgbImage(images, image))
            expectClose(
                Tensor(values, shape: stored.shape), try stored.float32(), within: 2e-6, name)
        }
    }

    /// `<kind>_<size>.<image>`.
    private static func parse(_ name: String) throws -> (Preprocessing, image: String) {
        let parts = name.split(separator: ".")
        let words = try #require(parts.first).split(separator: "_")
        let size = try #require(words.last.flatMap { Int($0) })
        let fit: Preprocessing.Fit
        switch words.dropLast().joined(separator: "_") {
        case "idefics", "nfnet_squash": fit = .squash
        case "clip_openclip": fit = .shorterSideTorchvision
        case "clip_hf": fit = .shorterSideTransformers
        default: throw CocoaError(.featureUnsupported)
        }
        let isImageNet = name.hasPrefix("nfnet")
        return (
            try Preprocessing(
                imageSize: size, fit: fit, mean: isImageNet ? [0.485, 0.456, 0.406] : clipMean,
                standardDeviation: isImageNet ? [0.229, 0.224, 0.225] : clipDeviation),
            String(try #require(parts.last))
        )
    }
}

@Suite struct ClipPreprocessParityTests {
    private struct Configuration: Decodable {
        let image_size: Int
        let mean: [Float]
        let std: [Float]
    }

    @Test("open_clip's and transformers' values lie within one grey level")
    func pixelValues() throws {
        let cases = try Fixtures.tensors("clip-preprocess/cases.safetensors")
        let configuration = try JSONDecoder().decode(
            Configuration.self,
            from: Data(contentsOf: Fixtures.url("clip-preprocess/config.json")))
        let names = cases.tensors.keys.filter { $0.hasSuffix(".rgb_u8") }
        #expect(!names.isEmpty)
        for name in names {
            let stem = name.dropLast(".rgb_u8".count)
            let image = try rgbImage(cases, name)
            for (suffix, fit) in [
                ("open_clip", Preprocessing.Fit.shorterSideTorchvision),
                ("hf_clip", .shorterSideTransformers),
            ] {
                let preprocessing = try Preprocessing(
                    imageSize: configuration.image_size, fit: fit, passOrder: .strongerFirst,
                    mean: configuration.mean, standardDeviation: configuration.std)
                // One grey level is 1 / 255 / 0.2613 = 0.0150. Pillow 13 made these pictures.
                let expected = try cases.float("\(stem).\(suffix)")
                expectClose(
                    Tensor(preprocessing.pixelValues(image), shape: expected.shape), expected,
                    within: 0.016, "\(stem).\(suffix)")
            }
        }
    }
}

/// The U8 [H, W, 3] tensor `name` as a picture.
private func rgbImage(_ file: TensorArchive, _ name: String) throws -> RGBImage {
    let stored = try #require(file.tensors[name])
    return RGBImage(
        width: stored.shape[1], height: stored.shape[0], pixels: try stored.uint8())
}
