//! Finds hard cuts between shots by how much small pictures change.
package import WadeImage

/// Compares each frame with the one before it. A cut is a change that is large, that stays large when the pictures are moved
/// over each other (a fast camera makes changes that do not), and that stands out from the changes just before and after.
/// Thresholds were set on clips with labelled cuts; dissolves and fades are no cuts here.
package struct SceneDetector: Sendable {
    /// Width and height of the pictures to compare, in pixels.
    package static let pictureSize = (width: 64, height: 36)

    /// Mean absolute difference of two frames' samples that a cut has at least, of 255.
    private let leastChange = 22.0
    /// How many times the mean change of the neighbours a cut's change is at least.
    private let leastRatio = 3.0
    /// Neighbouring changes looked at on each side.
    private let neighbours = 2

    /// How much a frame differs from the one before.
    private struct Change {
        let time: Double
        let change: Double
        let settled: Double
    }

    private var previous: [UInt8] = []
    /// The latest changes, of which the first `decided` have been judged: a film of any length takes no more.
    private var window: [Change] = []
    private var decided = 0
    private var found: [Double] = []

    /// A detector that has seen nothing.
    package init() {}

    /// Takes the next frame, a picture of `pictureSize`, shown at `time` seconds.
    package mutating func append(_ image: RGBImage, time: Double) {
        let size = SceneDetector.pictureSize
        precondition(
            image.width == size.width && image.height == size.height,
            "SceneDetector: \(image.width)x\(image.height)")
        defer { previous = image.pixels }
        guard !previous.isEmpty else { return }
        let change = meanDifference(image.pixels, step: 1, across: 0, down: 0)
        let settled = change < leastChange ? change : leastMovedDifference(image.pixels)
        window.append(Change(time: time, change: change, settled: settled))
        // A change is judged once those after it are known.
        if window.count - decided > neighbours {
            if isCut(decided) { found.append(window[decided].time) }
            decided += 1
        }
        if decided > neighbours {
            window.removeFirst()
            decided -= 1
        }
    }

    /// The times of the first frames of new shots, in seconds, ascending; the last ones as if the film ended here.
    package var cuts: [Double] {
        found + (decided..<window.count).filter(isCut).map { window[$0].time }
    }

    private func isCut(_ index: Int) -> Bool {
        guard window[index].settled >= leastChange else { return false }
        let around = (index - neighbours...index + neighbours).filter {
            $0 != index && window.indices.contains($0)
        }
        guard !around.isEmpty else { return true }
        let mean = around.reduce(0) { $0 + window[$1].change } / Double(around.count)
        return window[index].change >= leastRatio * mean
    }

    /// The least difference over movements of up to a quarter of the picture, at half resolution.
    private func leastMovedDifference(_ current: [UInt8]) -> Double {
        var least = Double.infinity
        for down in stride(from: -8, through: 8, by: 2) {
            for across in stride(from: -16, through: 16, by: 2) {
                least = min(least, meanDifference(current, step: 2, across: across, down: down))
            }
        }
        return least
    }

    /// Mean absolute difference between `current` and the previous picture moved by (`across`, `down`) pixels, over the part
    /// that both cover, taking every `step`-th row and column.
    private func meanDifference(_ current: [UInt8], step: Int, across: Int, down: Int) -> Double {
        let (width, height) = SceneDetector.pictureSize
        var sum = 0, count = 0
        unsafe current.withUnsafeBufferPointer { current in
            unsafe previous.withUnsafeBufferPointer { previous in
                for y in stride(from: max(0, down), to: height + min(0, down), by: step) {
                    for x in stride(from: max(0, across), to: width + min(0, across), by: step) {
                        let here = (y * width + x) * 3
                        let there = ((y - down) * width + x - across) * 3
                        for channel in 0..<3 {
                            let a = unsafe Int(current[here + channel])
                            let b = unsafe Int(previous[there + channel])
                            sum += abs(a - b)
                        }
                        count += 3
                    }
                }
            }
        }
        return Double(sum) / Double(max(count, 1))
    }
}

extension VideoReader {
    /// The times at which new shots begin, in seconds from the first frame: every frame is decoded once, at small size.
    mutating func sceneCuts() throws(VideoError) -> [Double] {
        try sceneCuts { () throws(VideoError) in }
    }

    /// The same; `progress` is called after every frame.
    mutating func sceneCuts(_ progress: () throws(VideoError) -> Void) throws(VideoError)
        -> [Double]
    {
        var detector = SceneDetector()
        let size = SceneDetector.pictureSize
        try thumbnails(width: size.width, height: size.height) {
            (image, time) throws(VideoError) in
            detector.append(image, time: time)
            try progress()
        }
        return detector.cuts
    }

    /// The file cut into clips; only `scenes` decodes anything for it.
    mutating func spans(_ segmentation: Segmentation) throws(VideoError) -> [ClipSpan] {
        var cuts: [Double] = []
        if case .scenes = segmentation { cuts = try sceneCuts() }
        return segmentation.spans(duration: metadata.duration, cuts: cuts)
    }
}
