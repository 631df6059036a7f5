//! A bound on what steps can make of a text: each may double it, and a file may have thousands of them.

extension JSONField {
    /// Far above what the steps of any tokenizer do: LLaMA's make a space three bytes and put three before a text.
    private static let largestGrowth = 1024

    /// Throws `unsupported` when steps that each lengthen a text by these factors can together lengthen it without measure.
    func refuseGrowth(_ factors: [Int]) throws {
        var growth = 1
        for factor in factors {
            let (product, overflow) = growth.multipliedReportingOverflow(by: factor)
            guard !overflow, product <= Self.largestGrowth else {
                throw unsupported(
                    "\(factors.count) steps that make texts more than \(Self.largestGrowth) times longer",
                    supported: "at most \(Self.largestGrowth) times")
            }
            growth = product
        }
    }
}

/// How many times longer a text can get when `pattern`, which is not empty, becomes `content`.
func replacementGrowth(_ pattern: [UInt8], _ content: [UInt8]) -> Int {
    max(1, (content.count + pattern.count - 1) / pattern.count)
}
