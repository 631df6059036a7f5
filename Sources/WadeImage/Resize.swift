//! Pillow's antialiased resize of 8-bit pictures, bit for bit as Pillow 12.3 and before compute it.
internal import CImage

/// Which way a resize goes first; each pass rounds to 8 bits, so the order shows in the result.
package enum ResamplePassOrder: String, Sendable, Codable, CaseIterable {
    /// Rows, then columns: Pillow 12.3 and before, with which the published models were trained.
    case horizontalFirst = "horizontal_first"
    /// Columns first when the height shrinks by the larger factor: Pillow 13.0 (its pull request 9549;
    /// the comparison was inferred from pictures it made).
    case strongerFirst = "stronger_first"
}

/// Part of a picture that is as good as the whole for a window of it.
package struct PicturePart: Sendable, Equatable {
    /// The part's pixels.
    package let image: RGBImage
    /// Where they lie in the whole picture.
    package let left: Int
    package let top: Int
    /// The whole picture's size.
    package let width: Int
    package let height: Int

    /// `image` from column `left` and row `top` of a picture of `width` × `height` pixels.
    package init(_ image: RGBImage, left: Int, top: Int, width: Int, height: Int) {
        precondition(
            left >= 0 && top >= 0 && left + image.width <= width && top + image.height <= height,
            "PicturePart: \(image.width)x\(image.height) at \(left), \(top) of \(width)x\(height)")
        self.image = image
        self.left = left
        self.top = top
        self.width = width
        self.height = height
    }

    /// A whole picture.
    package init(whole image: RGBImage) {
        self.init(image, left: 0, top: 0, width: image.width, height: image.height)
    }

    /// The window `columns` × `rows` of the whole picture resized to `width` × `height`. The part must hold what the window is made of
    /// (`sourceWindow`).
    package func resized(
        width: Int, height: Int, filter: ResampleFilter, order: ResamplePassOrder,
        columns: Range<Int>, rows: Range<Int>
    ) -> RGBImage {
        precondition(
            width > 0 && height > 0 && !columns.isEmpty && !rows.isEmpty
                && columns.lowerBound >= 0 && columns.upperBound <= width
                && rows.lowerBound >= 0 && rows.upperBound <= height,
            "resize: window \(columns) x \(rows) of \(width)x\(height)")
        let horizontal = Self.weights(from: self.width, to: width, columns, filter)
        let vertical = Self.weights(from: self.height, to: height, rows, filter)
        let across = horizontal?.sourceRange ?? columns
        let down = vertical?.sourceRange ?? rows
        let source = image.cropped(
            columns: across.lowerBound - left..<across.upperBound - left,
            rows: down.lowerBound - top..<down.upperBound - top)
        if order == .strongerFirst && height * self.width < width * self.height {
            return source.resampled(vertically: vertical).resampled(horizontally: horizontal)
        }
        return source.resampled(horizontally: horizontal).resampled(vertically: vertical)
    }

    /// The pixels of one axis of which `window` is made, when `source` pixels become `target` ones.
    package static func sourceWindow(
        from source: Int, to target: Int, _ window: Range<Int>, _ filter: ResampleFilter
    ) -> Range<Int> {
        weights(from: source, to: target, window, filter)?.sourceRange ?? window
    }

    /// As Pillow: an axis that keeps its size is not filtered.
    private static func weights(
        from source: Int, to target: Int, _ window: Range<Int>, _ filter: ResampleFilter
    ) -> ResampleWeights? {
        source == target
            ? nil
            : ResampleWeights(source: source, target: target, window: window, filter: filter)
    }
}

extension RGBImage {
    /// The picture resized to `width` × `height` pixels.
    package func resized(
        width: Int, height: Int, filter: ResampleFilter,
        order: ResamplePassOrder = .horizontalFirst
    ) -> RGBImage {
        resized(
            width: width, height: height, filter: filter, order: order, columns: 0..<width,
            rows: 0..<height)
    }

    /// The window `columns` × `rows` of the picture resized to `width` × `height`; the rest is never computed.
    package func resized(
        width: Int, height: Int, filter: ResampleFilter,
        order: ResamplePassOrder = .horizontalFirst, columns: Range<Int>, rows: Range<Int>
    ) -> RGBImage {
        PicturePart(whole: self).resized(
            width: width, height: height, filter: filter, order: order, columns: columns,
            rows: rows)
    }

    /// The pixels of the given window, which must lie inside the picture and not be empty.
    package func cropped(columns: Range<Int>, rows: Range<Int>) -> RGBImage {
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= width && rows.lowerBound >= 0
                && rows.upperBound <= height, "crop: \(columns) x \(rows) of \(width)x\(height)")
        guard columns.count < width || rows.count < height else { return self }
        var out: [UInt8] = []
        out.reserveCapacity(columns.count * rows.count * 3)
        for y in rows {
            let first = (y * width + columns.lowerBound) * 3
            out += pixels[first..<first + columns.count * 3]
        }
        return RGBImage(width: columns.count, height: rows.count, pixels: out)
    }

    /// out[y, x, c] = round8(sum over t of self[y, starts[x] + t, c] * weights[x, t]).
    fileprivate func resampled(horizontally axis: ResampleWeights?) -> RGBImage {
        guard let axis else { return self }
        let outWidth = axis.starts.count
        let count = outWidth * height * 3
        let out = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = count
            unsafe pixels.withUnsafeBufferPointer { source in
                unsafe axis.weights.withUnsafeBufferPointer { weights in
                    for y in 0..<height {
                        unsafe filterRow(
                            UnsafeBufferPointer(
                                rebasing: source[y * width * 3..<(y + 1) * width * 3]),
                            into: UnsafeMutableBufferPointer(
                                rebasing: buffer[y * outWidth * 3..<(y + 1) * outWidth * 3]),
                            axis, weights)
                    }
                }
            }
        }
        return RGBImage(width: outWidth, height: height, pixels: out)
    }

    /// out[y, x, c] = round8(sum over t of self[starts[y] + t, x, c] * weights[y, t]).
    fileprivate func resampled(vertically axis: ResampleWeights?) -> RGBImage {
        guard let axis else { return self }
        let rowBytes = width * 3
        let outHeight = axis.starts.count
        let count = rowBytes * outHeight
        var sums = [Int32](repeating: 0, count: rowBytes)
        let out = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = count
            unsafe pixels.withUnsafeBufferPointer { source in
                unsafe sums.withUnsafeMutableBufferPointer { sums in
                    for y in 0..<outHeight {
                        unsafe sums.update(repeating: half)
                        for t in 0..<axis.counts[y] {
                            let first = (axis.starts[y] + t) * rowBytes
                            unsafe accumulate(
                                UnsafeBufferPointer(rebasing: source[first..<first + rowBytes]),
                                times: axis.weights[y * axis.taps + t], into: sums)
                        }
                        unsafe round(
                            sums,
                            into: UnsafeMutableBufferPointer(
                                rebasing: buffer[y * rowBytes..<(y + 1) * rowBytes]))
                    }
                }
            }
        }
        return RGBImage(width: width, height: outHeight, pixels: out)
    }
}

/// One half in the weights' fixed point, so that dropping the fraction rounds.
private let half = Int32(1) << (ResampleWeights.precisionBits - 1)

/// Whether the loops below may be C's, which compute the same with wider instructions.
private let hasWideIntegers = image_has_wide_integers() != 0

/// Drops the fraction and clamps to a byte; the cubic's lobes overshoot on both sides.
@inline(__always)
private func clip8(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: max(0, min(255, sum >> ResampleWeights.precisionBits)))
}

// The sums below cannot overflow: weights sum to 2^22 and the lobes of the kernels add less than
// a half of that, so with 8-bit pixels every partial sum stays under 2^31 (Pillow's own bound).

/// One row of interleaved RGB through the horizontal weights.
private func filterRow(
    _ source: UnsafeBufferPointer<UInt8>, into out: UnsafeMutableBufferPointer<UInt8>,
    _ axis: ResampleWeights, _ weights: UnsafeBufferPointer<Int32>
) {
    if hasWideIntegers {
        return unsafe image_filter_row(
            source.baseAddress, source.count, axis.starts, axis.counts, weights.baseAddress,
            axis.taps, axis.starts.count, half, ResampleWeights.precisionBits, out.baseAddress)
    }
    for x in 0..<axis.starts.count {
        var red = half
        var green = half
        var blue = half
        var pixel = axis.starts[x] * 3
        let first = x * axis.taps
        for t in first..<first + axis.counts[x] {
            let weight = unsafe weights[t]
            unsafe red &+= Int32(truncatingIfNeeded: source[pixel]) &* weight
            unsafe green &+= Int32(truncatingIfNeeded: source[pixel + 1]) &* weight
            unsafe blue &+= Int32(truncatingIfNeeded: source[pixel + 2]) &* weight
            pixel &+= 3
        }
        unsafe out[x * 3] = clip8(red)
        unsafe out[x * 3 + 1] = clip8(green)
        unsafe out[x * 3 + 2] = clip8(blue)
    }
}

/// sums[i] += source[i] * weight, over one row.
private func accumulate(
    _ source: UnsafeBufferPointer<UInt8>, times weight: Int32,
    into sums: UnsafeMutableBufferPointer<Int32>
) {
    if hasWideIntegers {
        return unsafe image_accumulate(source.baseAddress, source.count, weight, sums.baseAddress)
    }
    for i in 0..<source.count {
        unsafe sums[i] &+= Int32(truncatingIfNeeded: source[i]) &* weight
    }
}

/// out[i] = round8(sums[i]), over one row.
private func round(
    _ sums: UnsafeMutableBufferPointer<Int32>, into out: UnsafeMutableBufferPointer<UInt8>
) {
    for i in 0..<sums.count { unsafe out[i] = clip8(sums[i]) }
}
