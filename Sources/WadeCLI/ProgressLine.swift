//! One line on a terminal that says how far a run has come.
import Foundation
import WadePipeline

/// Rewrites its line in place.
struct ProgressLine {
    /// Whether anything is written.
    let isShown: Bool
    private let start = ContinuousClock().now

    /// A line that is written when `isShown`.
    init(isShown: Bool) {
        self.isShown = isShown
    }

    /// Shows files done, answers per second, the time that is left at this rate, and failures.
    func show(_ progress: RunProgress) {
        guard isShown else { return }
        let seconds = Double((ContinuousClock().now - start).components.seconds)
        let written = progress.summary.answers + progress.summary.copies
        var text = "\(progress.filesSeen)/\(progress.filesFound) files, \(written) answers"
        if seconds >= 1 {
            text += String(format: ", %.2f/s", Double(written) / seconds)
            let left = progress.filesFound - progress.filesSeen
            if progress.filesSeen > 0 {
                let remaining = Int(seconds / Double(progress.filesSeen) * Double(left))
                text += ", \(duration(remaining)) left"
            }
        }
        if progress.summary.failures > 0 { text += ", \(progress.summary.failures) failed" }
        write("\r\u{1B}[K\(text)")
    }

    /// Shows a text in the place of the one before.
    func show(_ text: String) {
        if isShown { write("\r\u{1B}[K\(text)") }
    }

    /// Removes the line.
    func clear() {
        if isShown { write("\r\u{1B}[K") }
    }

    private func duration(_ seconds: Int) -> String {
        seconds < 60
            ? "\(seconds) s"
            : seconds < 3600
                ? "\(seconds / 60) min" : "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
