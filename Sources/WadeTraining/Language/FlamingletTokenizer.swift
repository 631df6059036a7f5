//! Flaminglet's tokenizer: byte pairs learned from the language of shots, so that its words are single tokens and any other text is
//! still text.
internal import WadeFlamingo
internal import WadeTokenizer

enum FlamingletTokenizer {
    /// The bytes of its `tokenizer.json`, the same for the same vocabulary size.
    static func json(vocabularySize: Int) -> [UInt8] {
        var training = BytePairTraining()
        var random = RandomStream(seed: 1, purpose: 23)
        for text in ["Output", "Question", ":", "?", " Short answer:", "\n", ",", "."] {
            training.add(text, count: 2000)
        }
        for attribute in ShotAttribute.allCases {
            training.add(" " + attribute.rawValue, count: 500)
            for question in ShotLanguage.questions(attribute) { training.add(question, count: 500) }
            for value in attribute.values + [ShotFacts.unclear] {
                let answer = ShotLanguage.answer(attribute, value)
                // After a colon without a space, within a sentence with one.
                training.add(answer, count: 300)
                training.add(" " + answer, count: 300)
            }
        }
        for _ in 0..<2000 {
            let facts = ShotFacts(random: &random)
            for style in ShotLanguage.Style.allCases {
                training.add(ShotLanguage.caption(facts, style: style))
            }
        }
        for word in Labels.words {
            training.add(word, count: 20)
            training.add(" " + word, count: 20)
        }
        // Syllables of labels that nobody has seen.
        for consonant in Labels.consonants {
            for vowel in Labels.vowels { training.add(consonant + vowel, count: 8) }
        }
        training.learn(vocabularySize: vocabularySize - FlamingletTokens.texts.count)
        return training.tokenizerJSON(specialTokens: FlamingletTokens.texts)
    }
}
