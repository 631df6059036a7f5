//! What is known about a file's video stream, and where each figure comes from.

/// Facts for the record; sizes are of the first frame as displayed.
package struct VideoMetadata: Sendable, Equatable {
    /// Displayed pixels: rotation and sample aspect ratio applied.
    package let width: Int
    package let height: Int
    /// Clockwise turn that was applied, in degrees: 0, 90, 180 or 270.
    package let rotationDegrees: Int
    /// Whether the picture was mirrored left to right before the turn.
    package let isMirrored: Bool
    /// FFmpeg's names.
    package let codec: String
    package let pixelFormat: String
    /// Transfer function, such as `bt709`, `smpte2084` (PQ), `arib-std-b67` (HLG); `unknown` when not tagged.
    package let transfer: String
    /// Whether the pictures are tone-mapped.
    package let isHighDynamicRange: Bool
    /// Frames per second by the headers; information only; 0 when unknown.
    package let averageRate: Double
    /// Whether the gaps between frames differ: index over rate is no time then.
    package let hasVariableRate: Bool
    /// FFmpeg's name of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    package let container: String
    /// Seconds by the container's header; -1 when it has none.
    package let containerDuration: Double
    /// Seconds from the first frame to the end of the last, measured from the packets' own times.
    package let duration: Double
    /// Frames, counted from packets or said by the header; -1 when unknown.
    package let frameCount: Int
    /// Presentation time of the first displayed frame by the container's clock, in seconds; all other times count from it.
    package let startTime: Double
    /// The chosen stream's index in the container, and how many video streams there are (covers included).
    package let streamIndex: Int
    package let videoStreamCount: Int
    /// Whether the file ends before its headers say so.
    package let isTruncated: Bool
    /// A single picture without time.
    package let isStill: Bool
}
