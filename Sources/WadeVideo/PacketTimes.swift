//! How long a stream really is, from its packets' times; nothing is decoded.

/// The times found in a file's packets.
struct PacketTimes {
    /// Ticks at which the last frame ends; nil when packets carry no times.
    private(set) var end: Int64?
    /// Shown packets of the video stream; nil when only the file's last seconds were read.
    private(set) var count: Int?
    /// Whether gaps between frames differ; nil when only the file's last seconds were read.
    private(set) var hasVariableRate: Bool?
    /// Whether the file breaks off: unreadable packets, or less than the container's header says.
    private(set) var isTruncated = false

    /// Reads the packets of `file`: all of them up to `limits.fullScanSize`, else those of the last seconds.
    init(file: borrowing InputFile, limits: VideoLimits) throws(VideoError) {
        let demuxer = try Demuxer(file: file, limits: limits)
        let facts = try StreamFacts(demuxer)
        let packet = try Packet()
        if file.size > limits.fullScanSize, let duration = facts.duration, duration > 60,
            let tail = facts.clock.ticks(duration - 10), demuxer.seek(to: tail)
        {
            try read(demuxer, facts, packet, isWhole: false)
            if end != nil { return }
            self = try PacketTimes(reading: file, limits)
        } else {
            try read(demuxer, facts, packet, isWhole: true)
        }
    }

    private init(reading file: borrowing InputFile, _ limits: VideoLimits) throws(VideoError) {
        let demuxer = try Demuxer(file: file, limits: limits)
        try read(demuxer, try StreamFacts(demuxer), try Packet(), isWhole: true)
    }

    private mutating func read(
        _ demuxer: borrowing Demuxer, _ facts: StreamFacts, _ packet: borrowing Packet,
        isWhole: Bool
    ) throws(VideoError) {
        var times: [Int64] = []
        var seen = 0, damaged = 0
        // The last packet's last bytes: a JPEG's decoder fills what is missing with grey and says nothing.
        var tail: [UInt8]?
        var isCut = false
        var last: (ticks: Int64, duration: Int64)?
        var containerEnd = -Double.infinity
        FFmpegLibrary.forgetLines()
        reading: while true {
            switch try demuxer.read(into: packet) {
            case .end: break reading
            case .damaged:
                isTruncated = true
                damaged += 1
                if damaged > 1000 { break reading }
            case .packet:
                damaged = 0
                containerEnd = max(containerEnd, demuxer.endSeconds(packet))
                guard packet.streamIndex == demuxer.streamIndex, !packet.isHidden else { continue }
                seen += 1
                isCut = packet.isCorrupt
                if demuxer.containerName == "jpeg_pipe" {
                    tail = Array(packet.payload.suffix(4096))
                }
                guard let ticks = packet.presentation ?? packet.decoding else { continue }
                // Two million frames are 18 hours at 30 per second; later gaps tell nothing new.
                if times.count < 2_000_000 { times.append(ticks) }
                if last.map({ $0.ticks <= ticks }) ?? true { last = (ticks, packet.duration) }
            }
        }
        // Matroska's demuxer alone knows how long its segment should have been; it only logs it (matroskadec.c).
        if FFmpegLibrary.lastLine().contains("ended prematurely") { isTruncated = true }
        if let tail, !tail.contains([0xFF, 0xD9]) { isTruncated = true }
        finish(times, last, facts)
        // A transport stream ends anywhere; elsewhere a last packet that is too short means a broken-off file.
        if isCut, demuxer.containerName != "mpegts" { isTruncated = true }
        if isWhole { count = seen } else { hasVariableRate = nil }
        if let declared = facts.containerDuration {
            // Matroska counts from zero, others from the first packet.
            let measured = max(containerEnd, containerEnd - facts.containerStart)
            if declared - measured > max(0.5, declared / 20) { isTruncated = true }
        }
    }

    /// Draws the conclusions: the end of the last frame and whether the gaps are even.
    private mutating func finish(
        _ times: [Int64], _ last: (ticks: Int64, duration: Int64)?, _ facts: StreamFacts
    ) {
        guard let last else { return }
        let sorted = times.sorted()
        let gaps = zip(sorted, sorted.dropFirst()).map {
            $1.subtractingReportingOverflow($0).partialValue
        }
        let ordered = gaps.sorted()
        let middle = ordered.isEmpty ? 0 : ordered[ordered.count / 2]
        let nominal = facts.clock.ticks(facts.nominalFrameDuration) ?? 0
        let duration = last.duration > 0 ? last.duration : (middle > 0 ? middle : nominal)
        let (sum, overflow) = last.ticks.addingReportingOverflow(duration)
        end = overflow ? last.ticks : sum
        // Clocks of whole milliseconds make 33, 33, 34 out of 30 frames a second.
        let tolerance = max(2 * facts.clock.seconds(1), facts.clock.seconds(middle) / 5)
        hasVariableRate = ordered.contains {
            abs(facts.clock.seconds($0) - facts.clock.seconds(middle)) > tolerance
        }
    }
}
