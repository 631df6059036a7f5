//! An upright RGB picture in memory: what the decoder hands over and the model's preprocessing takes.

/// An 8-bit RGB picture, rows from top to bottom, `pixels[(y * width + x) * 3 + channel]`.
package struct RGBImage: Sendable, Equatable {
    /// Columns, in pixels; at least 1.
    package let width: Int
    /// Rows, in pixels; at least 1.
    package let height: Int
    /// height × width × 3 bytes, interleaved.
    package let pixels: [UInt8]

    /// Takes ownership of `pixels`, whose count must be `width * height * 3`.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(
            width > 0 && height > 0 && pixels.count == width * height * 3,
            "RGBImage: \(pixels.count) bytes for \(width)x\(height)")
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}
