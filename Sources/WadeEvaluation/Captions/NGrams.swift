//! Runs of words in a sentence, counted: what BLEU and CIDEr are made of.

/// One to four words, by their numbers.
struct NGram: Hashable, Sendable {
    /// Numbers from 1; 0 where there is no word.
    private let words: SIMD4<UInt32>
    /// How many words.
    let count: Int

    init(_ words: ArraySlice<UInt32>) {
        var all = SIMD4<UInt32>(repeating: 0)
        for (place, word) in words.enumerated() { all[place] = word }
        self.words = all
        count = words.count
    }
}

/// Numbers for words, the same for the same word.
struct Vocabulary {
    private var numbers: [String: UInt32] = [:]

    /// The numbers of the words of `sentence`, which whitespace separates, as Python's `split` does it.
    mutating func words(of sentence: String) -> [UInt32] {
        sentence.unicodeScalars.split { scalar in
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }.map { word in
            let text = String(word)
            if let number = numbers[text] { return number }
            let number = UInt32(numbers.count + 1)
            numbers[text] = number
            return number
        }
    }
}

/// The n-grams of a sentence for n from 1 to 4, each with how often it is there.
struct NGramCounts: Sendable {
    /// The longest n-gram.
    static let longest = 4
    /// Words in the sentence.
    let length: Int
    /// How often each n-gram is there.
    let counts: [NGram: Int]

    init(_ words: [UInt32]) {
        length = words.count
        var counts: [NGram: Int] = [:]
        for size in 1...Self.longest where size <= words.count {
            for start in 0...(words.count - size) {
                counts[NGram(words[start..<start + size]), default: 0] += 1
            }
        }
        self.counts = counts
    }
}
