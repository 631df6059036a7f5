//! Writes interleaved documents: clips with captions, answers and labels, as pipelines prompt for them.

/// What the pairs of a document have in common.
enum DocumentKind: Sendable, Equatable {
    /// `Output:` and a caption, in one wording throughout.
    case caption
    /// Questions about any attribute.
    case questions
    /// The same question in every pair.
    case question(ShotAttribute)
    /// `Output:` and the value of one attribute, which only the pairs before show.
    case attribute(ShotAttribute)
    /// A question about an attribute, answered with arbitrary labels, one per value.
    case labels(ShotAttribute, count: Int)
    /// `Output:` and an arbitrary label.
    case silentLabels(ShotAttribute, count: Int)
}

/// The clips of a batch by their values.
struct ClipPool: Sendable {
    /// What is known of each clip.
    let facts: [ShotFacts]
    private let places: [[String: [Int]]]

    init(_ facts: [ShotFacts]) {
        self.facts = facts
        places = ShotAttribute.allCases.map { attribute in
            var places: [String: [Int]] = [:]
            for (index, fact) in facts.enumerated() where fact.isClear(attribute) {
                places[fact[attribute], default: []].append(index)
            }
            return places
        }
    }

    /// The clips in which an attribute has a value.
    func clips(_ attribute: ShotAttribute, _ value: String) -> [Int] {
        places[attribute.index][value] ?? []
    }

    /// The values of an attribute that some clip has, in the order of the attribute.
    func values(_ attribute: ShotAttribute) -> [String] {
        attribute.values.filter { !clips(attribute, $0).isEmpty }
    }
}

/// Writes documents over a pool of clips.
struct DocumentWriter: Sendable {
    private let encode: PieceEncoder
    private let labels: Labels
    /// Whether the clips are there; else words that say what they show stand in their place.
    private let hasClips: Bool
    /// Whether the demonstrations' labels are drawn by chance: the control that shows that they are read.
    private let scramblesLabels: Bool
    /// The weight of a label that the document has not tied to its value yet: it cannot be known.
    private static let firstSight: Float = 0

    init(
        _ encode: PieceEncoder, labels: Labels, hasClips: Bool, scramblesLabels: Bool = false
    ) {
        self.encode = encode
        self.labels = labels
        self.hasClips = hasClips
        self.scramblesLabels = scramblesLabels
    }

    /// A document of `pairs` pairs; nil when the pool has not what the kind needs.
    func document(
        _ kind: DocumentKind, over pool: ClipPool, pairs: Int, random: inout RandomStream
    ) -> TrainingDocument? {
        var document = TrainingDocument(beginningWith: encode.beginningOfText)
        let style = random.element(ShotLanguage.Style.allCases)
        let usesLineEnd = random.unit() < 0.8
        let described = random.unit() < 0.5 ? 1 : 1 + random.index(4)
        var phrasing: [ShotAttribute: String] = [:]
        guard var choice = PairChoice(kind, pool: pool, labels: labels, random: &random) else {
            return nil
        }
        for pair in 0..<pairs {
            guard let next = choice.next(isLast: pair == pairs - 1, random: &random) else {
                return nil
            }
            let facts = pool.facts[next.clip]
            document.append(image: encode.image, clip: hasClips ? next.clip : nil)
            if !hasClips {
                describe(facts, next.attribute, described, &document, random: &random)
            }
            if next.asks, let attribute = next.attribute {
                let phrase =
                    phrasing[attribute] ?? random.element(ShotLanguage.questions(attribute))
                phrasing[attribute] = phrase
                document.append(encode("Question"), weight: 0)
                document.append(encode(":"), weight: 0)
                document.append(encode(phrase + " Short answer:"), weight: 0)
            } else {
                document.append(encode("Output"), weight: 0)
                document.append(encode(":"), weight: 0)
            }
            var answer = next.label ?? self.answer(facts, next.attribute, style)
            if scramblesLabels, pair < pairs - 1, next.label != nil {
                answer = random.element(choice.labels.map(\.label))
            }
            let weight: Float =
                next.isKnown ? 1 : next.label == nil ? 0.15 : Self.firstSight
            document.append(answer: encode(answer), weight: weight)
            if pair == pairs - 1 {
                document.candidates = choice.labels.map { encode($0.label) }
                document.asked = next.attribute.map { ($0, facts[$0]) }
            }
            document.append([encode.endOfChunk], weight: next.isKnown ? 0.2 : 0.05)
            if usesLineEnd { document.append(encode("\n"), weight: 0) }
        }
        return document
    }

    private func answer(
        _ facts: ShotFacts, _ attribute: ShotAttribute?, _ style: ShotLanguage.Style
    ) -> String {
        guard let attribute else { return ShotLanguage.caption(facts, style: style) }
        return ShotLanguage.answer(attribute, facts[attribute])
    }

    /// Words in the picture's place: names and values of `count` attributes, `asked` among them, or of all for a caption.
    private func describe(
        _ facts: ShotFacts, _ asked: ShotAttribute?, _ count: Int,
        _ document: inout TrainingDocument, random: inout RandomStream
    ) {
        var attributes = random.shuffled(ShotAttribute.allCases)
        if let asked {
            attributes.removeAll { $0 == asked }
            attributes = random.shuffled([asked] + attributes.prefix(count - 1))
        }
        for attribute in attributes {
            let words =
                " \(ShotLanguage.name(attribute)) \(ShotLanguage.answer(attribute, facts[attribute]))"
            document.append(encode(words), weight: 0.01)
        }
    }
}

/// Chooses the clip, the question and the label of each pair.
private struct PairChoice {
    struct Pair {
        var clip: Int
        /// What is asked; nil for a caption.
        var attribute: ShotAttribute?
        /// Whether the question stands in the text.
        var asks: Bool
        var label: String?
        /// Whether the answer can be known from the clip and what stands before.
        var isKnown: Bool
    }

    private let kind: DocumentKind
    private let pool: ClipPool
    /// The labels of the chosen values, in the order of the values.
    private(set) var labels: [(value: String, label: String)] = []
    private var waiting: [Int] = []
    private var used: Set<Int> = []
    private var seen: Set<String> = []
    private var pairs = 0

    init?(_ kind: DocumentKind, pool: ClipPool, labels: Labels, random: inout RandomStream) {
        self.kind = kind
        self.pool = pool
        switch kind {
        case .labels(let attribute, let count), .silentLabels(let attribute, let count):
            let values = random.shuffled(pool.values(attribute)).prefix(count)
            guard values.count >= 2 else { return nil }
            let words = labels.draw(values.count, random: &random)
            self.labels = zip(values, words).map { ($0, $1) }
        case .attribute(let attribute), .question(let attribute):
            guard !pool.values(attribute).isEmpty else { return nil }
        case .caption, .questions:
            guard !pool.facts.isEmpty else { return nil }
        }
    }

    /// Labels come in blocks of all values, so that each is shown early; only the last pair is free.
    mutating func next(isLast: Bool, random: inout RandomStream) -> Pair? {
        defer { pairs += 1 }
        switch kind {
        case .caption:
            return Pair(
                clip: random.index(pool.facts.count), attribute: nil, asks: false, isKnown: true)
        case .questions:
            // Mostly what can be told; sometimes that it cannot.
            for _ in 0..<8 {
                let attribute = random.element(ShotAttribute.allCases)
                let clip = random.index(pool.facts.count)
                guard pool.facts[clip].isClear(attribute) || random.unit() < 0.4 else {
                    continue
                }
                return Pair(clip: clip, attribute: attribute, asks: true, isKnown: true)
            }
            return nil
        case .question(let attribute):
            return pair(
                attribute, random.element(pool.values(attribute)), asks: true, isKnown: true,
                &random)
        case .attribute(let attribute):
            return pair(
                attribute, random.element(pool.values(attribute)), asks: false, isKnown: pairs > 0,
                &random)
        case .labels(let attribute, _), .silentLabels(let attribute, _):
            if waiting.isEmpty { waiting = random.shuffled(Array(labels.indices)) }
            let index = isLast ? random.index(labels.count) : waiting.removeLast()
            let (value, label) = labels[index]
            let isKnown = !seen.insert(value).inserted
            var asks = false
            if case .labels = kind { asks = true }
            guard
                var pair = pair(attribute, value, asks: asks, isKnown: isKnown, &random)
            else { return nil }
            pair.label = label
            return pair
        }
    }

    private mutating func pair(
        _ attribute: ShotAttribute, _ value: String, asks: Bool, isKnown: Bool,
        _ random: inout RandomStream
    ) -> Pair? {
        let clips = pool.clips(attribute, value)
        guard !clips.isEmpty else { return nil }
        // A clip shown twice would teach to match pictures in place of what they show.
        let fresh = clips.filter { !used.contains($0) }
        guard !fresh.isEmpty else { return nil }
        let clip = random.element(fresh)
        used.insert(clip)
        return Pair(clip: clip, attribute: attribute, asks: asks, isKnown: isKnown)
    }
}
