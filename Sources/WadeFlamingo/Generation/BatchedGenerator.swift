//! Continuous batching: many answers in the making, one token each at a time, all of them in one pass through the weights.

internal import WadeTensor

/// An answer that is wanted from a batch.
package struct AnswerRequest {
    /// Where an answer begins: behind a prompt that is read with the batch, or where another answer to it began.
    package enum Beginning {
        case unread(UnreadPrompt)
        case read(AnswerStart)
    }

    /// What whoever asks calls it.
    package var number: Int
    package var beginning: Beginning
    package var options: DecodingOptions
    /// The answer's form.
    package var grammar: TokenGrammar?
    /// Sees the new ids after each token and may end the answer.
    package var goOn: ([Int]) -> Bool

    package init(
        _ number: Int, _ beginning: Beginning, options: DecodingOptions,
        grammar: TokenGrammar? = nil, goOn: @escaping ([Int]) -> Bool = { _ in true }
    ) {
        self.number = number
        self.beginning = beginning
        self.options = options
        self.grammar = grammar
        self.goOn = goOn
    }
}

/// What became of a request.
package struct EndedAnswer {
    package let number: Int
    package let result: Result<Generated, any Error>
    /// Where the answer began, so that another one can begin there; nil when its prompt could not be read.
    package let start: AnswerStart?
}

/// Answers requests, several at once. An answer leaves when it is whole, and the next request takes its place: its prompt is read in
/// the same pass as the others' next tokens. What an answer says, to the last bit of its log-probabilities, is what `Generator` says to
/// it alone. Beam search keeps its own sequences and goes alone.
package struct BatchedGenerator: Sendable {
    private let generator: Generator
    private let places: Int

    /// At most `places` answers at once.
    package init(_ model: Flamingo, places: Int) {
        precondition(places > 0, "a batch of \(places)")
        generator = Generator(model)
        self.places = places
    }

    /// Takes requests from `next`, which is told how many places are free and gives none when it has no more. `ended` hears of every
    /// answer as it leaves, and may ask for another one, which comes before what `next` has: so an answer is tried again in
    /// another way. Both are called on the caller's thread.
    package func run(
        next: (Int) -> [AnswerRequest], ended: (EndedAnswer) -> AnswerRequest?
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
                    switch admit(request) {
                    case .place(let place, let sequence):
                        open.append(place)
                        sequences.append(sequence)
                    case .ended(let answer):
                        if let request = ended(answer) { again.append(request) }
                    }
                }
            }
            guard !open.isEmpty else { return }
            for answer in advance(&open, &sequences) {
                if let request = ended(answer) { again.append(request) }
            }
        }
    }

    // MARK: - Places

    /// An answer in its place.
    private struct Place {
        let request: AnswerRequest
        var start: AnswerStart?
        /// Nil until the prompt is read.
        var continuation: Continuation?
        /// What the model reads next: the prompt, then one token after the other.
        var ids: [Int]

        func ended(_ result: Result<Generated, any Error>) -> EndedAnswer {
            EndedAnswer(number: request.number, result: result, start: start)
        }
    }

    private enum Admission {
        case place(Place, TextSequence)
        case ended(EndedAnswer)
    }

    private func admit(_ request: AnswerRequest) -> Admission {
        var place = Place(request: request, ids: [])
        do {
            try Continuation.check(request.options, request.grammar)
            switch request.beginning {
            case .unread(let prompt):
                try prompt.check(generator.model)
                place.ids = prompt.ids
                return .place(place, prompt.sequence)
            case .read(let start):
                if let whole = try begin(&place, at: start) {
                    return .ended(place.ended(.success(whole)))
                }
                return .place(place, start.sequence)
            }
        } catch {
            return .ended(place.ended(.failure(error)))
        }
    }

    /// The answer's first token; the answer itself when that is all of it.
    private func begin(_ place: inout Place, at start: AnswerStart) throws -> Generated? {
        let request = place.request
        place.start = start
        if case .beam = request.options.strategy {
            return try generator.answer(
                start, options: request.options, grammar: request.grammar, goOn: request.goOn)
        }
        place.continuation = try Continuation(
            after: start.text, options: request.options, grammar: request.grammar)
        return try goOn(&place, start.logits)
    }

    /// One more token; the answer when it is whole.
    private func goOn(_ place: inout Place, _ logits: [Float]) throws -> Generated? {
        guard let token = try place.continuation?.next(logits, goOn: place.request.goOn) else {
            return place.continuation?.generated
        }
        place.ids = [token]
        return nil
    }

    // MARK: - Passes

    /// One more token of every answer; those that end leave.
    private func advance(_ open: inout [Place], _ sequences: inout [TextSequence]) -> [EndedAnswer]
    {
        var ended: [EndedAnswer] = []
        do {
            let texts = open.map(\.ids)
            let logits = generator.lastLogits(
                try generator.model.advance(texts, sequences: &sequences), of: texts)
            var left: [Int] = []
            for index in open.indices {
                let result = Result {
                    try took(logits[index].values, &open[index], &sequences[index])
                }
                do {
                    guard let whole = try result.get() else { continue }
                    ended.append(open[index].ended(.success(whole)))
                } catch {
                    ended.append(open[index].ended(.failure(error)))
                }
                left.append(index)
            }
            for index in left.reversed() {
                open.remove(at: index)
                sequences.remove(at: index)
            }
        } catch {
            // No token of a continuation is outside the vocabulary; should one be, nobody waits forever.
            ended = open.map { $0.ended(.failure(error)) }
            open.removeAll()
            sequences.removeAll()
        }
        return ended
    }

    /// The place takes the logits of its last token; returns the answer when it is whole.
    private func took(_ logits: [Float], _ place: inout Place, _ sequence: inout TextSequence)
        throws
        -> Generated?
    {
        guard place.continuation == nil, case .unread(let prompt) = place.request.beginning else {
            return try goOn(&place, logits)
        }
        let start = prompt.read(generator.model, sequence, logits)
        sequence = start.sequence
        return try begin(&place, at: start)
    }
}
