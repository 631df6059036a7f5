//! A clip that a dialogue is about.
import WadeFlamingo

/// A clip of a dialogue.
package struct ChatClip: Sendable {
    /// The file as it was named.
    package let path: PathBytes
    /// `sha256:` and the hash of its content.
    package let contentID: String
    /// Seconds.
    package let duration: Double
    /// Presentation times of the frames that the model sees.
    package let times: [Double]
    /// What the gated layers keep of it.
    let media: Media
}
