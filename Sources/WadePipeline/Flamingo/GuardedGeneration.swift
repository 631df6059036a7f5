//! An answer is generated, judged, and generated again in another way while it degenerates.
import WadeFlamingo

/// Generation under an `AnswerGuard`. What it does depends on the clip and the pipeline alone.
struct GuardedGeneration {
    /// The tests, and how many attempts there are.
    let guardian: AnswerGuard
    /// Whether answers are whole however they end, as those that have a form are: then nothing is cut off.
    var keepsWhole = false
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
        /// What is wrong with it where no attempt passed, so that this is the best of bad ones.
        var fault: Fault

        /// Whether no attempt passed.
        var isDegenerate: Bool { fault != .none }
    }

    /// Why an attempt is not good enough, the worst last.
    enum Fault: Int {
        case none, improbable, repetitive
    }

    private struct Attempt {
        var generated: Generated
        var fault = Fault.none
        /// How much a repetitive attempt says before it repeats itself: the bytes of what is kept, compressed.
        var substance = 0

        /// Attempts that had to be cut are worse than those that are merely improbable. Of the improbable the most probable one is
        /// best, of the cut ones that which says most: their probabilities tell nothing, as loops are probable.
        func isBetter(than other: Attempt) -> Bool {
            if fault != other.fault { return fault.rawValue < other.fault.rawValue }
            if fault == .repetitive { return substance > other.substance }
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
            generated: best.generated, attempts: attempts, fault: best.fault)
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
        var attempt = Attempt(generated: generated)
        if keepsWhole {
            let isLoop = generated.finish == .repetition
            if isLoop || compressesTooWell(whole) { attempt.fault = .repetitive }
        } else if let loop = generated.loop {
            attempt.generated = generated.cut(to: loop.keptCount)
            // A loop that begins behind the answer, such as one question after the other, takes nothing from it.
            let isHarmless = try !whole.isEmpty && text(attempt.generated.ids) == whole
            if !isHarmless { attempt.fault = .repetitive }
        }
        if try !keepsWhole && compressesTooWell(text(attempt.generated.ids)) {
            attempt.fault = .repetitive
            let ids = attempt.generated.ids
            let count = try ids.indices.first { try compressesTooWell(text(Array(ids[...$0]))) }
            attempt.generated = generated.cut(to: count ?? ids.count)
        }
        if attempt.fault == .repetitive {
            attempt.substance = CompressionRatio.compressedCount(
                of: try text(attempt.generated.ids).utf8)
        } else if let least = guardian.meanLogProbability,
            attempt.generated.meanLogProbability < least
        {
            attempt.fault = .improbable
        }
        return attempt
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
