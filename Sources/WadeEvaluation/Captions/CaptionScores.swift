//! CIDEr-D and BLEU over a set of captions, number for number as the COCO caption evaluation (pycocoevalcap) computes them.
import Foundation

/// A caption and what people wrote; all tokenised, words separated by spaces.
package struct ScoredCaption: Sendable {
    /// The caption.
    package let candidate: String
    /// The references; at least one.
    package let references: [String]

    /// A caption with its references.
    package init(candidate: String, references: [String]) {
        precondition(!references.isEmpty, "ScoredCaption: no references")
        self.candidate = candidate
        self.references = references
    }
}

/// The n-grams of a set of captions, counted once for all scores.
package struct CaptionScores: Sendable {
    private let candidates: [NGramCounts]
    private let references: [[NGramCounts]]

    /// Counts the n-grams of `captions`.
    package init(_ captions: [ScoredCaption]) {
        var vocabulary = Vocabulary()
        var candidates: [NGramCounts] = []
        var references: [[NGramCounts]] = []
        for caption in captions {
            candidates.append(NGramCounts(vocabulary.words(of: caption.candidate)))
            references.append(
                caption.references.map { NGramCounts(vocabulary.words(of: $0)) })
        }
        self.candidates = candidates
        self.references = references
    }

    // MARK: - CIDEr-D

    /// CIDEr-D of every caption (Vedantam, Zitnick, Parikh, CVPR 2015, with the clipping and length penalty of the D variant): the mean
    /// is the set's score. Document frequencies are those of this set's references; with one caption all weights are 0.
    package func cider() -> [Double] {
        let frequencies = documentFrequencies()
        let logCount = log(Double(candidates.count))
        return zip(candidates, references).map { candidate, references in
            let own = Weighted(candidate, frequencies, logCount)
            var sums = [Double](repeating: 0, count: NGramCounts.longest)
            for reference in references {
                let similarity = own.similarity(to: Weighted(reference, frequencies, logCount))
                for place in sums.indices { sums[place] += similarity[place] }
            }
            let mean = sums.reduce(0, +) / Double(NGramCounts.longest)
            return mean / Double(references.count) * 10
        }
    }

    /// In the references of how many captions each n-gram is.
    private func documentFrequencies() -> [NGram: Int] {
        var frequencies: [NGram: Int] = [:]
        for references in references {
            for ngram in Set(references.flatMap(\.counts.keys)) {
                frequencies[ngram, default: 0] += 1
            }
        }
        return frequencies
    }

    /// A sentence as vectors of tf-idf weights, one per length of n-grams.
    private struct Weighted {
        let weights: [NGram: Double]
        let norms: [Double]
        /// Bigrams: the original takes their number for the sentence's length.
        let length: Int

        init(_ sentence: NGramCounts, _ frequencies: [NGram: Int], _ logCount: Double) {
            var weights: [NGram: Double] = [:]
            var squares = [Double](repeating: 0, count: NGramCounts.longest)
            for (ngram, count) in sentence.counts {
                let rarity = logCount - log(max(1, Double(frequencies[ngram] ?? 0)))
                let weight = Double(count) * rarity
                weights[ngram] = weight
                squares[ngram.count - 1] += weight * weight
            }
            self.weights = weights
            norms = squares.map { $0.squareRoot() }
            length = max(0, sentence.length - 1)
        }

        /// The clipped cosine for each length of n-grams, lessened by how much the sentences differ in length.
        func similarity(to reference: Weighted) -> [Double] {
            var values = [Double](repeating: 0, count: NGramCounts.longest)
            for (ngram, weight) in weights {
                guard let other = reference.weights[ngram] else { continue }
                values[ngram.count - 1] += min(weight, other) * other
            }
            let delta = Double(length - reference.length)
            let sigma = 6.0
            let penalty = exp(-(delta * delta) / (2 * sigma * sigma))
            for place in values.indices {
                let norm = norms[place] * reference.norms[place]
                values[place] = (norm == 0 ? values[place] : values[place] / norm) * penalty
            }
            return values
        }
    }

    // MARK: - BLEU

    /// What BLEU needs of one caption: sums of these over captions give the score of a set, so that resampling needs no recounting.
    package struct BLEUCounts: Sendable, Equatable {
        /// Words of the caption, and of the reference that is closest in length (the shorter of two).
        var length = 0
        var referenceLength = 0
        /// n-grams of the caption, and those that some reference has (as often at most as it has them), for n from 1 to 4.
        var guesses = [Int](repeating: 0, count: NGramCounts.longest)
        var hits = [Int](repeating: 0, count: NGramCounts.longest)

        /// Nothing counted.
        package init() {}

        /// Adds the counts of another caption.
        package mutating func add(_ other: BLEUCounts) {
            length += other.length
            referenceLength += other.referenceLength
            for place in guesses.indices {
                guesses[place] += other.guesses[place]
                hits[place] += other.hits[place]
            }
        }

        /// BLEU-1 to BLEU-4 (Papineni et al., ACL 2002), with the original's tiny numbers against division by zero.
        package var scores: [Double] {
            let (tiny, small) = (1e-15, 1e-9)
            let ratio = (Double(length) + tiny) / (Double(referenceLength) + small)
            let brevity = ratio < 1 ? exp(1 - 1 / ratio) : 1
            var product = 1.0
            return guesses.indices.map { place in
                product *= (Double(hits[place]) + tiny) / (Double(guesses[place]) + small)
                return pow(product, 1 / Double(place + 1)) * brevity
            }
        }
    }

    /// The counts of every caption.
    package func bleuCounts() -> [BLEUCounts] {
        zip(candidates, references).map { candidate, references in
            var counts = BLEUCounts()
            counts.length = candidate.length
            counts.referenceLength =
                references.map(\.length).min { one, other in
                    let distances = (abs(one - candidate.length), abs(other - candidate.length))
                    return (distances.0, one) < (distances.1, other)
                } ?? 0
            for place in counts.guesses.indices {
                counts.guesses[place] = max(0, candidate.length - place)
            }
            for (ngram, count) in candidate.counts {
                let most = references.map { $0.counts[ngram] ?? 0 }.max() ?? 0
                counts.hits[ngram.count - 1] += min(count, most)
            }
            return counts
        }
    }
}
