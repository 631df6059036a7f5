//! An answer is generated, judged, and generated again in another way while it degenerates.
import WadeFlamingo

/// The attempts at one answer under an `AnswerGuard`, whoever generates them: the first on the ladder below what was asked for that
/// passes; else the best one, of equals the first. What it does depends on the clip and the pipeline alone.
struct GuardedGeneration {
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

    private let guardian: AnswerGuard
    private let keepsWhole: Bool
    private let text: ([Int]) throws -> String
    private let ladder: RetryLadder
    private var best: Attempt?
    /// Attempts that were judged.
    private var count = 0

    /// Tokens between two looks at the compression ratio.
    private static let stride = 16

    /// No attempt yet at an answer with the decoding `options`. `text` is the answer that a record would have for some ids; an answer
    /// that `keepsWhole` is whole however it ends, as those that have a form are: then nothing is cut off. `seed` is the clip's.
    init(
        guardian: AnswerGuard, keepsWhole: Bool, text: @escaping ([Int]) throws -> String,
        options: DecodingOptions, seed: UInt64
    ) {
        self.guardian = guardian
        self.keepsWhole = keepsWhole
        self.text = text
        var options = options
        options.repetition = guardian.repetition
        ladder = RetryLadder(options, seed: seed)
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

    /// How the next attempt is decoded.
    var options: DecodingOptions { ladder.options(ofAttempt: count + 1) }

    /// Whether an attempt that has written `ids` is to go on.
    func goesOn(_ ids: [Int]) -> Bool {
        guard ids.count.isMultiple(of: Self.stride), let text = try? text(ids) else { return true }
        return !compressesTooWell(text)
    }

    /// Judges the attempt that `options` made; nil when another one is to be made.
    mutating func take(_ generated: Generated) throws -> Outcome? {
        let attempt = try judged(generated)
        count += 1
        if best.map({ attempt.isBetter(than: $0) }) ?? true { best = attempt }
        guard let best, best.fault == .none || count >= guardian.attempts else { return nil }
        return Outcome(
            generated: best.generated, attempts: count, fault: best.fault)
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
