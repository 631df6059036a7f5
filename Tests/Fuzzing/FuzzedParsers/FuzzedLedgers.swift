//! Outputs: what an earlier run, another program or a torn disk left in them.
import WadePipeline

extension FuzzedParser {
    func feedLedger(_ bytes: [UInt8]) throws -> Bool {
        let path = PathBytes(try ScratchFile.holding(bytes, as: "output.jsonl"))
        let ledger = try refusing([PipelineError.self]) { try Ledger(readingFrom: path) }
        let checker = try refusing([PipelineError.self]) { try RecordChecker.check(path) }
        if let ledger {
            try BrokenPromise.unless(
                ledger.wholeBytes + ledger.torn.count == bytes.count,
                "\(ledger.wholeBytes) whole and \(ledger.torn.count) torn of \(bytes.count) bytes")
        }
        if let ledger, let checker, checker.complaints == 0 {
            try BrokenPromise.unless(
                ledger.badLines == 0,
                "\(ledger.badLines) lines are right for the checker and wrong for the ledger")
        }
        for line in bytes.split(separator: 0x0A).prefix(16) { try feedRecord(Array(line)) }
        return ledger.map { $0.lines > $0.badLines } ?? false
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
