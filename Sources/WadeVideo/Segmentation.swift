//! How a file is cut into clips.

/// A part of a file: `start` to `end` in seconds from the first displayed frame, `end` excluded.
package struct ClipSpan: Sendable, Equatable {
    /// Seconds from the first displayed frame.
    package let start: Double
    /// Seconds; the first moment that is no longer in the span.
    package let end: Double
    /// What drew the borders; the record's `clip.boundary`.
    package let boundary: Boundary

    /// What drew a span's borders; raw values are the record's spelling.
    package enum Boundary: String, Sendable, CaseIterable {
        case whole, stride, scene, manual
    }

    /// The span from `start` to `end` seconds.
    package init(start: Double, end: Double, boundary: Boundary) {
        self.start = start
        self.end = end
        self.boundary = boundary
    }
}

/// The ways to cut a file into clips.
package enum Segmentation: Sendable, Equatable {
    /// The whole file as one clip.
    case whole
    /// Clips of `length` seconds, a new one every `stride` seconds; the last one ends with the file, and a clip that would lie
    /// wholly inside the one before it is not made.
    case windows(length: Double, stride: Double)
    /// One clip for every shot; shots shorter than `minimumLength` seconds join the one before them.
    case scenes(minimumLength: Double)

    /// Whether the numbers make sense: lengths positive and finite.
    package var isValid: Bool {
        switch self {
        case .whole: true
        case .windows(let length, let stride):
            length > 0 && stride > 0 && length.isFinite && stride.isFinite
        case .scenes(let minimum): minimum >= 0 && minimum.isFinite
        }
    }

    /// More spans than this are not made of one file: a header can name any duration.
    package static let mostSpans = 100_000

    /// The spans of a file of `duration` seconds whose shots begin at `cuts` (ascending; used by `scenes` alone).
    /// `self` must be valid; there is at least one span.
    package func spans(duration: Double, cuts: [Double] = []) -> [ClipSpan] {
        precondition(isValid, "Segmentation: \(self)")
        switch self {
        case .whole:
            return [ClipSpan(start: 0, end: duration, boundary: .whole)]
        case .windows(let length, let stride):
            var spans: [ClipSpan] = []
            var start = 0.0
            repeat {
                let end = min(start + length, duration)
                spans.append(ClipSpan(start: start, end: end, boundary: .stride))
                if end >= duration { break }
                start = Double(spans.count) * stride
            } while start < duration && spans.count < Segmentation.mostSpans
            return spans
        case .scenes(let minimum):
            var borders = [0.0]
            for cut in cuts.prefix(Segmentation.mostSpans)
            where cut - borders[borders.count - 1] >= max(minimum, 1e-6) && cut < duration {
                borders.append(cut)
            }
            if borders.count > 1, duration - borders[borders.count - 1] < minimum {
                borders.removeLast()
            }
            let ends = borders.dropFirst() + [duration]
            return zip(borders, ends).map { ClipSpan(start: $0, end: $1, boundary: .scene) }
        }
    }
}
