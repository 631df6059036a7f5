//! How far a piece of work has come, and when it will be done.

/// Things done of so many, for a line on a terminal.
package struct TrainingProgress: Sendable {
    /// What is being done: a stage's name, or `looking at clips`.
    let what: String
    let done: Int
    let total: Int
    /// The time that everything after the first `before` took.
    let elapsed: Duration
    /// What was done when the program started.
    var before = 0

    /// Seconds until the end at the rate so far; nil before there is one.
    package var secondsLeft: Int? {
        guard done > before else { return nil }
        let seconds = elapsed / .seconds(1)
        return Int((seconds / Double(done - before) * Double(total - done)).rounded())
    }

    /// In words, such as `tuning 50/300, 3 min left`.
    package var text: String {
        let left = secondsLeft.map { ", \(Self.duration($0)) left" } ?? ""
        return "\(what) \(done)/\(total)\(left)"
    }

    /// A length of time in at most two units.
    static func duration(_ seconds: Int) -> String {
        if seconds < 60 { return "\(seconds) s" }
        return seconds < 3600
            ? "\(seconds / 60) min" : "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
