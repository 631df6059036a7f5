//! Cutting pictures into patches, so that a convolution whose stride is its kernel becomes a matrix product.

extension Tensor {
    /// Pixels (F, C, Y, X) to patches (F, V, C·P·P): rows of patches from the top, each patch channel by channel.
    /// Pixels to the right and below that fill no patch are left out, as a convolution without padding does.
    package func patches(side: Int) -> Tensor {
        precondition(shape.rank == 4 && side > 0, "patches: pixels are \(shape)")
        let (frames, channels, height, width) = (shape[0], shape[1], shape[2], shape[3])
        let (down, across) = (height / side, width / side)
        return unsafe Tensor(
            uninitialized: [frames, down * across, channels * side * side]
        ) { out in
            unsafe withValues { pixels in
                var next = 0
                for frame in 0..<frames {
                    for patch in 0..<down * across {
                        let (top, left) = (patch / across * side, patch % across * side)
                        for channel in 0..<channels {
                            for y in 0..<side {
                                let row = ((frame * channels + channel) * height + top + y) * width
                                for x in 0..<side {
                                    unsafe out[next + x] = pixels[row + left + x]
                                }
                                next += side
                            }
                        }
                    }
                }
            }
        }
    }
}
