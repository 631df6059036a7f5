//! Walks through a stream's frames in the order of presentation, and passes over what nobody asked for.
internal import CFFmpeg

/// A demuxer and a decoder that stand at one place of the stream.
///
/// Note [Passing over]: frames between here and the wanted time need not be decoded when a key picture lies between
/// the two. The packets up to the wanted time are read into a queue; if a key picture at or before it is among them,
/// everything in front of it is dropped and the decoder begins anew there; if not, the queue is decoded as it is. The
/// bytes are read either way, so over long distances a seek is tried first. Either way the frame on show at the wanted
/// time is the same, since pictures after a key picture in presentation never refer to what lies before it; where a
/// stream does not keep to that, the first frame comes out too late, which the reader sees and then decodes on from the start.
///
/// Of the pictures that are left in front of the wanted one, those to which no other refers need no decoding either, where the codec
/// tells them (H.264): half of all pictures of a usual film. Which picture is wanted is known from the queue: the last one that is
/// shown at or before the wanted time. Should it not come out, the player starts again and decodes everything.
struct FrameCursor: ~Copyable {
    let facts: StreamFacts
    /// Bytes of memory that decoding takes at most, by estimate.
    let memory: Int
    private let demuxer: Demuxer
    private let decoder: Decoder
    private let limits: VideoLimits
    private let fileSize: Int
    private let packet: Packet
    private var queue: PacketQueue
    /// Decoding time of the last packet read, in ticks.
    private var reached: Int64?
    private var demuxerIsDone = false
    private var decoderIsDone = false
    /// Frames of an interrupted group before this time are not shown.
    private var notBefore: Int64?
    private var mayPass = true
    private var maySeek = true
    /// Pictures shown before this time are decoded only for the sake of others.
    private var wanted: Int64?
    /// The latest time of a packet that may have been passed over.
    private(set) var passedOver: Int64?
    private var lastTicks: Int64?
    private var lastDuration: Int64 = 0
    private var failuresAtEnd = 0
    /// Packets and frames that could not be read or decoded, and frames decoded with errors.
    private(set) var failures = 0
    /// Whether the container broke off or a packet was cut short.
    private(set) var isTruncated = false
    /// Whether packets carry encrypted payload.
    private(set) var isEncrypted: Bool
    private(set) var packetsSeen = 0

    /// Opens `file` anew and stands before its first frame.
    init(file: borrowing InputFile, limits: VideoLimits) throws(VideoError) {
        let demuxer = try Demuxer(file: file, limits: limits)
        demuxer.discardOtherStreams()
        let facts = try StreamFacts(demuxer)
        try Decoder.checkSize(demuxer, limits)
        let memory = DecoderMemory.estimate(demuxer)
        guard memory <= limits.maximumMemory else {
            throw VideoError(
                .tooLarge, "decoding takes \(memory) bytes, granted are \(limits.maximumMemory)",
                neededMemory: memory)
        }
        let decoder = try Decoder(demuxer: demuxer, limits: limits)
        packet = try Packet()
        queue = PacketQueue()
        self.facts = facts
        self.memory = memory
        self.decoder = decoder
        isEncrypted = facts.isEncrypted
        fileSize = file.size
        self.limits = limits
        self.demuxer = demuxer
    }

    var containerName: String { demuxer.containerName }

    /// Gives the next stretch of work its time.
    func restartClock() { demuxer.allow(seconds: limits.timeout) }

    /// From now on every frame is decoded.
    mutating func decodeEverything() { mayPass = false }

    /// From now on nothing is sought, packets are read one after the other.
    mutating func readEverything() { maySeek = false }

    /// Decodes the next frame into `frame`; its ticks, or nil at the end.
    mutating func next(into frame: borrowing Frame) throws(VideoError) -> Int64? {
        while !decoderIsDone {
            try demuxer.checkTime()
            switch try decoder.receive(into: frame) {
            case .done:
                let ticks = frame.ticks ?? following(frame)
                if let notBefore, ticks < notBefore { continue }
                if frame.isDamaged { failures += 1 }
                lastTicks = ticks
                lastDuration = frame.duration
                return ticks
            case .again: try feed()
            case .end: decoderIsDone = true
            case .damaged:
                failures += 1
                if demuxerIsDone, queue.count == 0 { failuresAtEnd += 1 }
                // After the last packet, a decoder that only fails is done.
                if failuresAtEnd > 64 { decoderIsDone = true }
            }
        }
        return nil
    }

    /// A frame without any time follows the one before it.
    private func following(_ frame: borrowing Frame) -> Int64 {
        guard let lastTicks else { return 0 }
        let step = max(lastDuration, facts.clock.ticks(facts.nominalFrameDuration) ?? 1, 1)
        return lastTicks.addingReportingOverflow(step).partialValue
    }

    /// Gives the decoder one packet, or the news that none follows.
    private mutating func feed() throws(VideoError) {
        while true {
            if !queue.removeFirst(into: packet) {
                guard try readPacket() else {
                    if try decoder.drain() != .done { decoderIsDone = true }
                    return
                }
            }
            if packet.isEncrypted { isEncrypted = true }
            let isLeftOut = mayLeaveOut(packet.presentation, isKey: packet.isKey)
            decoder.passOverUnreferenced(isLeftOut)
            let step = try decoder.send(packet)
            packet.clear()
            switch step {
            case .done, .again: return
            case .end:
                decoderIsDone = true
                return
            case .damaged: failures += 1
            }
        }
    }

    /// Reads the stream's next packet into `packet`; false at the end.
    private mutating func readPacket() throws(VideoError) -> Bool {
        guard !demuxerIsDone else { return false }
        var damagedInARow = 0
        while true {
            switch try demuxer.read(into: packet) {
            case .packet:
                guard packet.streamIndex == demuxer.streamIndex else { continue }
                packetsSeen += 1
                reached = packet.decoding ?? packet.presentation ?? reached
                return true
            case .end:
                demuxerIsDone = true
                return false
            case .damaged:
                isTruncated = true
                damagedInARow += 1
                // Each try moves the demuxer on; a thousand without a packet means that nothing is left.
                if damagedInARow > 1000 {
                    demuxerIsDone = true
                    return false
                }
            }
        }
    }
}

// MARK: - Passing over frames

extension FrameCursor {
    /// What `pass` came to.
    enum Passing {
        /// The next frame is the one after the last.
        case continued
        /// Frames were left out; the next frame is a key picture at or before the wanted time.
        case passed
        /// A seek went astray; only a new cursor knows where it stands.
        case lost
    }

    /// Moves towards the frame on show at `ticks` without decoding what lies between, if it can; see Note [Passing over].
    mutating func pass(towards ticks: Int64) throws(VideoError) -> Passing {
        guard mayPass, facts.hasTrueKeyPictures, queue.count == 0, !demuxerIsDone,
            packetsSeen > 0, reached.map({ $0 < ticks }) ?? false
        else { return .continued }
        wanted = nil
        // The time of the key picture at the queue's head, once something in front of it was left out.
        var start: Int64?
        switch try seek(towards: ticks) {
        case .stayed: break
        case .landed(let key): start = key
        case .lost: return .lost
        }
        // A group of pictures longer than this is decoded rather than kept.
        while queue.count < 4096, queue.bytes < 64 << 20 {
            guard try readPacket() else { break }
            guard let shown = packet.presentation else {
                mayPass = false
                wanted = nil
                try queue.append(packet)
                break
            }
            if shown <= ticks, !packet.isHidden, !packet.isCorrupt {
                wanted = max(wanted ?? shown, shown)
            }
            let isKey = packet.isKey && !packet.isHidden && !packet.isCorrupt
            let isBeyond = (packet.decoding ?? shown) > ticks || (packet.isKey && shown > ticks)
            if isKey, shown <= ticks, start != nil || queue.count > 0 {
                start = shown
                queue.removeAll()
            }
            try queue.append(packet)
            if isBeyond { break }
        }
        guard let start else { return .continued }
        decoder.flush()
        notBefore = start
        return .passed
    }

    /// Whether a packet shown at `shown` need not be decoded if no other refers to it.
    private mutating func mayLeaveOut(_ shown: Int64?, isKey: Bool) -> Bool {
        guard decoder.canPassOver, let wanted, let shown, shown < wanted, !isKey else {
            return false
        }
        passedOver = max(passedOver ?? shown, shown)
        return true
    }

    private enum Seeking {
        case stayed
        /// The queue holds the packet of the key picture shown at these ticks.
        case landed(Int64)
        case lost
    }

    /// Seeks when the bytes between here and `ticks` are many.
    private mutating func seek(towards ticks: Int64) throws(VideoError) -> Seeking {
        guard maySeek, let here = reached, let duration = facts.duration, duration > 0 else {
            return .stayed
        }
        let ahead = facts.clock.seconds(ticks) - facts.clock.seconds(here)
        guard ahead > 1, ahead / duration * Double(fileSize) > Double(limits.seekDistance) else {
            return .stayed
        }
        if let key = demuxer.indexedKey(before: ticks), key <= here { return .stayed }
        var outcome = Seeking.stayed
        // Where a container seeks by decoding time or lands late, a little earlier does it.
        for earlier in [0, 2, 10] as [Double] {
            let (target, overflow) = ticks.subtractingReportingOverflow(
                facts.clock.ticks(earlier) ?? 0)
            guard !overflow, target > here, demuxer.seek(to: target) else { break }
            outcome = .lost
            demuxerIsDone = false
            if let key = try keyPicture(before: ticks) {
                // Key pictures lie so far apart that seeking only leads back.
                if key <= here { maySeek = false }
                try queue.append(packet)
                return .landed(key)
            }
        }
        maySeek = false
        return outcome
    }

    /// Reads up to the first key picture; its ticks, or nil when that is beyond `ticks`.
    private mutating func keyPicture(before ticks: Int64) throws(VideoError) -> Int64? {
        while try readPacket() {
            guard let shown = packet.presentation, (packet.decoding ?? shown) <= ticks else {
                return nil
            }
            if packet.isKey, !packet.isCorrupt { return shown <= ticks ? shown : nil }
        }
        return nil
    }
}
