//! The abstract player: shows the frame of any moment, going forward where it can and starting anew where it must.

/// Holds the frame on show and the one after it.
struct FramePlayer: ~Copyable {
    private(set) var cursor: FrameCursor
    /// The frame on show, and its ticks.
    private(set) var shown: Frame
    private(set) var shownTicks: Int64
    /// Changes whenever another frame is on show.
    private(set) var serial = 0
    /// Ticks of the first displayed frame.
    let firstTicks: Int64
    private let limits: VideoLimits
    private var ahead: Frame
    private var aheadTicks: Int64?
    private var isAtEnd = false
    /// Frames were passed over, so `shown` is not the one before the next.
    private var isStale = false
    private var mayPass = true
    private var maySeek = true

    /// Opens `file` and shows its first frame; throws when there is none.
    init(file: borrowing InputFile, limits: VideoLimits) throws(VideoError) {
        var cursor = try FrameCursor(file: file, limits: limits)
        if cursor.isEncrypted { throw FramePlayer.noPicture(cursor) }
        let first = try Frame(), second = try Frame()
        let ticks = try cursor.next(into: first)
        guard let ticks, !cursor.isEncrypted else { throw FramePlayer.noPicture(cursor) }
        self.cursor = cursor
        self.limits = limits
        shown = first
        shownTicks = ticks
        firstTicks = ticks
        ahead = second
    }

    /// Seconds from the first frame to `ticks`.
    func seconds(_ ticks: Int64) -> Double {
        cursor.facts.clock.seconds(ticks.subtractingReportingOverflow(firstTicks).partialValue)
    }

    /// Gives the next stretch of work its time.
    func restartClock() { cursor.restartClock() }

    /// Puts the frame on show that a player shows `time` seconds after the first frame.
    mutating func show(_ time: Double, of file: borrowing InputFile) throws(VideoError) {
        let wanted = lastTicks(at: time)
        if shownTicks > wanted, shownTicks > firstTicks { try restart(file) }
        while true {
            if aheadTicks.map({ $0 > wanted }) ?? isAtEnd {
                // What was passed over is never shown, unless the picture after it failed.
                guard let passed = cursor.passedOver, passed > shownTicks, mayPass else { return }
                mayPass = false
                try restart(file)
                continue
            }
            if let next = aheadTicks {
                takeAhead(next)
                continue
            }
            switch try cursor.pass(towards: wanted) {
            case .continued: break
            case .passed: isStale = true
            case .lost:
                maySeek = false
                try restart(file)
                continue
            }
            let ticks = try cursor.next(into: ahead)
            if isStale, ticks.map({ $0 > wanted }) ?? true {
                // The key picture was none: decode all that lies before.
                mayPass = false
                try restart(file)
                continue
            }
            aheadTicks = ticks
            isAtEnd = ticks == nil
        }
    }

    /// Shows the frame after the one on show; false at the end.
    mutating func showNext() throws(VideoError) -> Bool {
        if aheadTicks == nil, !isAtEnd {
            aheadTicks = try cursor.next(into: ahead)
            isAtEnd = aheadTicks == nil
        }
        guard let next = aheadTicks else { return false }
        takeAhead(next)
        return true
    }

    /// Shows the first frame again.
    mutating func restart(_ file: borrowing InputFile) throws(VideoError) {
        cursor = try FrameCursor(file: file, limits: limits)
        if !mayPass { cursor.decodeEverything() }
        if !maySeek { cursor.readEverything() }
        guard let ticks = try cursor.next(into: shown) else {
            throw FramePlayer.noPicture(cursor)
        }
        shownTicks = ticks
        serial += 1
        aheadTicks = nil
        isAtEnd = false
        isStale = false
    }

    private mutating func takeAhead(_ ticks: Int64) {
        swap(&shown, &ahead)
        shownTicks = ticks
        aheadTicks = nil
        isStale = false
        serial += 1
    }

    /// The last tick that counts as at or before `time`. A microsecond of slack is less than any clock's tick and more than
    /// the rounding of times that were computed from frames' own times.
    private func lastTicks(at time: Double) -> Int64 {
        guard !time.isNaN, let ticks = cursor.facts.clock.ticks(time + 1e-6) else {
            return time > 0 ? .max : firstTicks
        }
        let (sum, overflow) = firstTicks.addingReportingOverflow(ticks)
        return overflow ? (ticks > 0 ? .max : .min) : sum
    }

    /// Why a stream gave no frame at all.
    private static func noPicture(_ cursor: borrowing FrameCursor) -> VideoError {
        if cursor.isEncrypted { return VideoError(.encrypted, "the pictures are encrypted") }
        guard cursor.packetsSeen > 0 else {
            return VideoError(.noFrames, "the video stream holds no packets")
        }
        let found = "none of \(cursor.packetsSeen) packets gave a picture"
        return cursor.failures > 0 ? decodeFailure(found) : VideoError(.noFrames, found)
    }
}
