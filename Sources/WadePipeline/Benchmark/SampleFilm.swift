//! The film on which decoding is measured: made here, so that a benchmark needs no file.
import WadeImage
import WadeVideo

/// A few seconds of a textured picture that moves.
enum SampleFilm {
    static let width = 1280
    static let height = 720
    static let rate = 25
    static let frames = 100

    /// Writes the film to `path`; every frame differs from the others.
    static func write(to path: PathBytes) throws(VideoError) {
        var writer = try VideoWriter(path: path.bytes, width: width, height: height, rate: rate)
        let texture = texture
        for frame in 0..<frames {
            try writer.append(picture(frame, of: texture))
        }
        try writer.finish()
    }

    /// The texture's rows moved right and down.
    private static func picture(_ frame: Int, of texture: [UInt8]) -> RGBImage {
        let rowBytes = width * 3
        let right = frame * 5 % width * 3
        var pixels: [UInt8] = []
        pixels.reserveCapacity(height * rowBytes)
        for y in 0..<height {
            let row = (y + height - frame * 2 % height) % height * rowBytes
            pixels += texture[row + rowBytes - right..<row + rowBytes]
            pixels += texture[row..<row + rowBytes - right]
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// Two ramps and a chequer, all with some grain, as film has it.
    private static var texture: [UInt8] {
        var grain: UInt32 = 1
        return unsafe [UInt8](unsafeUninitializedCapacity: width * height * 3) { out, count in
            count = width * height * 3
            for y in 0..<height {
                for x in 0..<width {
                    grain = grain &* 1_664_525 &+ 1_013_904_223
                    let noise = Int(grain >> 29)
                    let pixel = (y * width + x) * 3
                    unsafe out[pixel] = UInt8(truncatingIfNeeded: x * 240 / width + noise)
                    unsafe out[pixel + 1] = UInt8(truncatingIfNeeded: y * 240 / height + noise)
                    let chequer = (x / 40 + y / 40) % 2 * 160
                    unsafe out[pixel + 2] = UInt8(truncatingIfNeeded: chequer + noise)
                }
            }
        }
    }
}
