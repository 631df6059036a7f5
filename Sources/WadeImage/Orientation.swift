//! Quarter turns and mirrorings, by which stored pictures become upright ones.

extension RGBImage {
    /// The picture turned clockwise by `quarterTurns` × 90°; negative numbers turn the other way.
    package func rotatedClockwise(quarterTurns: Int) -> RGBImage {
        let last = width * height - 1
        switch ((quarterTurns % 4) + 4) % 4 {
        case 1:
            return walked(
                width: height, height: width, from: last - (width - 1), right: -width, down: 1)
        case 2:
            return walked(width: width, height: height, from: last, right: -1, down: -width)
        case 3:
            return walked(width: height, height: width, from: width - 1, right: width, down: -1)
        default:
            return self
        }
    }

    /// The picture mirrored left to right.
    package func flippedHorizontally() -> RGBImage {
        walked(width: width, height: height, from: width - 1, right: -1, down: width)
    }

    /// The picture mirrored top to bottom.
    package func flippedVertically() -> RGBImage {
        walked(
            width: width, height: height, from: width * (height - 1), right: 1, down: -width)
    }

    /// A picture whose pixel (x, y) is this picture's pixel number first + x · right + y · down, in reading order.
    private func walked(
        width outWidth: Int, height outHeight: Int, from first: Int, right: Int, down: Int
    ) -> RGBImage {
        let count = pixels.count
        let out = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = count
            unsafe pixels.withUnsafeBufferPointer { pixels in
                var index = 0
                for y in 0..<outHeight {
                    var pixel = (first + y * down) * 3
                    for _ in 0..<outWidth {
                        unsafe buffer[index] = pixels[pixel]
                        unsafe buffer[index + 1] = pixels[pixel + 1]
                        unsafe buffer[index + 2] = pixels[pixel + 2]
                        index += 3
                        pixel += right * 3
                    }
                }
            }
        }
        return RGBImage(width: outWidth, height: outHeight, pixels: out)
    }
}
