//! Compressed pictures on their way from the demuxer to the decoder.
internal import CFFmpeg

/// Owns one `AVPacket`, which the demuxer fills again and again.
@safe struct Packet: ~Copyable {
    let pointer: UnsafeMutablePointer<AVPacket>

    init() throws(VideoError) {
        guard let made = unsafe av_packet_alloc() else {
            throw VideoError(.tooLarge, "no memory for a packet")
        }
        unsafe pointer = unsafe made
    }

    deinit {
        var freed: UnsafeMutablePointer<AVPacket>? = unsafe pointer
        unsafe av_packet_free(&freed)
    }

    var streamIndex: Int { unsafe Int(pointer.pointee.stream_index) }
    var size: Int { unsafe Int(pointer.pointee.size) }
    /// Presentation time in ticks, nil when the container has none.
    var presentation: Int64? { unsafe timestamp(pointer.pointee.pts) }
    /// Decoding time in ticks, nil when the container has none.
    var decoding: Int64? { unsafe timestamp(pointer.pointee.dts) }
    /// Ticks the picture is shown; 0 when unknown.
    var duration: Int64 { unsafe max(0, pointer.pointee.duration) }
    var isKey: Bool { unsafe pointer.pointee.flags & AV_PKT_FLAG_KEY != 0 }
    var isCorrupt: Bool { unsafe pointer.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 }
    /// Decoded for the sake of others but never shown (edit lists).
    var isHidden: Bool { unsafe pointer.pointee.flags & AV_PKT_FLAG_DISCARD != 0 }
    /// Whether the payload is encrypted.
    var isEncrypted: Bool {
        var size = 0
        return unsafe av_packet_get_side_data(pointer, AV_PKT_DATA_ENCRYPTION_INFO, &size) != nil
    }

    /// A copy of the payload.
    var payload: [UInt8] {
        guard let data = unsafe pointer.pointee.data else { return [] }
        return unsafe Array(UnsafeBufferPointer(start: data, count: size))
    }

    /// Lets the payload go.
    func clear() { unsafe av_packet_unref(pointer) }
}

/// A timestamp field's value, nil for FFmpeg's "no timestamp".
func timestamp(_ ticks: Int64) -> Int64? { ticks == ffmpeg_no_timestamp ? nil : ticks }

/// Owns packets read ahead of the decoder, first in, first out.
@safe struct PacketQueue: ~Copyable {
    private var packets: [UnsafeMutablePointer<AVPacket>]
    private var first = 0
    /// Payload bytes held.
    private(set) var bytes = 0

    init() { unsafe packets = [] }

    deinit {
        for index in first..<end { unsafe PacketQueue.free(packets[index]) }
    }

    private var end: Int { unsafe packets.count }

    /// Packets held.
    var count: Int { end - first }

    /// Takes over the payload of `packet`, which is empty afterwards.
    mutating func append(_ packet: borrowing Packet) throws(VideoError) {
        guard let kept = unsafe av_packet_alloc() else {
            throw VideoError(.tooLarge, "no memory for a packet")
        }
        bytes += packet.size
        unsafe av_packet_move_ref(kept, packet.pointer)
        unsafe packets.append(kept)
    }

    /// Gives the oldest packet's payload to `packet`; false when there is none.
    mutating func removeFirst(into packet: borrowing Packet) -> Bool {
        guard first < end else { return false }
        let kept = unsafe packets[first]
        first += 1
        unsafe av_packet_unref(packet.pointer)
        unsafe av_packet_move_ref(packet.pointer, kept)
        bytes -= packet.size
        unsafe PacketQueue.free(kept)
        if first == end {
            unsafe packets.removeAll(keepingCapacity: true)
            first = 0
        }
        return true
    }

    /// Drops everything held.
    mutating func removeAll() {
        for index in first..<end { unsafe PacketQueue.free(packets[index]) }
        unsafe packets.removeAll(keepingCapacity: true)
        first = 0
        bytes = 0
    }

    private static func free(_ packet: UnsafeMutablePointer<AVPacket>) {
        var freed: UnsafeMutablePointer<AVPacket>? = unsafe packet
        unsafe av_packet_free(&freed)
    }
}
