//! Beam search as the OpenFlamingo and Otter evaluations ran it (transformers 4.33, early stopping off).

internal import WadeTensor

#if canImport(Glibc)
    internal import Glibc
#endif

/// Several hypotheses side by side; those that end are kept apart until none of the rest can beat them.
struct BeamSearch {
    private let model: Flamingo
    private let options: DecodingOptions
    private let constraints: TokenConstraints
    private let beamCount: Int
    private let lengthPenalty: Double
    private var finished: [Finished] = []

    private struct Beam {
        var ids: [Int]
        var logProbabilities: [Float]
        /// Sum of log-probabilities.
        var sum: Double
        var sequence: TextSequence
        var logits: [Float]
        /// Where it stands in the answer's grammar.
        var place = TokenGrammar.start
    }

    private struct Finished {
        let score: Double
        let generated: Generated
    }

    init(
        model: Flamingo, options: DecodingOptions, grammar: TokenGrammar?, beams: Int,
        lengthPenalty: Double
    ) {
        self.model = model
        self.options = options
        constraints = TokenConstraints(options: options, grammar: grammar)
        self.beamCount = beams
        self.lengthPenalty = lengthPenalty
    }

    /// Goes on from `text`, whose last logits are given, and returns the best hypothesis.
    mutating func run(
        _ text: [Int], _ sequence: TextSequence, _ logits: [Float]
    ) throws -> Generated {
        var beams = [
            Beam(ids: [], logProbabilities: [], sum: 0, sequence: sequence, logits: logits)
        ]
        for step in 0..<options.maximumTokens {
            let candidates = candidates(
                of: beams, text: text, remaining: options.maximumTokens - step)
            guard let best = candidates.first else { break }
            var next: [Beam] = []
            for (rank, candidate) in candidates.enumerated() {
                let parent = beams[candidate.beam]
                if options.endTokens.contains(candidate.token) {
                    // An end among the worse half of the candidates is no hypothesis.
                    guard rank < beamCount else { continue }
                    var ended = parent
                    ended.ids.append(candidate.token)
                    ended.logProbabilities.append(candidate.logProbability)
                    // The end token is part of the sum but not of the length.
                    add(ended, sum: candidate.sum, length: text.count + step, finish: .endToken)
                } else {
                    var beam = parent
                    beam.ids.append(candidate.token)
                    beam.logProbabilities.append(candidate.logProbability)
                    beam.sum = candidate.sum
                    beam.place = try constraints.advance(beam.place, by: candidate.token)
                    next.append(beam)
                }
                if next.count == beamCount { break }
            }
            beams = next
            if isDone(best: best.sum, length: text.count + step + 1) || beams.isEmpty { break }
            if let looping = leadingLoop(of: beams, length: text.count + step + 1) {
                return looping
            }
            guard step + 1 < options.maximumTokens else { break }
            for index in beams.indices { try advance(&beams[index]) }
        }
        if !isOver {
            for beam in beams {
                add(beam, sum: beam.sum, length: text.count + beam.ids.count, finish: .length)
            }
        }
        // The last of equals wins, as a stable sort whose last element is taken.
        var best: Finished?
        for candidate in finished where candidate.score >= best?.score ?? -.infinity {
            best = candidate
        }
        var generated =
            best?.generated ?? Generated(ids: [], logProbabilities: [], finish: .length)
        if let loop = options.repetition?.firstLoop(in: generated.ids) {
            generated.finish = .repetition
            generated.loop = loop
        }
        return generated
    }

    /// The best open hypothesis if it goes round in circles and no finished one beats it: nothing better is to be expected then, as
    /// every further copy of a loop is more probable than the one before. Loops of lesser hypotheses do no harm until they win.
    private func leadingLoop(of beams: [Beam], length: Int) -> Generated? {
        // What has a form is not cut short.
        guard constraints.grammar == nil, let best = beams.first,
            let loop = options.repetition?.loop(atEndOf: best.ids)
        else {
            return nil
        }
        let score = best.sum / pow(Double(length), lengthPenalty)
        guard finished.allSatisfy({ $0.score < score }) else { return nil }
        return Generated(
            ids: best.ids, logProbabilities: best.logProbabilities, finish: .repetition,
            score: score, loop: loop)
    }

    /// Set once the search ended because no open beam could win.
    private var isOver = false

    private mutating func advance(_ beam: inout Beam) throws {
        guard let last = beam.ids.last else { return }
        let hidden = try model([last], sequence: &beam.sequence)
        beam.logits = model.language.logits(hidden).values
    }

    private struct Candidate {
        let beam: Int
        let token: Int
        let logProbability: Float
        let sum: Double
    }

    /// The best continuations of all beams, twice as many as beams (one more per further end token), best first.
    private func candidates(of beams: [Beam], text: [Int], remaining: Int) -> [Candidate] {
        var sums: [Double] = []
        var logProbabilities: [[Float]] = []
        for beam in beams {
            let row = logSoftmax(beam.logits)
            var scores = row
            constraints.restrict(
                &scores, after: text + beam.ids, answerStart: text.count, place: beam.place,
                remaining: remaining)
            sums += scores.map { Double($0 + Float(beam.sum)) }
            logProbabilities.append(row)
        }
        let vocabulary = model.language.vocabularySize
        let count = max(2, 1 + options.endTokens.count) * beamCount
        return largest(count, of: sums).filter { $0.value > -.infinity }.map { value, place in
            let (beam, token) = (place / vocabulary, place % vocabulary)
            return Candidate(
                beam: beam, token: token, logProbability: logProbabilities[beam][token],
                sum: value)
        }
    }

    private mutating func add(
        _ beam: Beam, sum: Double, length: Int, finish: Generated.Finish
    ) {
        let score = sum / pow(Double(length), lengthPenalty)
        let worst = finished.map(\.score).min() ?? .infinity
        guard finished.count < beamCount || score > worst else { return }
        let generated = Generated(
            ids: beam.ids, logProbabilities: beam.logProbabilities, finish: finish, score: score)
        finished.append(Finished(score: score, generated: generated))
        if finished.count > beamCount,
            let place = finished.firstIndex(where: { candidate in
                candidate.score == finished.map(\.score).min()
            })
        {
            finished.remove(at: place)
        }
    }

    private mutating func isDone(best: Double, length: Int) -> Bool {
        guard finished.count >= beamCount, let worst = finished.map(\.score).min() else {
            return false
        }
        isOver = worst >= best / pow(Double(length), lengthPenalty)
        return isOver
    }
}
