//! Scores of several conditions as figures: means over seeds, intervals over items, and differences of policies.

/// The scores of all conditions of a set.
struct SetFigures {
    /// The scores behind as many demonstrations chosen in the same way, of the seeds that there are.
    private struct Group {
        let shots: Int
        let policy: DemonstrationPolicy
        var results: [ConditionResult] = []
        var scores: [SetScores] = []

        var metrics: [Metric] { scores.first?.metrics ?? [] }

        /// The mean over seeds of the items numbered `drawn`; nil when one of the seeds has no score.
        func mean(_ metric: Metric, of drawn: [Int]) -> Double? {
            let values = scores.compactMap { $0.score(metric, of: drawn) }
            return values.count == scores.count && !values.isEmpty
                ? values.reduce(0, +) / Double(values.count) : nil
        }
    }

    private var groups: [Group] = []
    private let items: Int
    private let bootstrap: Bootstrap

    /// The figures of `results`, each with its scores over as many `items`.
    init(_ results: [ConditionResult], _ scores: [SetScores], items: Int, bootstrap: Bootstrap) {
        precondition(results.count == scores.count, "scores for every condition")
        self.items = items
        self.bootstrap = bootstrap
        for (result, scores) in zip(results, scores) {
            let known = groups.firstIndex {
                $0.shots == result.shots && $0.policy == result.policy
            }
            let place = known ?? groups.count
            if known == nil { groups.append(Group(shots: result.shots, policy: result.policy)) }
            groups[place].results.append(result)
            groups[place].scores.append(scores)
        }
    }

    /// A score and its 95 % interval over items; nil when there is no score.
    private func interval(_ score: ([Int]) -> Double?) -> (mean: Double, low: Double, high: Double)?
    {
        guard let mean = score(Array(0..<items)) else { return nil }
        let interval = bootstrap.interval(count: items, score: score)
        return (mean, interval?.lowerBound ?? mean, interval?.upperBound ?? mean)
    }

    /// Every metric of every group. The items that are drawn are the same for all seeds.
    var figures: [ScoreFigure] {
        groups.flatMap { group in
            group.metrics.compactMap { metric in
                interval { group.mean(metric, of: $0) }.map { score in
                    ScoreFigure(
                        metric: metric, shots: group.shots, policy: group.policy,
                        mean: score.mean, low: score.low, high: score.high,
                        seeds: group.results.compactMap { $0.scores[metric.rawValue] })
                }
            }
        }
    }

    /// By how much retrieved demonstrations beat fixed ones. Both scores of a drawing are of the same items, so that what makes an item
    /// easy or hard for both does not widen the interval (the paired bootstrap; P. Koehn, EMNLP 2004).
    var differences: [ScoreDifference] {
        groups.filter { $0.policy == .rices }.flatMap { retrieved -> [ScoreDifference] in
            guard
                let fixed = groups.first(where: {
                    $0.policy == .fixed && $0.shots == retrieved.shots
                })
            else { return [] }
            return retrieved.metrics.compactMap { metric in
                let difference = interval { drawn in
                    guard let one = retrieved.mean(metric, of: drawn),
                        let other = fixed.mean(metric, of: drawn)
                    else { return nil }
                    return one - other
                }
                return difference.map {
                    ScoreDifference(
                        metric: metric, shots: retrieved.shots, mean: $0.mean, low: $0.low,
                        high: $0.high)
                }
            }
        }
    }
}
