//! What a run asks of a decoder process.
package import WadeImage

/// A request; every one is answered by one or more replies, the last of which says that it is the last.
package enum DecoderRequest: Equatable, Sendable {
    /// Open the file whose descriptor comes with the message, with these limits; closes the one before. The kernel holds the process
    /// to `memory` bytes more than it has at its start; 0 for no limit.
    case open(VideoLimits, memory: Int)
    /// The times at which new shots begin.
    case cuts
    /// The frames on show at these times, each cut and scaled by the preprocessing when there is one.
    case frames([Double], Preprocessing?)
    /// Forget the open file.
    case close

    /// The most times one request may name.
    static let mostTimes = FrameSampling.mostFrames

    /// The message that says it.
    package var message: DecoderMessage {
        var writer = WireWriter()
        switch self {
        case .open(let limits, let memory):
            writer.add(limits.maximumPixels)
            writer.add(limits.maximumAllocation)
            writer.add(limits.timeout)
            writer.add(limits.maximumStreams)
            writer.add(limits.seekDistance)
            writer.add(limits.fullScanSize)
            writer.add(limits.maximumMemory)
            writer.add(memory)
            return DecoderMessage(kind: 1, payload: writer.bytes)
        case .cuts: return DecoderMessage(kind: 2, payload: [])
        case .frames(let times, let preprocessing):
            writer.add(times)
            writer.add(preprocessing != nil)
            if let preprocessing { writer.add(preprocessing) }
            return DecoderMessage(kind: 3, payload: writer.bytes)
        case .close: return DecoderMessage(kind: 4, payload: [])
        }
    }

    /// The request that `message` is.
    package init(_ message: DecoderMessage) throws(WireError) {
        var reader = WireReader(message.payload[...])
        switch message.kind {
        case 1:
            var limits = VideoLimits()
            limits.maximumPixels = try reader.integer(in: 1...(1 << 40))
            limits.maximumAllocation = try reader.integer(in: 1...(1 << 40))
            limits.timeout = try reader.number()
            limits.maximumStreams = try reader.integer(in: 1...100_000)
            limits.seekDistance = try reader.integer(in: 0...Int.max)
            limits.fullScanSize = try reader.integer(in: 0...Int.max)
            limits.maximumMemory = try reader.integer(in: 0...Int.max)
            guard limits.timeout >= 0, limits.timeout < 1e9 else {
                throw WireError("a limit of \(limits.timeout) s")
            }
            self = .open(limits, memory: try reader.integer(in: 0...(1 << 50)))
        case 2: self = .cuts
        case 3:
            let times = try reader.numbers(atMost: Self.mostTimes)
            self = .frames(times, try reader.flag() ? try reader.preprocessing() : nil)
        case 4: self = .close
        default: throw WireError("a request of kind \(message.kind)")
        }
        try reader.end()
    }
}

extension WireWriter {
    /// The part of a preprocessing that makes a picture of a picture; normalising is the model's side.
    mutating func add(_ preprocessing: Preprocessing) {
        add(preprocessing.imageSize)
        add(preprocessing.resizedSize)
        add(preprocessing.fit.rawValue)
        add(preprocessing.filter.rawValue)
        add(preprocessing.passOrder.rawValue)
        // What fills up a picture is part of it.
        if preprocessing.fit == .padded {
            for level in preprocessing.meanLevels { add(Int(level)) }
        }
    }
}

extension WireReader {
    mutating func preprocessing() throws(WireError) -> Preprocessing {
        let (size, resized) = (try integer(), try integer())
        let (fit, filter, order) = (try text(), try text(), try text())
        guard let fit = Preprocessing.Fit(rawValue: fit),
            let filter = ResampleFilter(rawValue: filter),
            let order = ResamplePassOrder(rawValue: order)
        else { throw WireError("no preprocessing") }
        var mean: [Float] = [0, 0, 0]
        if fit == .padded {
            for colour in mean.indices {
                mean[colour] = Float(min(max(try integer(), 0), 255)) / 255
            }
        }
        guard
            let read = try? Preprocessing(
                imageSize: size, resizedSize: resized, fit: fit, filter: filter, passOrder: order,
                mean: mean, standardDeviation: [1, 1, 1])
        else { throw WireError("no preprocessing") }
        return read
    }
}
