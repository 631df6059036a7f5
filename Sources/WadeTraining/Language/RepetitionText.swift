//! Text that teaches to repeat: what in-context learning is made of (Olsson et al., arXiv 2209.11895).

internal import WadeTokenizer

/// Random tokens that come again, and pairs of a word and a label that come again.
struct RepetitionText {
    private let encoder: PieceEncoder
    private let vocabulary: Int

    init(_ encoder: PieceEncoder, vocabulary: Int) {
        self.encoder = encoder
        self.vocabulary = vocabulary
    }

    /// A text of about `length` tokens; `pairs` is the share of texts made of pairs.
    func document(length: Int, pairs: Double, random: inout RandomStream) -> (
        kind: String, document: TrainingDocument
    ) {
        random.chance(Float(pairs))
            ? ("pairs", pairedText(length: length, random: &random))
            : ("repetition", repetition(length: length, random: &random))
    }

    private func repetition(length: Int, random: inout RandomStream) -> TrainingDocument {
        var document = TrainingDocument(beginningWith: encoder.beginningOfText)
        let special = encoder.tokenizer.specialTokenIdentifiers.count
        let period = 3 + random.index(length < 100 ? 22 : 38)
        // A few tokens after one of which anything may come, so that only what came before tells.
        let alphabet = (0..<6).map { _ in special + random.index(vocabulary - special) }
        let isNarrow = random.chance(0.3)
        let once = (0..<period).map { _ in
            isNarrow ? random.element(alphabet) : special + random.index(vocabulary - special)
        }
        document.append(once, weight: 0)
        while document.ids.count + period <= max(length, 2 * period + 1) {
            for id in once { document.append(answer: [id], weight: 1) }
        }
        return document
    }

    private func pairedText(length: Int, random: inout RandomStream) -> TrainingDocument {
        var document = TrainingDocument(beginningWith: encoder.beginningOfText)
        let attribute = random.element(ShotAttribute.allCases)
        let count = min(attribute.values.count, random.element([2, 2, 3, 4, 6]))
        let values = Array(random.shuffled(attribute.values).prefix(count))
        let labels = Labels.training.draw(count, random: &random)
        let form = random.index(3)
        var seen: Set<Int> = []
        while document.ids.count < length - 12 {
            let index = random.index(count)
            if form > 0 { document.append(image: encoder.image, clip: nil) }
            document.append(
                encoder(" " + ShotLanguage.answer(attribute, values[index])), weight: 0)
            if form == 2 {
                document.append(encoder("Output"), weight: 0)
                document.append(encoder(":"), weight: 0)
            }
            let isKnown = !seen.insert(index).inserted
            document.append(answer: encoder(labels[index]), weight: isKnown ? 1 : 0)
            document.append([encoder.endOfChunk], weight: isKnown ? 0.2 : 0)
        }
        return document
    }
}
