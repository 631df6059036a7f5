//! Opens one video or still picture and gives the frames that are on show at the times asked for.
internal import WadeImage

/// A file whose first frame has been decoded: what `init` lets through can give frames.
///
/// Time is that of an abstract player: a frame is shown from its own presentation time until the next frame's; the first
/// frame also before, the last one also after. Times count in seconds from the first displayed frame. Interlaced pictures
/// come as they are stored, both fields woven. One thread decodes: the caller's.
///
/// Only decoder processes make one (`DecoderServer`): nothing outside this target can.
struct VideoReader: ~Copyable {
    /// What is known about the stream.
    let metadata: VideoMetadata
    /// Bytes of memory that decoding takes at most, by estimate.
    var memory: Int { player.cursor.memory }
    private let file: InputFile
    private let limits: VideoLimits
    private var player: FramePlayer
    private var converter: PixelConverter
    private var reportedFailures = 0

    /// Opens the file at `path`, bytes as the kernel knows them; throws when it cannot give a single frame.
    init(path: [UInt8], limits: VideoLimits = VideoLimits()) throws(VideoError) {
        try self.init(file: InputFile(path: path), limits: limits)
    }

    /// Reads `file`; throws when it cannot give a single frame.
    init(file: consuming InputFile, limits: VideoLimits) throws(VideoError) {
        let player = try FramePlayer(file: file, limits: limits)
        let times = try PacketTimes(file: file, limits: limits)
        metadata = VideoMetadata(player, times, limits)
        converter = PixelConverter(
            codecName: player.cursor.facts.codecName, maximumPixels: limits.maximumPixels)
        self.player = player
        self.file = file
        self.limits = limits
    }

    /// The frames on show at `times` (seconds from the first frame, in any order), decoding no more than is needed.
    mutating func frames(at times: [Double]) throws(VideoError) -> SampledFrames {
        var found: [Int: VideoFrame] = [:]
        var last: VideoFrame?
        let outcome = try forEachFrame(at: times) { index, frame in
            last = frame ?? last
            found[index] = last
        }
        return SampledFrames(
            frames: times.indices.compactMap { found[$0] }, times: times, outcome)
    }

    /// Gives the frames on show at `times` one by one, in the order of time: `body` gets the time's number and its frame, nil when
    /// that is the frame before; with `preprocessing`, as its `picture` makes it. One picture is in memory at once.
    mutating func forEachFrame(
        at times: [Double], preprocessing: Preprocessing? = nil,
        _ body: (Int, VideoFrame?) throws(VideoError) -> Void
    ) throws(VideoError) -> SamplingOutcome {
        player.restartClock()
        var shown: Int?
        var distinct = 0
        for index in times.indices.sorted(by: { times[$0] < times[$1] }) {
            try player.show(times[index], of: file)
            if shown == player.serial {
                try body(index, nil)
                continue
            }
            shown = player.serial
            distinct += 1
            try body(index, picture(preparedBy: preprocessing))
        }
        try file.checkUnchanged()
        return outcome(of: times.count, distinct)
    }

    /// Every frame in order, as small pictures with their times, for the cut detector; one decoding pass.
    mutating func thumbnails(
        width: Int, height: Int, _ body: (RGBImage, Double) throws(VideoError) -> Void
    ) throws(VideoError) {
        try player.restart(file)
        repeat {
            // A whole film may take long; each frame may not.
            player.restartClock()
            let small = try converter.thumbnail(player.shown, width: width, height: height)
            try body(small, player.seconds(player.shownTicks))
        } while try player.showNext()
        try file.checkUnchanged()
    }

    /// Gives every frame in order to `body`.
    mutating func everyFrame(_ body: (VideoFrame) throws -> Void) throws {
        player.restartClock()
        try player.restart(file)
        repeat { try body(picture()) } while try player.showNext()
        try file.checkUnchanged()
    }

    /// The frame on show as a value.
    private mutating func picture() throws(VideoError) -> VideoFrame {
        try requireRoom()
        let stored = try converter.picture(player.shown)
        let facts = player.cursor.facts
        let size = facts.shape(of: player.shown, limits)
        // An axis that keeps its size is not filtered, so square samples stay as they are.
        let upright = facts.orientation(of: player.shown).applied(
            to: stored.resized(width: size.width, height: size.height, filter: .bicubic))
        return shown(upright)
    }

    /// The frame on show as `preprocessing` makes it, as it is without one. Of an upright frame with square samples only what that needs
    /// is converted.
    private mutating func picture(preparedBy preprocessing: Preprocessing?) throws(VideoError)
        -> VideoFrame
    {
        guard let preprocessing else { return try picture() }
        let (width, height) = (player.shown.width, player.shown.height)
        let facts = player.cursor.facts
        if width > 0, height > 0, facts.shape(of: player.shown, limits) == (width, height),
            facts.orientation(of: player.shown) == .upright
        {
            try requireRoom()
            let (columns, rows) = preprocessing.sourceWindow(width: width, height: height)
            if let part = try converter.part(player.shown, columns: columns, rows: rows) {
                return shown(preprocessing.picture(part))
            }
        }
        return shown(preprocessing.picture(try picture().image))
    }

    /// Throws when there is no memory for the frame on show as a picture.
    private func requireRoom() throws(VideoError) {
        let (width, height) = (player.shown.width, player.shown.height)
        guard DecoderMemory.hasRoom(forPictureOf: width, height) else {
            throw VideoError(.tooLarge, "no memory for a picture of \(width)x\(height)")
        }
    }

    /// `image` with the times of the frame on show.
    private func shown(_ image: RGBImage) -> VideoFrame {
        VideoFrame(
            image: image, time: player.seconds(player.shownTicks),
            duration: player.cursor.facts.clock.seconds(player.shown.duration))
    }

    private mutating func outcome(of count: Int, _ distinct: Int) -> SamplingOutcome {
        // After a new start the count begins anew.
        let failures = player.cursor.failures
        let failed = failures >= reportedFailures ? failures - reportedFailures : failures
        reportedFailures = failures
        var flags: [VideoFlag] = []
        if failed > 0 { flags.append(.framesMissing) }
        if distinct < count { flags.append(.shortClip) }
        if metadata.isHighDynamicRange { flags.append(.toneMapped) }
        if metadata.isTruncated || player.cursor.isTruncated { flags.append(.truncatedFile) }
        return SamplingOutcome(distinctCount: distinct, failed: failed, flags: flags.sorted())
    }
}

extension StreamFacts {
    /// The stored picture's size once its samples are square.
    func shape(of frame: borrowing Frame, _ limits: VideoLimits) -> (width: Int, height: Int) {
        guard let ratio = sampleAspectRatio ?? frame.sampleAspectRatio else {
            return (frame.width, frame.height)
        }
        return ratio.displayedSize(
            width: frame.width, height: frame.height, maximumPixels: limits.maximumPixels)
    }

    /// Which way up: the picture's own word (Exif, SEI) before the container's.
    func orientation(of frame: borrowing Frame) -> Orientation { frame.orientation ?? orientation }
}

extension VideoMetadata {
    /// The facts after the first frame was decoded and the packets' times were read.
    init(_ player: borrowing FramePlayer, _ times: PacketTimes, _ limits: VideoLimits) {
        let facts = player.cursor.facts
        let size = facts.shape(of: player.shown, limits)
        let turn = facts.orientation(of: player.shown)
        width = turn.isSideways ? size.height : size.width
        height = turn.isSideways ? size.width : size.height
        rotationDegrees = turn.rotation
        isMirrored = turn.mirrored
        codec = facts.codecName
        pixelFormat = player.shown.formatName
        transfer = player.shown.transferName
        isHighDynamicRange = HighDynamicRange(player.shown) != nil
        averageRate = facts.averageRate
        container = player.cursor.containerName
        isStill = Containers.isStill(container)
        containerDuration = isStill ? -1 : facts.containerDuration ?? -1
        frameCount = times.count ?? facts.frameCount ?? -1
        hasVariableRate = times.hasVariableRate ?? false
        let counted = Double(times.count ?? 0) * facts.nominalFrameDuration
        let measured = times.end.map { player.seconds($0) } ?? counted
        duration = isStill ? 0 : max(0, measured)
        startTime = facts.clock.seconds(player.firstTicks)
        streamIndex = facts.streamIndex
        videoStreamCount = facts.videoStreamCount
        isTruncated = times.isTruncated || player.cursor.isTruncated
    }
}
