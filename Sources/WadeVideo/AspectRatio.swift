//! Samples that are not square: the picture is stretched to the shape in which it is shown.
internal import WadeImage

/// Width over height of one sample of a picture; both at least 1.
struct AspectRatio: Equatable {
    let numerator: Int
    let denominator: Int

    /// The size at which a picture of `width` × `height` samples is shown: the side that is too short is lengthened, none
    /// shortened. Ratios beyond 16 are damage, and results beyond `maximumPixels` are not made: both keep the coded size.
    func displayedSize(width: Int, height: Int, maximumPixels: Int) -> (width: Int, height: Int) {
        let ratio = Double(numerator) / Double(denominator)
        guard ratio != 1, ratio >= 1.0 / 16, ratio <= 16 else { return (width, height) }
        let wide = ratio > 1 ? Int((Double(width) * ratio).rounded()) : width
        let high = ratio < 1 ? Int((Double(height) / ratio).rounded()) : height
        let (pixels, overflow) = wide.multipliedReportingOverflow(by: high)
        return overflow || pixels > maximumPixels ? (width, height) : (wide, high)
    }
}

/// `image` stretched to `width` × `height`, linearly between sample centres.
func stretched(_ image: RGBImage, width: Int, height: Int) -> RGBImage {
    guard width != image.width || height != image.height else { return image }
    let across = LinearTaps(from: image.width, to: width)
    let down = LinearTaps(from: image.height, to: height)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    var target = 0
    for y in 0..<height {
        let (upper, lower) = (down.first[y] * image.width, down.second[y] * image.width)
        let fy = down.fraction[y]
        for x in 0..<width {
            let fx = across.fraction[x]
            for channel in 0..<3 {
                func sample(_ row: Int, _ column: Int) -> Int {
                    Int(image.pixels[(row + column) * 3 + channel])
                }
                let (left, right) = (across.first[x], across.second[x])
                let top = sample(upper, left) * (256 - fx) + sample(upper, right) * fx
                let bottom = sample(lower, left) * (256 - fx) + sample(lower, right) * fx
                pixels[target + channel] = UInt8((top * (256 - fy) + bottom * fy + 32768) >> 16)
            }
            target += 3
        }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
}

/// For every output position the two input positions it lies between, and how far along in 1/256.
private struct LinearTaps {
    var first: [Int] = []
    var second: [Int] = []
    var fraction: [Int] = []

    init(from input: Int, to output: Int) {
        for position in 0..<output {
            let centre = (Double(position) + 0.5) * Double(input) / Double(output) - 0.5
            let clamped = min(max(centre, 0), Double(input - 1))
            let low = Int(clamped)
            first.append(low)
            second.append(min(low + 1, input - 1))
            fraction.append(Int(((clamped - Double(low)) * 256).rounded()))
        }
    }
}
