//! What a vision encoder wants of a picture before it sees it: size, filter, mean and deviation.

/// The way from an upright RGB picture to the vision encoder's input, as a published preprocessor states it.
package struct Preprocessing: Sendable, Equatable, Codable {
    /// How the picture's sides become the encoder's square.
    package enum Fit: String, Sendable, Codable, CaseIterable {
        /// The shorter side becomes `resizedSize`, then a centre crop, its offset rounded half to even
        /// (torchvision: OpenAI CLIP, open_clip, OpenFlamingo).
        case shorterSideTorchvision = "shorter_side_torchvision"
        /// The shorter side becomes `resizedSize`, then a centre crop, its offset rounded down
        /// (CLIPImageProcessor of transformers).
        case shorterSideTransformers = "shorter_side_transformers"
        /// Both sides become `resizedSize`, the aspect ratio is lost (IDEFICS, NFNet); then the centre crop of torchvision.
        case squash
        /// The longer side becomes S and the aspect ratio is kept; the picture stands in the middle, and what it does not fill has the
        /// mean's colour (Flamingo's paper). `resizedSize` plays no part.
        case padded
    }

    /// S: the side of the square that the encoder sees, in pixels, 1...4096.
    package let imageSize: Int
    /// The shorter side (or, squashed, both sides) before the centre crop, in pixels, `imageSize`...8192.
    package let resizedSize: Int
    /// How the picture's sides become the square.
    package let fit: Fit
    /// The resize's kernel.
    package let filter: ResampleFilter
    /// The resize's first direction.
    package let passOrder: ResamplePassOrder
    /// Mean of red, green and blue on the scale 0...1.
    package let mean: [Float]
    /// Standard deviation of red, green and blue on the scale 0...1.
    package let standardDeviation: [Float]

    private enum CodingKeys: String, CodingKey {
        case imageSize = "image_size"
        case resizedSize = "resized_size"
        case fit
        case filter
        case passOrder = "pass_order"
        case mean = "image_mean"
        case standardDeviation = "image_std"
    }

    /// Checks the values; throws `ImageError.invalidPreprocessing`. `resizedSize` is `imageSize` when not given.
    package init(
        imageSize: Int, resizedSize: Int? = nil, fit: Fit, filter: ResampleFilter = .bicubic,
        passOrder: ResamplePassOrder = .horizontalFirst, mean: [Float], standardDeviation: [Float]
    ) throws {
        let resizedSize = resizedSize ?? imageSize
        try Self.require(
            (1...4096).contains(imageSize), "image_size", "\(imageSize)", "1 to 4096 pixels")
        try Self.require(
            resizedSize >= imageSize && resizedSize <= 8192, "resized_size", "\(resizedSize)",
            "\(imageSize) to 8192 pixels")
        try Self.require(
            mean.count == 3 && mean.allSatisfy(\.isFinite), "image_mean", "\(mean)",
            "three finite numbers")
        // Smaller deviations would make the inputs infinite.
        try Self.require(
            standardDeviation.count == 3
                && standardDeviation.allSatisfy { $0.isFinite && $0 >= 1e-6 },
            "image_std", "\(standardDeviation)", "three numbers of at least 1e-6")
        self.imageSize = imageSize
        self.resizedSize = resizedSize
        self.fit = fit
        self.filter = filter
        self.passOrder = passOrder
        self.mean = mean
        self.standardDeviation = standardDeviation
    }

    /// Decodes and checks the values; throws `DecodingError` or `ImageError.invalidPreprocessing`.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            imageSize: container.decode(Int.self, forKey: .imageSize),
            resizedSize: container.decodeIfPresent(Int.self, forKey: .resizedSize),
            fit: container.decode(Fit.self, forKey: .fit),
            filter: container.decode(ResampleFilter.self, forKey: .filter),
            passOrder: container.decodeIfPresent(ResamplePassOrder.self, forKey: .passOrder)
                ?? .horizontalFirst,
            mean: container.decode([Float].self, forKey: .mean),
            standardDeviation: container.decode([Float].self, forKey: .standardDeviation))
    }

    private static func require(
        _ holds: Bool, _ field: String, _ found: String, _ expected: String
    ) throws {
        guard holds else {
            throw ImageError.invalidPreprocessing(field: field, found: found, expected: expected)
        }
    }
}

extension Preprocessing {
    /// The S × S pixels that the encoder sees; only the cropped window is ever computed.
    package func picture(_ image: RGBImage) -> RGBImage { picture(PicturePart(whole: image)) }

    /// The same from part of a picture, which must hold its `sourceWindow`.
    package func picture(_ part: PicturePart) -> RGBImage {
        let place = placement(width: part.width, height: part.height)
        let picture = part.resized(
            width: place.width, height: place.height, filter: filter, order: passOrder,
            columns: place.columns, rows: place.rows)
        return fit == .padded ? padded(picture) : picture
    }

    /// A picture of at most S × S pixels in the middle of a square of the mean's colour.
    private func padded(_ picture: RGBImage) -> RGBImage {
        let (left, top) = ((imageSize - picture.width) / 2, (imageSize - picture.height) / 2)
        let line = (0..<imageSize).flatMap { _ in meanLevels }
        var pixels: [UInt8] = []
        pixels.reserveCapacity(imageSize * imageSize * 3)
        for row in 0..<imageSize {
            guard row >= top, row < top + picture.height else {
                pixels += line
                continue
            }
            let start = (row - top) * picture.width * 3
            pixels += line[..<(left * 3)]
            pixels += picture.pixels[start..<start + picture.width * 3]
            pixels += line[((left + picture.width) * 3)...]
        }
        return RGBImage(width: imageSize, height: imageSize, pixels: pixels)
    }

    /// The mean of red, green and blue as 8-bit levels.
    package var meanLevels: [UInt8] {
        mean.map { UInt8(max(0, min(255, ($0 * 255).rounded()))) }
    }

    /// The columns and rows of a picture of `width` × `height` pixels that the encoder's pixels are made of.
    package func sourceWindow(width: Int, height: Int) -> (columns: Range<Int>, rows: Range<Int>) {
        let place = placement(width: width, height: height)
        return (
            PicturePart.sourceWindow(from: width, to: place.width, place.columns, filter),
            PicturePart.sourceWindow(from: height, to: place.height, place.rows, filter)
        )
    }

    /// The size that a picture of `width` × `height` pixels is resized to, and where the encoder's square lies in that.
    private func placement(width: Int, height: Int) -> (
        width: Int, height: Int, columns: Range<Int>, rows: Range<Int>
    ) {
        var resized = (width: resizedSize, height: resizedSize)
        switch fit {
        case .squash: break
        case .padded:
            let longer = max(width, height)
            resized = (
                max(1, (2 * imageSize * width + longer) / (2 * longer)),
                max(1, (2 * imageSize * height + longer) / (2 * longer))
            )
            return (resized.width, resized.height, 0..<resized.width, 0..<resized.height)
        case .shorterSideTorchvision, .shorterSideTransformers:
            let shorter = min(width, height)
            // int(size * longer / shorter) in the originals; a picture in memory has sides far below 2^40.
            resized = (resizedSize * width / shorter, resizedSize * height / shorter)
        }
        let left = cropOffset(resized.width - imageSize)
        let top = cropOffset(resized.height - imageSize)
        return (
            resized.width, resized.height, left..<left + imageSize, top..<top + imageSize
        )
    }

    /// [3, S, S]: (pixel / 255 - mean) / standard deviation of the cropped picture.
    package func pixelValues(_ image: RGBImage) -> [Float] {
        pixelValues(of: [image])
    }

    /// [F, 3, S, S] for F pictures; their sizes may differ.
    package func pixelValues(of images: [RGBImage]) -> [Float] {
        pixelValues(ofPictures: images.count) { picture(images[$0]) }
    }

    /// [F, 3, S, S] for F pictures that `picture` has made already; each must be S × S.
    package func pixelValues(ofPictures pictures: [RGBImage]) -> [Float] {
        pixelValues(ofPictures: pictures.count) { pictures[$0] }
    }

    private func pixelValues(ofPictures count: Int, _ picture: (Int) -> RGBImage) -> [Float] {
        let frames = count
        let plane = imageSize * imageSize
        let count = frames * 3 * plane
        let levels = normalizedLevels
        return unsafe [Float](unsafeUninitializedCapacity: count) { out, initialized in
            initialized = count
            for frame in 0..<frames {
                let first = frame * 3 * plane
                unsafe writePlanes(
                    picture(frame), levels,
                    UnsafeMutableBufferPointer(rebasing: out[first..<first + 3 * plane]))
            }
        }
    }

    /// [3, 256]: the normalised value of every level of every channel.
    private var normalizedLevels: [Float] {
        (0..<3).flatMap { channel in
            (0..<256).map { (Float($0) / 255 - mean[channel]) / standardDeviation[channel] }
        }
    }

    /// Separates the channels of an interleaved picture and normalises each.
    private func writePlanes(
        _ picture: RGBImage, _ levels: [Float], _ out: UnsafeMutableBufferPointer<Float>
    ) {
        let plane = picture.width * picture.height
        precondition(
            plane == imageSize * imageSize, "Preprocessing: \(picture.width)x\(picture.height)")
        unsafe picture.pixels.withUnsafeBufferPointer { pixels in
            unsafe levels.withUnsafeBufferPointer { levels in
                for i in 0..<plane {
                    unsafe out[i] = levels[Int(pixels[3 * i])]
                    unsafe out[plane + i] = levels[256 + Int(pixels[3 * i + 1])]
                    unsafe out[2 * plane + i] = levels[512 + Int(pixels[3 * i + 2])]
                }
            }
        }
    }

    /// Where a centre crop starts on an axis that has `surplus` pixels too many.
    private func cropOffset(_ surplus: Int) -> Int {
        switch fit {
        case .shorterSideTransformers:
            return surplus / 2
        case .shorterSideTorchvision, .squash, .padded:
            // Python's round(surplus / 2): an exact half goes to the even neighbour.
            let lower = surplus / 2
            return surplus % 2 == 1 && lower % 2 == 1 ? lower + 1 : lower
        }
    }
}
