//! What share of rendered clips shows what.

/// Shares of clips, each 0...1; every other choice is made evenly or as the renderer's sources say.
package struct ClipMixture: Sendable, Equatable {
    /// Shots whose camera stands still.
    package var staticCamera: Float = 0.35
    /// Clips with at least one cut, and clips that fade.
    package var cut: Float = 0.13
    package var fadeOut: Float = 0.12
    package var fadeIn: Float = 0.12
    /// Black-and-white clips.
    package var monochrome: Float = 0.13
    /// Shots without a subject, and shots with several of the same rank.
    package var withoutSubject: Float = 0.08
    package var crowd: Float = 0.04
    /// Shots of which the camera's movement cannot be told: without features, shaken violently, nearly black.
    package var unreadable: Float = 0.04

    /// The default shares.
    package init() {}
}
