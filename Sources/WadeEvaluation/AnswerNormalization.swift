//! When two short answers count as the same: the normalisation of the VQA challenge (Antol et al., arXiv 1505.00468).

/// The steps of the challenge's evaluation code as open_flamingo carries it, its quirks included.
package enum AnswerNormalization {
    /// Punctuation first, then words.
    package static func normalized(_ answer: String) -> String {
        normalizingWords(of: removingPunctuation(from: answer))
    }

    /// Each punctuation mark becomes a space, or nothing where the mark touches a space anywhere in the answer or the answer
    /// has a comma between digits. Periods go unless a digit follows.
    package static func removingPunctuation(from answer: String) -> String {
        let text = Array(answer.unicodeScalars)
        var touchingSpace: Set<Unicode.Scalar> = []
        for (left, right) in zip(text, text.dropFirst()) {
            if right == " " { touchingSpace.insert(left) }
            if left == " " { touchingSpace.insert(right) }
        }
        let hasDigitComma = text.indices.dropFirst().dropLast().contains { place in
            text[place] == "," && isDigit(text[place - 1]) && isDigit(text[place + 1])
        }
        let spaced = text.compactMap { scalar -> Unicode.Scalar? in
            guard punctuation.contains(scalar) else { return scalar }
            return hasDigitComma || touchingSpace.contains(scalar) ? nil : " "
        }
        return removingPeriods(from: spaced)
    }

    private static func removingPeriods(from text: [Unicode.Scalar]) -> String {
        var out = String.UnicodeScalarView()
        // The original hands a flag over as the greatest number of replacements: 32.
        var removed = 0
        for (index, scalar) in text.enumerated() {
            let digitFollows = index + 1 < text.count && isDigit(text[index + 1])
            if scalar == ".", !digitFollows, removed < 32 {
                removed += 1
            } else {
                out.append(scalar)
            }
        }
        return String(out)
    }

    /// Small letters, number words as digits, no articles, apostrophes put back; one space between words.
    package static func normalizingWords(of answer: String) -> String {
        answer.lowercased().split(whereSeparator: \.isWhitespace).map(String.init)
            .map { numbers[$0] ?? $0 }
            .filter { !articles.contains($0) }
            .map { contractions[$0] ?? $0 }
            .joined(separator: " ")
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .decimalNumber
    }

    private static let punctuation = Set(#";/[]"{}()=+\_-><@`,?!"#.unicodeScalars)

    private static let articles: Set<String> = ["a", "an", "the"]

    private static let numbers = [
        "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
        "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
    ]

    /// By the spelling with any one apostrophe forgotten.
    private static let contractions: [String: String] = {
        let spellings = """
            ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd \
            he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've \
            needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've \
            somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll \
            that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've \
            weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've \
            why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll \
            you're you've
            """
        var table: [String: String] = [:]
        for spelling in spellings.split(separator: " ").map(String.init) {
            for place in spelling.indices where spelling[place] == "'" {
                var forgotten = spelling
                forgotten.remove(at: place)
                table[forgotten] = spelling
            }
        }
        // The one entry of the challenge's table that takes an apostrophe away.
        table["somebody'd"] = "somebodyd"
        return table
    }()
}
