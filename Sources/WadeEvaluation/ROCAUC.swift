//! How well a score tells two kinds apart.

/// The area under the receiver operating characteristic.
package enum ROCAUC {
    /// The probability that a positive has a greater score than a negative, half for equal ones (Mann and Whitney), as scikit-learn's
    /// `roc_auc_score`; nil when one of the kinds is missing.
    package static func area(_ scores: [(score: Double, isPositive: Bool)]) -> Double? {
        let sorted = scores.sorted { $0.score < $1.score }
        let positives = sorted.count { $0.isPositive }
        let negatives = sorted.count - positives
        guard positives > 0, negatives > 0 else { return nil }
        var sum = 0.0
        var start = 0
        while start < sorted.count {
            var end = start
            while end < sorted.count, sorted[end].score == sorted[start].score { end += 1 }
            // Ranks count from 1; equal scores share the mean of theirs.
            let rank = Double(start + 1 + end) / 2
            sum += rank * Double(sorted[start..<end].count { $0.isPositive })
            start = end
        }
        let (p, n) = (Double(positives), Double(negatives))
        return (sum - p * (p + 1) / 2) / (p * n)
    }
}
