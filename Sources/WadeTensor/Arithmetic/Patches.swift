//! Cutting pictures into patches, so that a convolution whose stride is its kernel becomes a matrix product.

extension Tensor {
    /// Pixels (F, C, Y, X) to patches (F, V, C·P·P): rows of patches from the top, each patch channel by channel.
    /// Pixels to the right and below that fill no patch are left out, as a convolution without padding does.
    package func patches(side: Int) -> Tensor {
        precondition(shape.rank == 4 && side > 0, "patches: pixels are \(shape)")
        let sizes = shape
        let (down, across) = (sizes[2] / side, sizes[3] / side)
        let patches = unsafe Tensor(
            uninitialized: [sizes[0], down * across, sizes[1] * side * side]
        ) { out in
            unsafe withValues { pixels in
                Self.forEachRun(of: sizes, side: side) { pixel, place in
                    for x in 0..<side { unsafe out[place + x] = pixels[pixel + x] }
                }
            }
        }
        guard let tape = Tape.recording(self) else { return patches }
        let place = self.place
        return tape.record(patches) { dy, tape in
            unsafe tape.accumulatePart(into: place) { sum in
                unsafe dy.withValues { dy in
                    Self.forEachRun(of: sizes, side: side) { pixel, place in
                        for x in 0..<side { unsafe sum[pixel + x] += dy[place + x] }
                    }
                }
            }
        }
    }

    /// Calls `body` with where each row of each patch lies among pixels (F, C, Y, X), and where in the patches.
    private static func forEachRun(of sizes: Shape, side: Int, _ body: (Int, Int) -> Void) {
        let (channels, height, width) = (sizes[1], sizes[2], sizes[3])
        let (down, across) = (height / side, width / side)
        var next = 0
        for frame in 0..<sizes[0] {
            for patch in 0..<down * across {
                let (top, left) = (patch / across * side, patch % across * side)
                for channel in 0..<channels {
                    for y in 0..<side {
                        let row = ((frame * channels + channel) * height + top + y) * width
                        body(row + left, next)
                        next += side
                    }
                }
            }
        }
    }
}
