//! Which moments of a clip are looked at: arithmetic on seconds, apart from decoding.

/// How frames are chosen from a span of time.
///
/// The rules are total: every span gives at least one time, ascending for `uniform` and `rate`. Which frame belongs to a time
/// is the reader's rule (the frame on show); times past the end therefore show the last frame, and a clip with
/// fewer frames than times repeats frames, which `VideoFlag.shortClip` tells.
package enum FrameSampling: Sendable, Equatable {
    /// `count` times, each in the middle of one of `count` equal parts of the span.
    case uniform(count: Int)
    /// `perSecond` times a second from the span's start on, all before its end; where that would be more than `limit`,
    /// `uniform(count: limit)` instead, so that a long clip is seen to its end.
    case rate(perSecond: Double, limit: Int)
    /// These times, in seconds from the span's start, as they stand.
    case times([Double])

    /// The most frames one clip may ask for; its pictures are in memory at once.
    package static let mostFrames = 4096

    /// Whether the numbers make sense: counts from 1 to `mostFrames`, rates positive, times finite.
    package var isValid: Bool {
        switch self {
        case .uniform(let count): (1...FrameSampling.mostFrames).contains(count)
        case .rate(let perSecond, let limit):
            perSecond > 0 && perSecond.isFinite
                && (1...FrameSampling.mostFrames).contains(limit)
        case .times(let times):
            (1...FrameSampling.mostFrames).contains(times.count) && times.allSatisfy(\.isFinite)
        }
    }

    /// The record's `frames.strategy`, such as `uniform:8`, `fps:1`, `times:3`.
    package var strategy: String {
        switch self {
        case .uniform(let count): "uniform:\(count)"
        case .rate(let perSecond, _):
            perSecond == perSecond.rounded() && abs(perSecond) < 1e9
                ? "fps:\(Int(perSecond))" : "fps:\(perSecond)"
        case .times(let times): "times:\(times.count)"
        }
    }

    /// The times to look at in `span`, seconds from the first frame. `self` must be valid; a span without length gives its start.
    package func times(in span: ClipSpan) -> [Double] {
        precondition(isValid, "FrameSampling: \(self)")
        let length = max(0, span.end - span.start)
        switch self {
        case .uniform(let count):
            return (0..<count).map { span.start + length * Double(2 * $0 + 1) / Double(2 * count) }
        case .rate(let perSecond, let limit):
            // The number of k with k / rate < length; compared before it becomes an integer, since files name lengths.
            let wanted = (length * perSecond).rounded(.up)
            guard wanted <= Double(limit) else {
                return FrameSampling.uniform(count: limit).times(in: span)
            }
            return (0..<max(1, Int(wanted))).map { span.start + Double($0) / perSecond }
        case .times(let times):
            return times.map { span.start + $0 }
        }
    }
}
