//! Continuous batching: many answers in the making, one token each at a time, all of them in one pass through the weights.

internal import WadeTensor

/// An answer that is wanted from a batch.
package struct AnswerRequest {
    /// What whoever asks calls it.
    package var number: Int
    /// Where it begins.
    package var start: AnswerStart
    package var options: DecodingOptions
    /// The answer's form.
    package var grammar: TokenGrammar?
    /// Sees the new ids after each token and may end the answer.
    package var goOn: ([Int]) -> Bool

    package init(
        _ number: Int, from start: AnswerStart, options: DecodingOptions,
        grammar: TokenGrammar? = nil, goOn: @escaping ([Int]) -> Bool = { _ in true }
    ) {
        self.number = number
        self.start = start
        self.options = options
        self.grammar = grammar
        self.goOn = goOn
    }
}

/// Answers requests, several at once. An answer leaves when it is whole, and the next request takes its place; what an answer says,
/// to the last bit of its log-probabilities, is what `Generator` says to it alone. Beam search keeps its own sequences and goes alone.
package struct BatchedGenerator: Sendable {
    private let generator: Generator
    private let places: Int

    /// At most `places` answers at once.
    package init(_ model: Flamingo, places: Int) {
        precondition(places > 0, "a batch of \(places)")
        generator = Generator(model)
        self.places = places
    }

    /// An answer in its place.
    private struct Place {
        let request: AnswerRequest
        var continuation: Continuation
        /// The token whose successor is wanted.
        var token: Int
    }

    /// Takes requests from `next`, which is told how many places are free and gives none when it has no more. `ended` hears of every
    /// answer as it leaves, and may ask for another one, which comes before what `next` has: so an answer is tried again in
    /// another way. Both are called on the caller's thread.
    package func run(
        next: (Int) -> [AnswerRequest],
        ended: (Int, Result<Generated, any Error>) -> AnswerRequest?
    ) {
        var again: [AnswerRequest] = []
        var open: [Place] = []
        var sequences: [TextSequence] = []
        while true {
            while open.count < places {
                let retried = again.prefix(places - open.count)
                again.removeFirst(retried.count)
                let free = places - open.count - retried.count
                let requests = retried + (free > 0 ? next(free) : [])
                if requests.isEmpty { break }
                for request in requests {
                    var place: Place?
                    let result = Result { try begin(request, &place) }
                    if let place {
                        open.append(place)
                        sequences.append(request.start.sequence)
                    } else if let request = ended(request.number, result) {
                        again.append(request)
                    }
                }
            }
            guard !open.isEmpty else { return }
            for (number, result) in step(&open, &sequences) {
                if let request = ended(number, result) { again.append(request) }
            }
        }
    }

    /// The answer's first token, and its place if there are to be more.
    private func begin(_ request: AnswerRequest, _ place: inout Place?) throws -> Generated {
        if case .beam = request.options.strategy {
            return try generator.answer(
                request.start, options: request.options, grammar: request.grammar,
                goOn: request.goOn)
        }
        var continuation = try Continuation(
            after: request.start.text, options: request.options, grammar: request.grammar)
        let token = try continuation.next(request.start.logits, goOn: request.goOn)
        if let token { place = Place(request: request, continuation: continuation, token: token) }
        return continuation.generated
    }

    /// One more token of every answer; those that end leave.
    private func step(_ open: inout [Place], _ sequences: inout [TextSequence]) -> [(
        Int, Result<Generated, any Error>
    )] {
        var ended: [(Int, Result<Generated, any Error>)] = []
        do {
            let hidden = try generator.model.step(open.map(\.token), sequences: &sequences)
            let logits = generator.model.language.logits(hidden, rows: .apart)
            var left: [Int] = []
            for index in open.indices {
                let request = open[index].request
                do {
                    let token = try open[index].continuation.next(
                        logits[index].values, goOn: request.goOn)
                    if let token {
                        open[index].token = token
                        continue
                    }
                    ended.append((request.number, .success(open[index].continuation.generated)))
                } catch {
                    ended.append((request.number, .failure(error)))
                }
                left.append(index)
            }
            for index in left.reversed() {
                open.remove(at: index)
                sequences.remove(at: index)
            }
        } catch {
            // No token of a continuation is outside the vocabulary; should one be, nobody waits forever.
            ended = open.map { ($0.request.number, .failure(error)) }
            open.removeAll()
            sequences.removeAll()
        }
        return ended
    }
}
