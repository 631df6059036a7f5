//! One figure from 0 to 1 for how sure the model was, whichever of its scores a record has.
import Foundation

extension AnnotationRecord {
    /// Where a confidence comes from.
    package enum ConfidenceKind: String, Sendable {
        /// `score.calibrated_p`.
        case calibrated
        /// The chosen one's share among the choices, by their log-probabilities.
        case amongChoices
        /// The geometric mean of the tokens' probabilities.
        case meanToken
    }

    /// How sure the model was, from 0 to 1; nil without an answer or without scores.
    package var confidence: (value: Double, kind: ConfidenceKind)? {
        guard status != .error, status != .removed else { return nil }
        if score.calibratedProbability >= 0 {
            return (min(1, score.calibratedProbability), .calibrated)
        }
        let shares = choiceProbabilities
        if shares.indices.contains(output.choice) { return (shares[output.choice], .amongChoices) }
        guard output.tokens > 0, score.meanLogProbability <= 0 else { return nil }
        return (exp(score.meanLogProbability), .meanToken)
    }

    /// The share of each choice, in their order, as softmax of `output.choice_logprobs`; empty without choices.
    package var choiceProbabilities: [Double] {
        let logarithms = output.choiceLogProbabilities
        guard logarithms.count == task.choices.count, let most = logarithms.max() else { return [] }
        let weights = logarithms.map { exp($0 - most) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
