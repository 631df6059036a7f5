//! An answer is generated, judged, and generated again in another way while it degenerates.
import WadeFlamingo

/// Generation under an `AnswerGuard`. What it does depends on the clip and the pipeline alone.
struct GuardedGeneration {
    /// The tests, and how many attempts there are.
    let guardian: AnswerGuard
    /// The answer that a record would have for these ids.
    let text: ([Int]) throws -> String
    /// Generates once; the function that it is given sees the ids after each token and may end the answer.
    let generate: (DecodingOptions, ([Int]) -> Bool) throws -> Generated

    /// Tokens between two looks at the compression ratio.
    private static let stride = 16

    /// What came of it.
    struct Outcome: Equatable {
        /// The answer; cut before it repeats itself if it does.
        var generated: Generated
        /// Attempts that were made.
        var attempts: Int
        /// Whether no attempt passed, so that this is the best of bad ones.
        var isDegenerate: Bool
    }

    /// Why an attempt is not good enough, the worst last.
    private enum Fault: Int {
        case none, improbable, repetitive
    }

    private struct Attempt {
        var generated: Generated
        var fault: Fault

        /// Attempts that had to be cut are worse than those that are merely improbable; among equals what is kept of them decides.
        func isBetter(than other: Attempt) -> Bool {
            if fault != other.fault { return fault.rawValue < other.fault.rawValue }
            return generated.meanLogProbability > other.generated.meanLogProbability
        }
    }

    /// The first attempt on the ladder below `options` that passes; else the best one, of equals the first. `seed` is the clip's.
    func callAsFunction(_ options: DecodingOptions, seed: UInt64) throws -> Outcome {
        var options = options
        options.repetition = guardian.repetition
        let ladder = RetryLadder(options, seed: seed)
        var best = try attempt(ladder.options(ofAttempt: 1))
        var attempts = 1
        while best.fault != .none, attempts < guardian.attempts {
            attempts += 1
            let next = try attempt(ladder.options(ofAttempt: attempts))
            if next.isBetter(than: best) { best = next }
        }
        return Outcome(
            generated: best.generated, attempts: attempts, isDegenerate: best.fault != .none)
    }

    private func attempt(_ options: DecodingOptions) throws -> Attempt {
        let generated = try generate(options) { ids in
            guard ids.count.isMultiple(of: Self.stride), let text = try? text(ids) else {
                return true
            }
            return !compressesTooWell(text)
        }
        return try judged(generated)
    }

    private func judged(_ generated: Generated) throws -> Attempt {
        let whole = try text(generated.ids)
        var kept = generated
        if let loop = generated.loop {
            kept = generated.cut(to: loop.keptCount)
            // A loop that begins behind the answer, such as one question after the other, takes nothing from it.
            guard !whole.isEmpty, try text(kept.ids) == whole else {
                return Attempt(generated: kept, fault: .repetitive)
            }
        }
        if compressesTooWell(whole) {
            let count = try generated.ids.indices.first { index in
                try compressesTooWell(text(Array(generated.ids[...index])))
            }
            return Attempt(generated: kept.cut(to: count ?? kept.ids.count), fault: .repetitive)
        }
        if let least = guardian.meanLogProbability, kept.meanLogProbability < least {
            return Attempt(generated: kept, fault: .improbable)
        }
        return Attempt(generated: kept, fault: .none)
    }

    private func compressesTooWell(_ text: String) -> Bool {
        guard let most = guardian.compressionRatio else { return false }
        return CompressionRatio.ofEnd(of: text) > most
    }
}

extension Generated {
    /// Mean log-probability of the tokens; -1 without any.
    var meanLogProbability: Double {
        guard !logProbabilities.isEmpty else { return -1 }
        return logProbabilities.reduce(0.0) { $0 + Double($1) } / Double(logProbabilities.count)
    }
}
