//! A clip made by the renderer: its frames and what is true of them.
package import WadeImage

/// Frames, in the order of time, with their truth.
package struct RenderedClip: Sendable {
    /// F pictures.
    package let frames: [RGBImage]
    /// What is true of them.
    package let truth: ClipTruth
    /// F points, one per frame.
    package let path: [PathPoint]
}
