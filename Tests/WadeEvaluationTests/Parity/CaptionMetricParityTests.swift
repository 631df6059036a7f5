//! CIDEr-D, BLEU and the tokenizer against pycocoevalcap's, number for number.
import Foundation
import Testing
import WadeEvaluation
import WadeTestSupport

/// Captions with what the original made of them.
private struct Cases: Codable {
    struct Item: Codable {
        let candidate: String
        let references: [String]
        var tokenized_candidate: String?
        var tokenized_references: [String]?
        var cider: Double?
    }
    var items: [Item]
    var cider: Double?
    var bleu: [Double]?

    /// `caption-metric/cases.json`, made by `Tests/Oracles/caption_scores.py` with pycocoevalcap 1.2.
    static func read() throws -> Cases {
        // Made by this project: a folder of other fixtures has none of it.
        let json = try Data(
            contentsOf: Fixtures.bundled.appendingPathComponent("caption-metric/cases.json"))
        return try JSONDecoder().decode(Cases.self, from: json)
    }

    /// What the original says about `items`, run by the Python at `python`.
    static func ask(_ python: String, about items: [Item]) throws -> Cases {
        let script = Fixtures.bundled.deletingLastPathComponent()
            .appendingPathComponent("Oracles/caption_scores.py")
        let folder = FileManager.default.temporaryDirectory
        let (input, output) = (
            folder.appendingPathComponent("\(UUID().uuidString).json"),
            folder.appendingPathComponent("\(UUID().uuidString).json")
        )
        defer {
            try? FileManager.default.removeItem(at: input)
            try? FileManager.default.removeItem(at: output)
        }
        try JSONEncoder().encode(Cases(items: items)).write(to: input)
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [script.path]
        process.standardInput = try FileHandle(forReadingFrom: input)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return try JSONDecoder().decode(Cases.self, from: Data(contentsOf: output))
    }
}

@Suite("Parity: caption metrics")
struct CaptionMetricParityTests {
    private static let python = ProcessInfo.processInfo.environment["WADE_CAPTION_ORACLE"]

    private func compare(_ cases: Cases) throws {
        let items = cases.items
        // The original reads all references as one text, and all candidates as another.
        let candidates = PTBTokenizer.words(of: items.map(\.candidate))
        var rest = PTBTokenizer.words(of: items.flatMap(\.references))[...]
        var scored: [ScoredCaption] = []
        for (item, candidate) in zip(items, candidates) {
            let references = Array(rest.prefix(item.references.count))
            rest = rest.dropFirst(item.references.count)
            #expect(words(candidate) == words(item.tokenized_candidate ?? "?"), "\(item.candidate)")
            for (reference, (found, wanted)) in zip(
                item.references, zip(references, item.tokenized_references ?? []))
            {
                #expect(words(found) == words(wanted), "\(reference)")
            }
            scored.append(ScoredCaption(candidate: candidate, references: references))
        }
        let scores = CaptionScores(scored)
        let cider = scores.cider()
        for (item, found) in zip(items, cider) {
            #expect(abs(found - (item.cider ?? .nan)) < 1e-6, "\(item.candidate): \(found)")
        }
        let mean = cider.reduce(0, +) / Double(cider.count)
        #expect(abs(mean - (cases.cider ?? .nan)) < 1e-6)
        var sum = CaptionScores.BLEUCounts()
        for counts in scores.bleuCounts() { sum.add(counts) }
        let bleu = try #require(cases.bleu)
        for (found, wanted) in zip(sum.scores, bleu) {
            #expect(abs(found - wanted) < 1e-6, "\(found), expected \(wanted)")
        }
    }

    /// What scorers see of a tokenised text.
    private func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }

    @Test("tokens, CIDEr-D and BLEU are those of the original over the recorded captions")
    func recorded() throws {
        let cases = try Cases.read()
        #expect(cases.items.count == 45)
        try compare(cases)
    }

    @Test(
        "they are over 2,000 captions drawn anew, asked of the original itself",
        .enabled(if: python != nil, "set WADE_CAPTION_ORACLE to a Python with pycocoevalcap"))
    func live() throws {
        let recorded = try Cases.read().items
        let parts = recorded.map { [$0.candidate] + $0.references }.joined()
            .map { $0.split(separator: " ").map(String.init) }.filter { $0.count > 3 }
        var random = SystemRandomNumberGenerator()
        let texts = (0..<6000).map { _ -> String in
            let (one, other) = (
                parts.randomElement(using: &random) ?? [], parts.randomElement(using: &random) ?? []
            )
            let cut = Int.random(in: 1..<max(2, one.count), using: &random)
            return (one.prefix(cut) + other.suffix(Int.random(in: 1...other.count, using: &random)))
                .joined(separator: " ")
        }
        let items = (0..<2000).map {
            Cases.Item(
                candidate: texts[3 * $0], references: [texts[3 * $0 + 1], texts[3 * $0 + 2]])
        }
        try compare(try Cases.ask(Self.python ?? "", about: items))
    }

    @Test("one caption has a CIDEr-D of 0, and the same words a BLEU of 1")
    func edges() {
        let one = CaptionScores([
            ScoredCaption(candidate: "a dog runs far", references: ["a dog runs far"])
        ])
        #expect(one.cider() == [0])
        #expect(one.bleuCounts()[0].scores.allSatisfy { abs($0 - 1) < 1e-8 })
        let none = CaptionScores([ScoredCaption(candidate: "", references: ["a dog"])])
        #expect(none.bleuCounts()[0].scores.allSatisfy { $0 == 0 || $0 < 1e-5 })
    }
}

@Suite("scores")
struct ScoreTests {
    @Test("ROC-AUC is scikit-learn's, with ties counted half")
    func area() {
        // sklearn.metrics.roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
        #expect(
            ROCAUC.area([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]) == 0.75)
        #expect(ROCAUC.area([(1, false), (1, true)]) == 0.5)
        #expect(ROCAUC.area([(1, false), (1, true), (2, true), (0, false)]) == 0.875)
        #expect(ROCAUC.area([(1, true)]) == nil && ROCAUC.area([]) == nil)
    }

    @Test(
        "a bootstrap interval holds the mean, is the same every time, and shrinks with the square root of the count"
    )
    func bootstrap() throws {
        let few = (0..<100).map { Double($0 % 2) }
        let many = (0..<10_000).map { Double($0 % 2) }
        let bootstrap = Bootstrap(resamples: 400)
        let wide = try #require(bootstrap.interval(ofMean: few))
        #expect(wide == bootstrap.interval(ofMean: few))
        let narrow = try #require(bootstrap.interval(ofMean: many))
        #expect(wide.contains(0.5) && narrow.contains(0.5))
        // 2 · 1.96 · √(0.25 / 100) = 0.196, by the normal approximation.
        #expect(abs(wide.upperBound - wide.lowerBound - 0.196) < 0.03)
        #expect(abs(narrow.upperBound - narrow.lowerBound - 0.0196) < 0.003)
        #expect(bootstrap.interval(ofMean: []) == nil)
        #expect(bootstrap.interval(ofMean: [3]) == 3...3)
    }

    @Test("numbers drawn without repetition are different, and all when there are few")
    func distinct() {
        var stream = ResamplingStream(seed: 7)
        let drawn = stream.distinct(50, below: 100)
        #expect(Set(drawn).count == 50 && drawn.allSatisfy { (0..<100).contains($0) })
        #expect(Set(stream.distinct(9, below: 4)) == [0, 1, 2, 3])
    }
}
