//! Finds hard cuts between shots by how much small pictures change.
package import WadeImage

/// Compares each frame with the one before it in hue, saturation and brightness; a cut is a change that is large and stands
/// out from the changes around it, so that a fast camera does not count (the rule of PySceneDetect's AdaptiveDetector:
/// score over the mean of its neighbours).
package struct SceneDetector: Sendable {
    /// Width and height of the pictures to compare.
    package static let pictureSize = (width: 64, height: 36)

    /// Changes below this are no cut, in steps of 255.
    private let leastChange = 12.0
    /// How many times the mean change of the neighbours a cut is.
    private let leastRatio = 3.0
    /// Neighbours on each side.
    private let neighbours = 2

    private var previous: [UInt8] = []
    private var changes: [(time: Double, change: Double)] = []

    /// A detector that has seen nothing.
    package init() {}

    /// Takes the next frame; all frames of one file have the same size here.
    package mutating func append(_ image: RGBImage, time: Double) {
        let current = hueSaturationValue(image)
        if previous.count == current.count, !current.isEmpty {
            var sum = 0
            for index in current.indices {
                let difference = abs(Int(current[index]) - Int(previous[index]))
                // Hue is a circle of 256 steps.
                sum += index % 3 == 0 ? min(difference, 256 - difference) : difference
            }
            changes.append((time, Double(sum) / Double(current.count)))
        }
        previous = current
    }

    /// The times of the first frames of new shots, in seconds, ascending.
    package var cuts: [Double] {
        changes.indices.filter { index in
            let change = changes[index].change
            guard change >= leastChange else { return false }
            let around = (index - neighbours...index + neighbours).filter {
                $0 != index && changes.indices.contains($0)
            }
            guard !around.isEmpty else { return true }
            let mean = around.reduce(0) { $0 + changes[$1].change } / Double(around.count)
            return change >= leastRatio * max(mean, 1e-3)
        }.map { changes[$0].time }
    }

    /// Interleaved hue, saturation, value, each 0...255; hue 0 for grey.
    private func hueSaturationValue(_ image: RGBImage) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: image.pixels.count)
        for pixel in stride(from: 0, to: image.pixels.count, by: 3) {
            let (r, g, b) = (
                Int(image.pixels[pixel]), Int(image.pixels[pixel + 1]), Int(image.pixels[pixel + 2])
            )
            let value = max(r, g, b), spread = value - min(r, g, b)
            guard value > 0 else { continue }
            result[pixel + 1] = UInt8(255 * spread / value)
            result[pixel + 2] = UInt8(value)
            guard spread > 0 else { continue }
            let sixth: Int
            if value == r {
                sixth = 256 * (g - b) / spread
            } else if value == g {
                sixth = 512 + 256 * (b - r) / spread
            } else {
                sixth = 1024 + 256 * (r - g) / spread
            }
            result[pixel] = UInt8(((sixth + 1536) % 1536) / 6)
        }
        return result
    }
}

extension VideoReader {
    /// The times at which new shots begin, in seconds from the first frame: every frame is decoded once, at small size.
    package mutating func sceneCuts() throws(VideoError) -> [Double] {
        var detector = SceneDetector()
        let size = SceneDetector.pictureSize
        try thumbnails(width: size.width, height: size.height) { image, time in
            detector.append(image, time: time)
        }
        return detector.cuts
    }

    /// The file cut into clips; only `scenes` decodes anything for it.
    package mutating func spans(_ segmentation: Segmentation) throws(VideoError) -> [ClipSpan] {
        var cuts: [Double] = []
        if case .scenes = segmentation { cuts = try sceneCuts() }
        return segmentation.spans(duration: metadata.duration, cuts: cuts)
    }
}
