//! A file that is open in a decoder process: `VideoReader`'s answers, from the other side of a wall.
package import WadeImage

/// What can be asked of an open file; good for as long as `DecoderPool.read` runs.
package struct OpenVideo {
    /// What is known about the stream.
    package let metadata: VideoMetadata
    private let child: DecoderChild
    private let limits: VideoLimits
    private var deadline: UInt64
    /// Whether something of the file could not be read or decoded so far.
    private(set) var hasLosses: Bool

    init(
        _ child: DecoderChild, _ metadata: VideoMetadata, _ limits: VideoLimits, deadline: UInt64
    ) {
        self.child = child
        self.metadata = metadata
        self.limits = limits
        self.deadline = deadline
        hasLosses = metadata.isTruncated
    }

    /// Gives the next stretch of work the whole time that one file has.
    package mutating func restartClock() { deadline = Self.deadline(limits) }

    /// The moment at which one file's time is over, with some for the decoder to say so itself.
    static func deadline(_ limits: VideoLimits) -> UInt64 {
        guard limits.timeout > 0 else { return .max }
        return DecoderChild.deadline(seconds: limits.timeout + 0.3)
    }

    /// The file cut into clips; only `scenes` decodes anything for it. Every frame may then take as long as a file; all of them
    /// together twenty times that.
    package func spans(_ segmentation: Segmentation) throws(VideoError) -> [ClipSpan] {
        guard case .scenes = segmentation else {
            return segmentation.spans(duration: metadata.duration)
        }
        let last =
            limits.timeout > 0
            ? DecoderChild.deadline(seconds: limits.timeout * DecoderServer.patience) : .max
        try child.send(.cuts, deadline: Self.deadline(limits))
        while true {
            guard InputState.now() < last else { throw child.overTime() }
            switch try child.receive(deadline: min(last, Self.deadline(limits))) {
            case .progress: continue
            case .cuts(let cuts):
                return segmentation.spans(duration: metadata.duration, cuts: cuts)
            default: throw child.unexpected("something else than cuts")
            }
        }
    }

    /// The frames on show at `times` (seconds from the first frame, in any order); with `preprocessing`, each as its `picture`
    /// makes it, so that a full-size picture never leaves the decoder.
    package mutating func frames(at times: [Double], preprocessing: Preprocessing?)
        throws(VideoError)
        -> SampledFrames
    {
        try child.send(.frames(times, preprocessing), deadline: deadline)
        let side = preprocessing?.imageSize
        let longest =
            side.map { $0 * $0 * 3 + 4096 }
            ?? min(
                limits.maximumPixels * 3 + 4096, DecoderMessage.longestPayload)
        var found = [VideoFrame?](repeating: nil, count: times.count)
        var last: VideoFrame?
        while true {
            let index: Int
            switch try child.receive(atMost: max(longest, 1 << 16), deadline: deadline) {
            case .picture(let number, let frame):
                guard side.map({ frame.image.width == $0 && frame.image.height == $0 }) ?? true
                else { throw child.unexpected("a picture of another size") }
                last = frame
                index = number
            case .again(let number): index = number
            case .sampled(let distinct, let failed, let flags):
                let frames = found.compactMap { $0 }
                guard frames.count == times.count else {
                    throw child.unexpected("\(frames.count) of \(times.count) frames")
                }
                if failed > 0 || flags.contains(.truncatedFile) { hasLosses = true }
                return SampledFrames(
                    frames: frames, times: times,
                    SamplingOutcome(distinctCount: distinct, failed: failed, flags: flags))
            default: throw child.unexpected("something else than frames")
            }
            guard found.indices.contains(index), found[index] == nil, let last else {
                throw child.unexpected("a frame that nobody asked for")
            }
            found[index] = last
        }
    }
}
