//! Sentences cut into words as the COCO caption evaluation cuts them, so that scores are its scores.

/// The tokens of the Penn Treebank, as Stanford's PTBTokenizer (CoreNLP 3.4.1, options `-preserveLines -lowerCase`) makes them of
/// captions: written anew from what that program answers, without Java.
///
/// The evaluation throws most punctuation away afterwards; what it keeps, quirks included, is what matters here: contractions are
/// split (`does n't`, `man 's`), hyphenated words are one token, brackets become `-lrb-` and the like, the point of an abbreviation
/// and of a single letter stays, runs of `!` and `?` are tokens, fractions and currency signs are spelled in ASCII.
package enum PTBTokenizer {
    /// What the evaluation removes. It names brackets in capitals, which never match, so they stay.
    private static let removed: Set<String> = [
        "''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";",
    ]

    /// Each caption's words, small, with spaces between them and without punctuation. The original reads all captions as one text, and
    /// so whether "c." at the end of one is a letter or an abbreviation depends on how the next one begins; here as well.
    package static func words(of captions: [String]) -> [String] {
        var following: String?
        var words: [String] = []
        for caption in captions.reversed() {
            words.append(
                tokens(of: caption, followedBy: following ?? "").filter { !removed.contains($0) }
                    .joined(separator: " "))
            if caption.contains(where: { !$0.isWhitespace }) { following = caption }
        }
        return words.reversed()
    }

    /// All tokens of one line, small; `following` is the text after it.
    package static func tokens(of line: String, followedBy following: String = "") -> [String] {
        var scanner = PTBScanner(line, following)
        return scanner.run()
    }
}

/// Reads a line from left to right; at every place the first rule that fits takes what it can.
private struct PTBScanner {
    private let text: [Unicode.Scalar]
    private var at = 0
    private var tokens: [String] = []
    private let following: [Unicode.Scalar]

    init(_ line: String, _ following: String) {
        self.following = Array(following.unicodeScalars.prefix(100))
        // A soft hyphen parts nothing.
        text = Array(line.unicodeScalars.filter { $0.value != 0xAD })
    }

    mutating func run() -> [String] {
        while let next = peek() {
            if Self.isSpace(next) || Self.isIgnored(next) {
                at += 1
            } else if !takeAddress(), !takeMarkup(next), !takeSmiley(), !takeCurrency(next),
                !takeNumber(), !takeWord(), !takeApostrophe(next)
            {
                takeSymbol(next)
            }
        }
        return tokens
    }

    // MARK: - Places

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        let place = at + offset
        return place >= 0 && place < text.count ? text[place] : nil
    }

    private func isLetter(_ offset: Int) -> Bool { peek(offset).map(Self.isLetter) ?? false }
    private func isDigit(_ offset: Int) -> Bool { peek(offset).map(Self.isDigit) ?? false }
    private func isAlphanumeric(_ offset: Int) -> Bool { isLetter(offset) || isDigit(offset) }
    private func isApostrophe(_ offset: Int) -> Bool {
        peek(offset).map(Self.isApostrophe) ?? false
    }

    /// Whether the ASCII letters `word` stand at `offset`, small or capital.
    private func spells(_ word: String, at offset: Int = 0) -> Bool {
        for (index, wanted) in word.unicodeScalars.enumerated() {
            guard let found = peek(offset + index), Self.small(found) == wanted else {
                return false
            }
        }
        return true
    }

    private mutating func take(_ count: Int) {
        tokens.append(Self.string(text[at..<at + count]))
        at += count
    }

    private mutating func take(_ count: Int, as token: String) {
        tokens.append(token)
        at += count
    }

    // MARK: - Characters

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar.value < 0x20 || scalar.value == 0x200B
    }

    /// What the original cannot read and passes over: everything beyond the first plane, marks of direction, soft hyphens.
    private static func isIgnored(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0xFFFF || scalar.value == 0xFEFF
            || (0x200C...0x2011).contains(scalar.value)
            || scalar.properties.generalCategory == .letterNumber
            || (0x300C...0x300D).contains(scalar.value)
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value > 0x7F else {
            return (0x41...0x5A).contains(scalar.value) || (0x61...0x7A).contains(scalar.value)
        }
        guard scalar.value <= 0xFFFF else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark:
            return true
        default: return false
        }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        (0x30...0x39).contains(scalar.value)
            || (scalar.value > 0x7F && scalar.value <= 0xFFFF
                && scalar.properties.generalCategory == .decimalNumber)
    }

    private static func isApostrophe(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "'" || scalar == "\u{2019}" || scalar == "\u{92}"
    }

    private static func isHyphen(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "-" || scalar == "\u{2010}" || scalar == "\u{2011}"
    }

    private static func small(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        (0x41...0x5A).contains(scalar.value)
            ? Unicode.Scalar(scalar.value + 0x20) ?? scalar : scalar
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        for scalar in scalars { view.append(isApostrophe(scalar) ? "'" : scalar) }
        return String(view).lowercased()
    }
}

// MARK: - Addresses and markup

extension PTBScanner {
    /// `https://…`, `www.…`, `name@host`, `#word`, `@name`.
    private mutating func takeAddress() -> Bool {
        if spells("http://") || spells("https://") || spells("www.") {
            var end = 0
            while let next = peek(end), !Self.isSpace(next),
                !"\"<>|()".unicodeScalars.contains(next)
            {
                end += 1
            }
            while end > 0, let last = peek(end - 1), ".!?(){},-:;".unicodeScalars.contains(last) {
                end -= 1
            }
            if end > 8 {
                take(end)
                return true
            }
        }
        if let first = peek(), first == "#" || first == "@",
            let next = peek(1), next == "_" || (Self.isLetter(next) && next.isASCII)
        {
            var end = 2
            while let more = peek(end), more.isASCII,
                Self.isLetter(more) || Self.isDigit(more) || more == "_"
            {
                end += 1
            }
            take(end)
            return true
        }
        return takeMail()
    }

    private mutating func takeMail() -> Bool {
        guard isAlphanumeric(0) else { return false }
        var place = 1
        while let next = peek(place), next != "@" {
            guard !Self.isSpace(next), !"\"<>|()".unicodeScalars.contains(next) else {
                return false
            }
            place += 1
        }
        guard peek(place) == "@" else { return false }
        var end = place + 1
        while let next = peek(end), !Self.isSpace(next), !"\"<>|()".unicodeScalars.contains(next) {
            end += 1
        }
        while end > place + 1, peek(end - 1) == "." { end -= 1 }
        guard end > place + 1 else { return false }
        take(end)
        return true
    }

    /// `<tag>` and `&amp;`.
    private mutating func takeMarkup(_ first: Unicode.Scalar) -> Bool {
        if first == "<", let next = peek(1), "/!?".unicodeScalars.contains(next) || isLetter(1) {
            var end = 1
            while let more = peek(end), more != ">" { end += 1 }
            guard peek(end) == ">", end > 2 || isLetter(1) else { return false }
            take(end + 1)
            return true
        }
        guard first == "&" else { return false }
        if peek(1) == "#" {
            let end = numberEnd(from: 2, separators: "")
            if end > 2, peek(end) == ";" {
                take(end + 1)
                return true
            }
        }
        let references = [
            "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "''", "&apos;": "'", "&nbsp;": "",
        ]
        for (name, token) in references where spells(name) {
            if token.isEmpty { at += name.utf8.count } else { take(name.utf8.count, as: token) }
            return true
        }
        return false
    }

    /// `:)`, `;-)`, `:'(`, `=D` and their like, brackets spelled as brackets are.
    private mutating func takeSmiley() -> Bool {
        var place = 0
        if let hat = peek(), hat == "<" || hat == ">" { place = 1 }
        guard let eyes = peek(place), ":;=".unicodeScalars.contains(eyes) else { return false }
        place += 1
        if let nose = peek(place), "-o*'".unicodeScalars.contains(nose),
            let mouth = peek(place + 1),
            "()DPdpO\\{@|[]".unicodeScalars.contains(mouth)
        {
            place += 1
        }
        guard let mouth = peek(place), "()DPpO[]".unicodeScalars.contains(mouth) else {
            return false
        }
        if isAlphanumeric(place + 1) { return false }
        let face = Self.string(text[at..<at + place])
        let brackets: [Unicode.Scalar: String] = ["(": "-lrb-", ")": "-rrb-"]
        take(place + 1, as: face + (brackets[mouth] ?? Self.string([mouth])))
        return true
    }
}

// MARK: - Numbers

extension PTBScanner {
    private mutating func takeCurrency(_ first: Unicode.Scalar) -> Bool {
        for prefix in ["US$", "HK$", "NZ$", "A$", "C$", "M$", "S$", "T$"]
        where text[at...].starts(with: prefix.unicodeScalars) {
            take(prefix.utf8.count)
            return true
        }
        let signs: [Unicode.Scalar: String] = [
            "$": "$", "£": "#", "€": "$", "¢": "cents", "¤": "$", "₤": "#",
        ]
        guard let token = signs[first] else { return false }
        take(1, as: token)
        return true
    }

    /// The end of digits with `separators` between groups of them, from `start`; `start` when no digit stands there.
    private func numberEnd(from start: Int, separators: String) -> Int {
        var end = start
        while isDigit(end) { end += 1 }
        guard end > start else { return start }
        while let separator = peek(end), separators.unicodeScalars.contains(separator),
            isDigit(end + 1)
        {
            end += 1
            while isDigit(end) { end += 1 }
        }
        return end
    }

    /// Numbers with a sign, a point or a colon; numbers that go on as words do are words.
    private mutating func takeNumber() -> Bool {
        if takeTelephone() { return true }
        var start = 0
        if let sign = peek(), sign == "-" || sign == "+" { start = 1 }
        if let point = peek(start), ".:,".unicodeScalars.contains(point), isDigit(start + 1) {
            take(numberEnd(from: start + 1, separators: ".,:"))
            return true
        }
        guard isDigit(start) else { return false }
        let end = numberEnd(from: start, separators: ".,:")
        let isPlain = (start..<end).allSatisfy { isDigit($0) }
        if start == 0, !isPlain, !text[at..<at + end].contains(":"), let hyphen = peek(end),
            Self.isHyphen(hyphen), isAlphanumeric(end + 1)
        {
            // 2,000-year-old, 1.5-inch
            var last = end
            while let hyphen = peek(last), Self.isHyphen(hyphen), isAlphanumeric(last + 1) {
                last += 1
                while isAlphanumeric(last) { last += 1 }
            }
            take(last)
            return true
        }
        guard start == 1 || !isPlain else { return false }
        take(end)
        return true
    }

    /// `(555) 555-1212`
    private mutating func takeTelephone() -> Bool {
        guard peek() == "(", isDigit(1), isDigit(2), isDigit(3), peek(4) == ")" else {
            return false
        }
        var place = 5
        if peek(place) == " " { place += 1 }
        let first = numberEnd(from: place, separators: "")
        guard (3...4).contains(first - place), let gap = peek(first), gap == "-" || gap == " "
        else {
            return false
        }
        let last = numberEnd(from: first + 1, separators: "")
        guard (3...5).contains(last - first - 1) else { return false }
        take(5, as: "-lrb-\(Self.string(text[at + 1..<at + 4]))-rrb-")
        return true
    }
}

// MARK: - Words

extension PTBScanner {
    /// Abbreviations that keep their point, however they are written.
    private static let abbreviations: Set<String> = Set(
        """
        adj adm adv al ala alex apr ariz assn assoc asst aug ave blvd bros calif capt cf cie cmdr co col colo conn corp cos cpl ct dec dept \
        det dr elec ens esq est etc ext feb fla fri ft ga gen gov hon inc ind insp intl invt jan jos jr jul jun kan kans ky lt ltd maj mar md \
        messrs mfg mich minn mo mon mont mr mrs ms mt natl neb nev nov oct okla penn pfc ph plc pres prof pte pty pvt rd rep rev rt sen sens sep \
        sept seq sfc sgt spc sq sr st supt sys tel tenn thu thurs treas tue tues univ va vs vt wed wis wisc wm wyo
        """.split(separator: " ").map(String.init))
    /// Abbreviations that do so with a capital only: small, they are words.
    private static let capitalAbbreviations: Set<String> = [
        "ark", "az", "del", "ill", "la", "mass", "miss", "ore", "pa", "tex", "wash",
    ]
    /// Abbreviations that do so before a number only.
    private static let numberAbbreviations: Set<String> = [
        "art", "ca", "fig", "figs", "no", "nos", "op", "pp", "prop",
    ]
    /// Words that begin a sentence, so that the point of a single letter before them ends one.
    private static let sentenceStarts: Set<String> = Set(
        """
        a about according additionally after an as at but earlier he her here however if in it last many more now once one other our \
        she since so some such that the their then there these they this we what when while yet you
        """.split(separator: " ").map(String.init))
    /// Words that keep an apostrophe.
    private static let withApostrophe = [
        "o'clock", "ma'am", "li'l", "l'il", "o'er", "e'er", "d'ye", "s'mores",
    ]
    /// Words that are cut in two after so many letters.
    private static let halved = [
        "cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "gimme": 3, "lemme": 3,
    ]

    private mutating func takeWord() -> Bool {
        guard isAlphanumeric(0) else { return false }
        for word in Self.withApostrophe where spells(word) && !isAlphanumeric(word.utf8.count) {
            take(word.utf8.count)
            return true
        }
        if spells("ol'"), !isAlphanumeric(3) {
            take(3)
            return true
        }
        if spells("d'") || spells("l'"), !isAlphanumeric(2) {
            take(2)
            return true
        }
        var end = wordEnd()
        // Acronyms and abbreviations keep their point, and acronyms go on behind it: U.S.-based.
        if peek(end) == ".", keepsPoint(end) {
            end += 1
            while end > 3, let hyphen = peek(end), Self.isHyphen(hyphen), isAlphanumeric(end + 1) {
                end += 1
                while isAlphanumeric(end) { end += 1 }
            }
        }
        emit(wordOfLength: end)
        return true
    }

    /// Where the word that begins here ends, without apostrophes behind it: the longest of a plain word, words joined by points, and
    /// words joined by hyphens, underscores and at most two slashes.
    private func wordEnd() -> Int {
        var start = 0
        if isApostrophe(1), isLetter(2), suffix(at: 1) == 0, let first = peek(),
            "OoDdLl".unicodeScalars.contains(first)
        {
            start = 2
        }
        if start == 0, let special = specialEnd() { return special }
        while isAlphanumeric(start) { start += 1 }
        var dotted = start
        while isLetter(0), let point = peek(dotted), ".!?".unicodeScalars.contains(point),
            isLetter(dotted + 1)
        {
            dotted += 1
            while isAlphanumeric(dotted) { dotted += 1 }
        }
        var joined = start
        var slashes = 0
        while let next = peek(joined), Self.isHyphen(next) || next == "_" || next == "/",
            isAlphanumeric(joined + 1)
        {
            if next == "/" { slashes += 1 }
            guard slashes <= 2 else { break }
            joined += 1
            while isAlphanumeric(joined) { joined += 1 }
        }
        // `non-U.S.`: the last part may be an acronym.
        if joined > start, isLetter(joined - 1), !isAlphanumeric(joined - 2), peek(joined) == ".",
            isLetter(joined + 1)
        {
            var acronym = joined
            while peek(acronym) == ".", isLetter(acronym + 1), !isAlphanumeric(acronym + 2) {
                acronym += 2
            }
            if acronym > joined, peek(acronym) == "." { return acronym + 1 }
        }
        return max(dotted, joined)
    }

    /// The ends of `C++`, `F#`, `AT&T` and `8.x`; nil when none of them stands here.
    private func specialEnd() -> Int? {
        if let first = peek(), !isAlphanumeric(1) {
            if spells("c++") { return 3 }
            if "CcFf".unicodeScalars.contains(first), peek(1) == "#" { return 2 }
        }
        if isDigit(0) {
            var end = 0
            while isDigit(end) { end += 1 }
            if peek(end) == ".", spells("x", at: end + 1), !isAlphanumeric(end + 2) {
                return end + 2
            }
            return nil
        }
        var end = 0
        while isCapital(end) { end += 1 }
        var hasAmpersand = false
        while end > 0, peek(end) == "&", isCapital(end + 1) {
            hasAmpersand = true
            end += 1
            while isCapital(end) { end += 1 }
        }
        return hasAmpersand ? end : nil
    }

    private func isCapital(_ offset: Int) -> Bool {
        peek(offset).map { (0x41...0x5A).contains($0.value) } ?? false
    }

    /// Whether the point behind the word of length `end` belongs to it.
    private func keepsPoint(_ end: Int) -> Bool {
        let word = Array(text[at..<at + end])
        if end == 1 { return isLetter(0) && word[0].isASCII && !beginsSentence(end + 1) }
        let whole = Self.string(word)
        if Self.abbreviations.contains(whole) { return true }
        if Self.capitalAbbreviations.contains(whole), isCapital(0) { return true }
        if Self.numberAbbreviations.contains(whole) {
            return isDigit(peek(end + 1) == " " ? end + 2 : end + 1)
        }
        if whole == "ph.d" { return true }
        // Letters with points between them.
        return word.enumerated().allSatisfy { index, scalar in
            index.isMultiple(of: 2) ? Self.isLetter(scalar) && scalar.isASCII : scalar == "."
        } && end.isMultiple(of: 2) == false
    }

    /// Whether spaces and a word that begins sentences stand at `offset`.
    private func beginsSentence(_ offset: Int) -> Bool {
        var rest = text[min(at + offset, text.count)...].prefix(100)
        let hasSpace = rest.first.map(Self.isSpace) ?? true
        rest = rest.drop(while: Self.isSpace)
        if rest.isEmpty { rest = following.drop(while: Self.isSpace) }
        var word = String.UnicodeScalarView()
        word.append(contentsOf: rest.prefix { Self.isLetter($0) || Self.isDigit($0) })
        let isCapital = word.first.map { (0x41...0x5A).contains($0.value) } ?? false
        return hasSpace && isCapital && Self.sentenceStarts.contains(String(word).lowercased())
    }

    /// Writes the word of length `end` and the contractions behind it.
    private mutating func emit(wordOfLength end: Int) {
        let hasPoint = peek(end - 1) == "."
        if !hasPoint, let apostrophe = peek(end),
            Self.isApostrophe(apostrophe) || apostrophe == "`",
            end > 1, let n = peek(end - 1), Self.small(n) == "n", spells("t", at: end + 1),
            !isAlphanumeric(end + 2)
        {
            take(end - 1)
            tokens.append("n" + Self.string(text[at + 1..<at + 3]))
            at += 3
            takeSuffixes()
            return
        }
        if spells("y"), end == 1, isApostrophe(1), isLetter(2) {
            take(2)
            return
        }
        let word = Self.string(text[at..<at + end])
        if let half = Self.halved[word], !isApostrophe(end) {
            take(half)
            take(end - half)
            return
        }
        take(end)
        takeSuffixes()
    }

    /// The length of `'s`, `'ll` and the like at `offset`; 0 when none stands there.
    private func suffix(at offset: Int) -> Int {
        guard isApostrophe(offset) else { return 0 }
        for ending in ["s", "m", "d", "ll", "re", "ve"]
        where spells(ending, at: offset + 1) && !isAlphanumeric(offset + 1 + ending.utf8.count) {
            return 1 + ending.utf8.count
        }
        return 0
    }

    private mutating func takeSuffixes() {
        while true {
            let length = suffix(at: 0)
            guard length > 0 else { return }
            take(length)
        }
    }

    // MARK: - Apostrophes and symbols

    /// `'em`, `'90s`, `rock 'n' roll`, and quotes, of which nothing is kept.
    private mutating func takeApostrophe(_ first: Unicode.Scalar) -> Bool {
        guard Self.isApostrophe(first) || first == "\u{2018}" || first == "`" else { return false }
        if Self.isApostrophe(first) {
            let length = suffix(at: 0)
            if length > 0 {
                take(length)
                return true
            }
            if isDigit(1), isDigit(2), !isDigit(3) {
                let end = spells("s", at: 3) ? 4 : 3
                if !isAlphanumeric(end), peek(end) != "\"", !isApostrophe(end) {
                    take(end)
                    return true
                }
            }
            if spells("n", at: 1), isApostrophe(2) {
                take(3)
                return true
            }
            for (word, half) in [
                ("em", 0), ("til", 0), ("till", 0), ("cause", 0), ("n", 0), ("tis", 1), ("twas", 1),
            ]
            where spells(word, at: 1) && !isAlphanumeric(1 + word.utf8.count) {
                if half > 0 {
                    take(1 + half)
                    take(word.utf8.count - half)
                } else {
                    take(1 + word.utf8.count)
                }
                return true
            }
        }
        take(1, as: "'")
        return true
    }

    private func run(of scalars: String) -> Int {
        var end = 0
        while let next = peek(end), scalars.unicodeScalars.contains(next) { end += 1 }
        return end
    }

    private mutating func takeSymbol(_ first: Unicode.Scalar) {
        let spelled: [Unicode.Scalar: String] = [
            "(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-",
            "\"": "''", "\u{201C}": "``", "\u{201D}": "''", "\u{AB}": "``", "\u{BB}": "''",
            "\u{2039}": "`",
            "\u{203A}": "'", "\u{2026}": "...", "\u{BD}": "1/2", "\u{BC}": "1/4", "\u{BE}": "3/4",
            "\u{2153}": "1/3", "\u{2154}": "2/3", "\u{2013}": "--", "\u{2014}": "--",
            "\u{2015}": "--",
        ]
        switch first {
        case "?", "!": take(run(of: "?!"))
        case ".": take(run(of: "."), as: ".")
        case "-":
            let length = run(of: "-")
            take(
                length,
                as: length == 1 ? "-" : length < 5 ? "--" : String(repeating: "-", count: length))
        case "*": take(run(of: "*"))
        case "_": take(run(of: "_"))
        case "<": take(min(2, run(of: "<")))
        case ">": take(min(2, run(of: ">")))
        default:
            if let token = spelled[first] { take(1, as: token) } else { take(1) }
        }
    }
}
