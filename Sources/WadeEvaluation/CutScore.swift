//! How well found cuts are the labelled ones.

/// Found and labelled cuts of some videos, matched one to one.
package struct CutScore: Sendable, Equatable {
    /// Labelled cuts that were found.
    package private(set) var hits = 0
    /// Labelled cuts that were not, in seconds.
    package private(set) var missed: [Double] = []
    /// Found cuts that are none, in seconds.
    package private(set) var wrong: [Double] = []

    /// Nothing found and nothing labelled.
    package init() {}

    /// Matches cuts that lie at most `tolerance` seconds apart, each once, in the order of time.
    package init(found: [Double], labelled: [Double], tolerance: Double) {
        var rest = found.sorted()[...]
        for label in labelled.sorted() {
            while let next = rest.first, next < label - tolerance {
                wrong.append(next)
                rest.removeFirst()
            }
            if let next = rest.first, next <= label + tolerance {
                hits += 1
                rest.removeFirst()
            } else {
                missed.append(label)
            }
        }
        wrong += rest
    }

    /// Adds the score of another video.
    package mutating func add(_ other: CutScore) {
        hits += other.hits
        missed += other.missed
        wrong += other.wrong
    }

    /// The share of found cuts that are labelled; 1 when none was found.
    package var precision: Double {
        hits + wrong.count == 0 ? 1 : Double(hits) / Double(hits + wrong.count)
    }

    /// The share of labelled cuts that were found; 1 when none is labelled.
    package var recall: Double {
        hits + missed.count == 0 ? 1 : Double(hits) / Double(hits + missed.count)
    }

    /// The harmonic mean of both; 0 when both are.
    package var f1: Double {
        precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall)
    }
}
