//! Quarter turns and mirrorings, by which stored pictures become upright ones.

extension RGBImage {
    /// The picture turned clockwise by `quarterTurns` × 90°; negative numbers turn the other way.
    package func rotatedClockwise(quarterTurns: Int) -> RGBImage {
        switch ((quarterTurns % 4) + 4) % 4 {
        case 1:
            return rearranged(width: height, height: width) { x, y in (y, self.height - 1 - x) }
        case 2:
            return rearranged(width: width, height: height) { x, y in
                (self.width - 1 - x, self.height - 1 - y)
            }
        case 3:
            return rearranged(width: height, height: width) { x, y in (self.width - 1 - y, x) }
        default:
            return self
        }
    }

    /// The picture mirrored left to right.
    package func flippedHorizontally() -> RGBImage {
        rearranged(width: width, height: height) { x, y in (self.width - 1 - x, y) }
    }

    /// The picture mirrored top to bottom.
    package func flippedVertically() -> RGBImage {
        rearranged(width: width, height: height) { x, y in (x, self.height - 1 - y) }
    }

    /// A picture whose pixel (x, y) is this picture's pixel `source(x, y)`.
    @inline(__always)
    private func rearranged(
        width outWidth: Int, height outHeight: Int, source: (Int, Int) -> (x: Int, y: Int)
    ) -> RGBImage {
        let count = pixels.count
        let out = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = count
            unsafe pixels.withUnsafeBufferPointer { pixels in
                var index = 0
                for y in 0..<outHeight {
                    for x in 0..<outWidth {
                        let from = source(x, y)
                        let pixel = (from.y * width + from.x) * 3
                        unsafe buffer[index] = pixels[pixel]
                        unsafe buffer[index + 1] = pixels[pixel + 1]
                        unsafe buffer[index + 2] = pixels[pixel + 2]
                        index += 3
                    }
                }
            }
        }
        return RGBImage(width: outWidth, height: outHeight, pixels: out)
    }
}
