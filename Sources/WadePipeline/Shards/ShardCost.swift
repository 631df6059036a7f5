//! What a file is expected to cost, from its size alone: a million files cannot be opened to learn how long they are.
import WadeVideo

/// Seconds that files take, as far as sizes tell. Only the proportions matter to the balance of parts.
package struct ShardCost: Sendable, Equatable {
    /// Seconds of one clip with all its tasks.
    package var secondsPerClip: Double
    /// Bytes that are expected to be one clip; nil when every file is one.
    package var bytesPerClip: Double?
    /// Seconds that each byte takes for itself.
    package var secondsPerByte: Double

    /// Videos on the web have some 2 Mbit/s; only its proportion to a clip's length counts.
    private static let bytesPerSecond = 250_000.0
    /// A shot of a film is some seconds long.
    private static let secondsPerShot = 4.0
    /// Every byte is read once for its hash, at 0.7 GB/s, measured.
    private static let hashing = 1 / 0.7e9
    /// Looking for cuts decodes everything: some 20 s of video a second.
    private static let decoding = 1 / (20 * bytesPerSecond)

    /// The cost of files under `pipeline` when an answer takes so many seconds; 1 where nobody has measured it.
    package init(_ pipeline: Pipeline, secondsPerAnswer: Double?) {
        secondsPerClip = (secondsPerAnswer ?? 1) * Double(max(pipeline.tasks.count, 1))
        secondsPerByte = Self.hashing
        switch pipeline.segmentation {
        case .whole: bytesPerClip = nil
        case .windows(_, let stride): bytesPerClip = max(1, stride * Self.bytesPerSecond)
        case .scenes(let least):
            bytesPerClip = max(least, Self.secondsPerShot) * Self.bytesPerSecond
            secondsPerByte += Self.decoding
        }
    }

    /// A cost by figures that somebody has measured.
    package init(secondsPerClip: Double, bytesPerClip: Double?, secondsPerByte: Double) {
        self.secondsPerClip = secondsPerClip
        self.bytesPerClip = bytesPerClip
        self.secondsPerByte = secondsPerByte
    }

    /// Seconds of a file with so many bytes.
    package func seconds(bytes: Int) -> Double {
        let bytes = Double(max(bytes, 0))
        let clips = bytesPerClip.map { max(1, bytes / $0) } ?? 1
        return clips * secondsPerClip + bytes * secondsPerByte
    }
}
