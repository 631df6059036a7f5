//! Frames that hardly differ from one that was encoded take its features, where a pipeline allows it.
import WadeImage
import WadeTensor

/// Which frames of a clip are encoded, and whose features every frame takes.
struct NearIdenticalFrames: Sendable, Equatable {
    /// The frames that are encoded, ascending.
    private(set) var encoded: [Int] = []
    /// For every frame the place of its features among those.
    private(set) var sources: [Int] = []

    /// Compares `images`, all of one size, in their order. A frame is encoded when its mean absolute difference from the frame encoded
    /// before it, over all channels of 0...255, is more than `limit`; so nothing drifts away unseen by small steps.
    init(_ images: [RGBImage], within limit: Double) {
        for (frame, image) in images.enumerated() {
            if let last = encoded.last,
                Self.difference(images[last].pixels, image.pixels) <= limit
            {
                sources.append(encoded.count - 1)
                continue
            }
            encoded.append(frame)
            sources.append(encoded.count - 1)
        }
    }

    /// Whether a frame takes another one's features.
    var reusesAny: Bool { encoded.count < sources.count }

    /// Features (F, V, D) from pixels (F, 3, S, S); `encode` sees the frames that are encoded alone.
    func features(of pixels: Tensor, by encode: (Tensor) throws -> Tensor) rethrows -> Tensor {
        guard reusesAny else { return try encode(pixels) }
        let features = try encode(Tensor.concatenated(encoded.map { pixels[$0..<$0 + 1] }))
        return Tensor.concatenated(sources.map { features[$0..<$0 + 1] })
    }

    private static func difference(_ one: [UInt8], _ other: [UInt8]) -> Double {
        guard one.count == other.count, !one.isEmpty else { return .infinity }
        var sum = 0
        for place in one.indices {
            sum += abs(Int(one[place]) - Int(other[place]))
        }
        return Double(sum) / Double(one.count)
    }
}
