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
        (mirrored ? image.flippedHorizontally() : image)
            .rotatedClockwise(quarterTurns: rotation / 90)
    }
}
