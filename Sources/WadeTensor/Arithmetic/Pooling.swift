//! Means over the pixels of a feature map, and channels weighted one by one.

extension Tensor {
    /// The mean over all pixels of each map, (F, Y, X, C) to (F, C).
    package func globalMean() -> Tensor {
        requireUnwatched("a global mean")
        precondition(shape.rank == 4 && count > 0, "global mean of \(shape)")
        let (frames, pixels, channels) = (shape[0], shape[1] * shape[2], shape[3])
        return unsafe Tensor(uninitialized: [frames, channels]) { out in
            unsafe out.update(repeating: 0)
            unsafe withValues { values in
                for row in 0..<frames * pixels {
                    let target = row / pixels * channels
                    for c in 0..<channels {
                        unsafe out[target + c] += values[row * channels + c]
                    }
                }
            }
            for i in 0..<out.count { unsafe out[i] /= Float(pixels) }
        }
    }

    /// Means of 2 × 2 pixels, (F, Y, X, C) to (F, ⌈Y/2⌉, ⌈X/2⌉, C); windows over the edge average the pixels they have.
    package func halvedByMeans() -> Tensor {
        requireUnwatched("means of pixels")
        precondition(shape.rank == 4, "means of \(shape)")
        let (height, width, channels) = (shape[1], shape[2], shape[3])
        let (down, across) = ((height + 1) / 2, (width + 1) / 2)
        return unsafe Tensor(uninitialized: [shape[0], down, across, channels]) { out in
            unsafe out.update(repeating: 0)
            unsafe withValues { values in
                for window in 0..<shape[0] * down * across {
                    let (row, column) = (window / across % down * 2, window % across * 2)
                    let frame = window / across / down
                    let rows = row..<min(row + 2, height)
                    let columns = column..<min(column + 2, width)
                    let share = 1 / Float(rows.count * columns.count)
                    for y in rows {
                        for x in columns {
                            let source = ((frame * height + y) * width + x) * channels
                            for c in 0..<channels {
                                unsafe out[window * channels + c] += share * values[source + c]
                            }
                        }
                    }
                }
            }
        }
    }

    /// Every pixel's channels times the factors of its map: (F, Y, X, C) by (F, C).
    package func scalingChannels(by factors: Tensor) -> Tensor {
        precondition(
            shape.rank == 4 && factors.shape == Shape([shape[0], shape[3]]),
            "channels of \(shape) by \(factors.shape)")
        requireUnwatched("scaled channels")
        factors.requireUnwatched("scaled channels")
        let (pixels, channels) = (shape[1] * shape[2], shape[3])
        var product = self
        unsafe product.withMutableValues { values in
            unsafe factors.withValues { factors in
                for row in 0..<factors.count / max(channels, 1) * pixels {
                    let source = row / pixels * channels
                    for c in 0..<channels {
                        unsafe values[row * channels + c] *= factors[source + c]
                    }
                }
            }
        }
        return product
    }
}
