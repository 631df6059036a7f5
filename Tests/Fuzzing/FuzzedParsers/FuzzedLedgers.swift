//! Outputs: what an earlier run, another program or a torn disk left in them.
import WadePipeline

extension FuzzedParser {
    func feedLedger(_ bytes: [UInt8]) throws -> Bool {
        let path = PathBytes(try ScratchFile.holding(bytes, as: "output.jsonl"))
        let ledger = try refusing([PipelineError.self]) { try Ledger(readingFrom: path) }
        if let ledger {
            try BrokenPromise.unless(
                ledger.wholeBytes + ledger.torn.count == bytes.count,
                "\(ledger.wholeBytes) whole and \(ledger.torn.count) torn of \(bytes.count) bytes")
        }
        for line in bytes.split(separator: 0x0A).prefix(16) { try feedRecord(Array(line)) }
        return ledger.map { $0.lines > $0.badLines } ?? false
    }

    /// What the checker finds nothing wrong with, the ledger must know too; and the quick way finds what the full reading does.
    func feedChecker(_ bytes: [UInt8]) throws -> Bool {
        let path = PathBytes(try ScratchFile.holding(bytes, as: "checked.jsonl"))
        let checker = try refusing([PipelineError.self]) { try RecordChecker.check(path) }
        let full = try refusing([PipelineError.self]) {
            try RecordChecker.check(path, quick: false)
        }
        try BrokenPromise.unless(
            checker?.findings == full?.findings && checker?.statuses == full?.statuses
                && checker?.replaced == full?.replaced,
            "the quick check and the full one differ")
        guard let checker, checker.complaints == 0, checker.lines > 0 else { return false }
        let ledger = try refusing([PipelineError.self]) { try Ledger(readingFrom: path) }
        try BrokenPromise.unless(
            ledger?.badLines == 0 && ledger?.lines == checker.lines,
            "\(checker.lines) lines are right for the checker and not for the ledger")
        return true
    }

    /// What can be read as a record must come back when it is written.
    private func feedRecord(_ line: [UInt8]) throws {
        let record = try refusing([PipelineError.self]) { try AnnotationRecord(line: line) }
        guard let record else { return }
        let written = try refusing([PipelineError.self]) { try record.line() }
        guard let written else { return }
        let again = try refusing([PipelineError.self]) { try AnnotationRecord(line: written) }
        let rewritten = try again?.line()
        try BrokenPromise.unless(rewritten == written, "a record that changes when it is written")
    }
}
