//! The frames that an answer was given about, decoded once more.
package import WadeVideo

/// Decodes exactly the frames that records name.
package struct RecordedFrames: Sendable {
    private let videos: RecordedVideos
    private let decoders: DecoderPool

    /// Files are found by `videos` and opened by `decoders`.
    package init(videos: RecordedVideos, decoders: DecoderPool) {
        self.videos = videos
        self.decoders = decoders
    }

    /// What `body` makes of the frames of `video` shown at `times` (seconds, ascending), one after the other; one picture is in
    /// memory at once. Throws when the file is not there any more or does not show a frame of its own at each of these times.
    package func frames<Value>(
        of video: AnnotationRecord.Video, at times: [Double], _ body: (VideoFrame) -> Value
    ) throws(NoPictures) -> [Value] {
        let path = try videos.find(video)
        let shown: [(time: Double, value: Value)]
        do throws(VideoError) {
            shown = try decoders.read(path: path.bytes) { (open) throws(VideoError) in
                var shown: [(time: Double, value: Value)] = []
                for time in times {
                    open.restartClock()
                    guard let frame = try open.frames(at: [time], preprocessing: nil).frames.first
                    else { continue }
                    shown.append((frame.time, body(frame)))
                }
                return shown
            }.value
        } catch {
            throw NoPictures(reason: "\(error.code.rawValue): \(error.message)")
        }
        for (wanted, found) in zip(times, shown) where abs(wanted - found.time) > 2e-6 {
            throw NoPictures(
                reason: "the record names a frame at \(wanted) s, the file shows one of "
                    + "\(found.time) s there")
        }
        return shown.map(\.value)
    }
}
