//! What the fuzzer once found, and the seeds it starts from, go through the parsers in every test run.
import Foundation
import Testing
import WadeFuzzedParsers

// One after the other: the parsers' inputs are files of one name.
@Suite("Fuzzed parsers", .serialized)
struct PastCrasherTests {
    /// The files of `folder` (`Seeds` or `Crashers`) for `parser`, sorted by name.
    private func inputs(_ folder: String, _ parser: FuzzedParser) -> [URL] {
        let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fuzzing/\(folder)")
            .appendingPathComponent(parser.rawValue)
        let files = try? FileManager.default.contentsOfDirectory(
            at: place, includingPropertiesForKeys: nil)
        return (files ?? []).sorted { $0.path < $1.path }
    }

    @Test("inputs that once broke a parser are read or refused", arguments: FuzzedParser.allCases)
    func pastCrashers(parser: FuzzedParser) throws {
        for file in inputs("Crashers", parser) {
            let bytes = Array(try Data(contentsOf: file))
            #expect(throws: Never.self, "\(file.lastPathComponent)") { try parser.feed(bytes) }
        }
    }

    @Test(
        "every parser reads its seeds, but for those named refused",
        arguments: FuzzedParser.allCases)
    func seeds(parser: FuzzedParser) throws {
        let files = inputs("Seeds", parser)
        #expect(!files.isEmpty)
        for file in files {
            let isRead = try parser.feed(Array(try Data(contentsOf: file)))
            let expected = !file.lastPathComponent.hasPrefix("refused")
            #expect(isRead == expected, "\(file.lastPathComponent)")
        }
    }

    @Test(
        "seeds cut short or with changed bytes are read or refused",
        arguments: FuzzedParser.allCases)
    func damagedSeeds(parser: FuzzedParser) throws {
        for file in inputs("Seeds", parser) {
            let bytes = Array(try Data(contentsOf: file))
            let step = max(1, bytes.count / 16)
            for position in stride(from: 0, to: bytes.count, by: step) {
                try parser.feed(Array(bytes[..<position]))
                for changed: UInt8 in [0xFF, bytes[position] ^ 1, UInt8(ascii: "9")] {
                    var copy = bytes
                    copy[position] = changed
                    try parser.feed(copy)
                }
            }
        }
    }
}
