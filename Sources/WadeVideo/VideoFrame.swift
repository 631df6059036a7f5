//! What sampling hands over: pictures with the times at which they are shown.
package import WadeImage

/// One upright picture and its own place in time.
package struct VideoFrame: Sendable, Equatable {
    /// The picture at displayed size: rotation, mirroring and sample aspect ratio are applied.
    package let image: RGBImage
    /// Presentation time in seconds from the stream's first displayed frame.
    package let time: Double
    /// Seconds the frame is shown; 0 when the file does not say.
    package let duration: Double
}

/// The frames on show at the times asked for.
package struct SampledFrames: Sendable, Equatable {
    /// One frame for every time asked for, in the same order; the last frame stands for times past the end.
    package let frames: [VideoFrame]
    /// The times asked for, in seconds.
    package let times: [Double]
    /// How fetching them went.
    private let outcome: SamplingOutcome
    /// How many of `frames` are different frames.
    package var distinctCount: Int { outcome.distinctCount }
    /// Packets and pictures that were damaged while these frames were fetched, concealed ones included.
    package var failed: Int { outcome.failed }
    /// What the record has to say about the frames.
    package var flags: [VideoFlag] { outcome.flags }

    init(frames: [VideoFrame], times: [Double], _ outcome: SamplingOutcome) {
        self.frames = frames
        self.times = times
        self.outcome = outcome
    }
}

/// What is known once the frames of some times have been fetched.
struct SamplingOutcome: Sendable, Equatable {
    /// How many different frames there were.
    let distinctCount: Int
    /// Packets and pictures that were damaged.
    let failed: Int
    /// What the record has to say.
    let flags: [VideoFlag]
}

/// The part of the record's `flags` list that decoding can set; raw values are the record's spelling.
package enum VideoFlag: String, Sendable, CaseIterable, Comparable {
    /// Some pictures could not be decoded, or only in part.
    case framesMissing = "frames_missing"
    /// The file ends before its headers say so.
    case truncatedFile = "truncated_file"
    /// PQ or HLG was brought into the range of BT.709.
    case toneMapped = "tone_mapped"
    /// The clip has fewer frames than were asked for; some stand there more than once.
    case shortClip = "short_clip"

    package static func < (left: VideoFlag, right: VideoFlag) -> Bool {
        left.rawValue < right.rawValue
    }
}
