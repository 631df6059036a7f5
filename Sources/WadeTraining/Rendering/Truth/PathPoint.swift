//! Where subject and camera are in one frame.

/// One frame's place of the subject and of the camera, for dense training targets.
package struct PathPoint: Sendable, Equatable, Codable {
    /// The subject's centre: 0 is the left or upper edge of the picture, 1 the right or lower one. The picture's centre when there
    /// is no subject.
    package var x: Float
    package var y: Float
    /// The subject's radius: the geometric mean of its half-width in picture widths and its half-height in picture heights; 0 when
    /// there is no subject.
    package var radius: Float
    /// How far the camera has turned, in picture widths to the right and picture heights downwards, from the middle of the shot.
    package var dx: Float
    package var dy: Float
    /// Natural logarithm of the magnification; it rises while the camera zooms in.
    package var logZoom: Float

    private enum CodingKeys: String, CodingKey {
        case x, y, radius, dx, dy
        case logZoom = "log_zoom"
    }
}
