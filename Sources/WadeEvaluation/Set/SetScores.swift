//! The scores of predictions against what is right.
internal import Foundation
import WadePipeline

/// What a model said about an item.
package struct Prediction: Sendable, Equatable {
    /// Its words; empty where it gave no answer.
    package var text = ""
    /// The choices and how likely each is, in nats; empty where there are none.
    package var choices: [String] = []
    package var likelihoods: [Double] = []
    /// Whether there is an answer.
    package var isAnswer = false

    /// No answer.
    package init() {}

    /// An answer in words.
    package init(text: String) {
        self.text = text
        isAnswer = true
    }

    /// The most likely one of `choices`, of equals the first; nothing unless there is a likelihood for each.
    package init(choices: [String], likelihoods: [Double]) {
        guard !choices.isEmpty, choices.count == likelihoods.count else { return }
        self.choices = choices
        self.likelihoods = likelihoods
        var best = 0
        for (place, value) in likelihoods.enumerated() where value > likelihoods[best] {
            best = place
        }
        text = choices[best]
        isAnswer = true
    }
}

/// How a score is computed.
package enum Metric: String, Sendable, CaseIterable, Codable {
    case ciderD = "cider_d"
    case bleu4 = "bleu_4"
    case vqaAccuracy = "vqa_accuracy"
    case exactMatch = "exact_match"
    case top1 = "top_1"
    case rocAUC = "roc_auc"

    /// Its name in tables.
    package var name: String {
        switch self {
        case .ciderD: "CIDEr-D"
        case .bleu4: "BLEU-4"
        case .vqaAccuracy: "VQA accuracy"
        case .exactMatch: "exact match"
        case .top1: "top-1"
        case .rocAUC: "ROC-AUC"
        }
    }
}

/// The scores of a set of predictions, which can be drawn anew.
package struct SetScores: Sendable {
    /// Whether the items' answers are so many that the accuracy of the VQA challenge can reach 1.
    package static let fewestAnswers = 4

    private let scores: [(metric: Metric, score: @Sendable ([Int]) -> Double?)]

    /// The metrics that there are, in the order of a table.
    package var metrics: [Metric] { scores.map(\.metric) }

    /// The score of the items numbered `drawn`; nil where there is none, as the area under a curve of one kind alone.
    package func score(_ metric: Metric, of drawn: [Int]) -> Double? {
        scores.first { $0.metric == metric }.flatMap { $0.score(drawn) }
    }

    /// Scores `predictions`, one for each of `truths`, which are all of one kind.
    package init(_ predictions: [Prediction], _ truths: [Truth]) {
        precondition(predictions.count == truths.count, "one prediction for every item")
        switch truths.first {
        case .captions: scores = Self.captions(predictions, truths)
        case .answers: scores = Self.answers(predictions, truths)
        case .label: scores = Self.labels(predictions, truths)
        case nil: scores = []
        }
    }

    private static func mean(_ values: [Double]) -> @Sendable ([Int]) -> Double? {
        { drawn in drawn.isEmpty ? nil : drawn.reduce(0) { $0 + values[$1] } / Double(drawn.count) }
    }

    // MARK: - Captions

    /// Words are cut as the COCO evaluation cuts them, all references as one text and all captions as another, in the items' order.
    private static func captions(_ predictions: [Prediction], _ truths: [Truth]) -> [(
        Metric, @Sendable ([Int]) -> Double?
    )] {
        let references = truths.map { truth -> [String] in
            if case .captions(let texts) = truth { texts } else { [] }
        }
        // A line end within a text would part it in two.
        func line(_ text: String) -> String {
            text.map { $0.isNewline ? " " : String($0) }.joined()
        }
        var words = PTBTokenizer.words(of: references.flatMap { $0 }.map(line))[...]
        let candidates = PTBTokenizer.words(of: predictions.map { line($0.text) })
        let scored = zip(candidates, references).map { candidate, references in
            let own = Array(words.prefix(references.count))
            words = words.dropFirst(references.count)
            return ScoredCaption(candidate: candidate, references: own)
        }
        let counted = CaptionScores(scored)
        let bleu = counted.bleuCounts()
        return [
            (.ciderD, mean(counted.cider())),
            (
                .bleu4,
                { drawn in
                    guard !drawn.isEmpty else { return nil }
                    var sum = CaptionScores.BLEUCounts()
                    for item in drawn { sum.add(bleu[item]) }
                    return sum.scores[3]
                }
            ),
        ]
    }

    // MARK: - Answers

    private static func answers(_ predictions: [Prediction], _ truths: [Truth]) -> [(
        Metric, @Sendable ([Int]) -> Double?
    )] {
        let answers = truths.map { truth -> [String] in
            if case .answers(let texts) = truth { texts } else { [] }
        }
        let exact = zip(predictions, answers).map { prediction, answers in
            prediction.isAnswer
                && answers.contains { plain($0) == plain(prediction.text) } ? 1.0 : 0
        }
        var scores: [(Metric, @Sendable ([Int]) -> Double?)] = [(.exactMatch, mean(exact))]
        if answers.allSatisfy({ $0.count >= fewestAnswers }) {
            let accuracies = zip(predictions, answers).map { prediction, answers in
                prediction.isAnswer
                    ? VQAAccuracy.accuracy(of: prediction.text, against: answers) : 0
            }
            scores.insert((.vqaAccuracy, mean(accuracies)), at: 0)
        }
        return scores
    }

    /// The words of an answer, whatever their case, the space between them and a full stop at the end.
    private static func plain(_ text: String) -> String {
        var words = text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
        while words.hasSuffix(".") { words.removeLast() }
        return words
    }

    // MARK: - Labels

    private static func labels(_ predictions: [Prediction], _ truths: [Truth]) -> [(
        Metric, @Sendable ([Int]) -> Double?
    )] {
        let labels = truths.map { truth -> String in
            if case .label(let label, _) = truth { label } else { "" }
        }
        let right = zip(predictions, labels).map { $0.isAnswer && $0.text == $1 ? 1.0 : 0 }
        var scores: [(Metric, @Sendable ([Int]) -> Double?)] = [(.top1, mean(right))]
        let choices = predictions.first { $0.isAnswer }?.choices ?? []
        // Choices of each item's own are no kinds that a curve could tell apart.
        guard !choices.isEmpty, predictions.allSatisfy({ !$0.isAnswer || $0.choices == choices })
        else { return scores }
        let shares = predictions.map { softmax($0.likelihoods) }
        scores.append(
            (
                .rocAUC,
                { drawn in
                    let some = drawn.filter { predictions[$0].isAnswer }
                    let areas = choices.indices.compactMap { choice in
                        ROCAUC.area(
                            some.map { (shares[$0][choice], labels[$0] == choices[choice]) })
                    }
                    return areas.isEmpty ? nil : areas.reduce(0, +) / Double(areas.count)
                }
            ))
        return scores
    }

    /// The share of each choice.
    private static func softmax(_ likelihoods: [Double]) -> [Double] {
        let largest = likelihoods.max() ?? 0
        let weights = likelihoods.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
