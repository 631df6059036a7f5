//! Which way up a picture is shown: quarter turns and mirroring, from a display matrix.
package import WadeImage

/// One of the eight ways to lay down a picture: mirrored left to right first, then turned clockwise.
package struct Orientation: Sendable, Equatable {
    /// Clockwise turn in degrees: 0, 90, 180 or 270.
    package let rotation: Int
    /// Whether left and right are exchanged before the turn.
    package let mirrored: Bool

    /// A turn by `rotation` degrees (0, 90, 180 or 270) of the picture, mirrored before if wanted.
    package init(rotation: Int, mirrored: Bool) {
        precondition([0, 90, 180, 270].contains(rotation), "Orientation: \(rotation) degrees")
        self.rotation = rotation
        self.mirrored = mirrored
    }

    /// The upright picture as it is stored.
    package static let upright = Orientation(rotation: 0, mirrored: false)

    /// The nearest of the eight for a matrix [a b u; c d v; x y w] of 32-bit numbers in native byte order, which maps
    /// (x, y) to (a·x + c·y, b·x + d·y), y downwards (libavutil/display.h). Nil when the bytes hold no such matrix.
    init?(matrixBytes: UnsafeRawBufferPointer) {
        guard matrixBytes.count >= 36 else { return nil }
        func entry(_ index: Int) -> Double {
            Double(unsafe matrixBytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
        }
        self.init(a: entry(0), b: entry(1), c: entry(3), d: entry(4))
    }

    /// The nearest of the eight for the map (x, y) → (a·x + c·y, b·x + d·y); nil for a degenerate one.
    init?(a: Double, b: Double, c: Double, d: Double) {
        let determinant = a * d - b * c
        guard determinant != 0, determinant.isFinite else { return nil }
        // Mirroring first negates what x contributes; then (a, b) is where "right" goes.
        let mirrored = determinant < 0
        let right = mirrored ? (-a, -b) : (a, b)
        if abs(right.0) >= abs(right.1) {
            self.init(rotation: right.0 > 0 ? 0 : 180, mirrored: mirrored)
        } else {
            self.init(rotation: right.1 > 0 ? 90 : 270, mirrored: mirrored)
        }
    }

    /// Whether width and height are exchanged.
    var isSideways: Bool { rotation == 90 || rotation == 270 }

    /// The picture as it is meant to be seen.
    package func applied(to image: RGBImage) -> RGBImage {
        guard self != .upright else { return image }
        let (width, height) = (image.width, image.height)
        // The stored byte offset of the shown pixel (x, y) is origin + x · acrossStep + y · downStep.
        var steps: (across: Int, down: Int)
        var corner: (x: Int, y: Int)
        switch rotation {
        case 90: (steps, corner) = ((-width, 1), (0, height - 1))
        case 180: (steps, corner) = ((-1, -width), (width - 1, height - 1))
        case 270: (steps, corner) = ((width, -1), (width - 1, 0))
        default: (steps, corner) = ((1, width), (0, 0))
        }
        if mirrored {
            corner.x = width - 1 - corner.x
            if isSideways { steps.down = -steps.down } else { steps.across = -steps.across }
        }
        let shown = isSideways ? (width: height, height: width) : (width: width, height: height)
        let origin = corner.y * width + corner.x
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: image.pixels.count) {
            output, count in
            unsafe image.pixels.withUnsafeBufferPointer { input in
                var target = 0
                for y in 0..<shown.height {
                    var source = (origin + y * steps.down) * 3
                    for _ in 0..<shown.width {
                        unsafe output[target] = input[source]
                        unsafe output[target + 1] = input[source + 1]
                        unsafe output[target + 2] = input[source + 2]
                        target += 3
                        source += steps.across * 3
                    }
                }
            }
            count = image.pixels.count
        }
        return RGBImage(width: shown.width, height: shown.height, pixels: pixels)
    }
}
