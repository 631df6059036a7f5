//! How far a download has come, and when it will be done.
internal import Foundation
internal import Synchronization

/// Counts bytes and says now and then where things stand.
package final class ProgressMeter: Sendable {
    private struct State: Sendable {
        var total = 0
        var here = 0
        /// Bytes that came since `start`; what an earlier run had loaded says nothing about the rate.
        var came = 0
        var label = ""
        var start = Date.distantPast
        var shown = Date.distantPast
    }

    private let state = Mutex(State())
    private let show: @Sendable (String) -> Void
    private static let interval = 0.25

    /// `show` gets a line, a few times a second at most.
    package init(show: @escaping @Sendable (String) -> Void) {
        self.show = show
    }

    /// Work of `total` bytes begins, of which `here` are here.
    func begin(_ label: String, total: Int, here: Int = 0) {
        state.withLock {
            $0 = State(total: total, here: here, label: label, start: Date())
        }
    }

    /// The work goes on under another name.
    func name(_ label: String) {
        state.withLock { $0.label = label }
    }

    /// Bytes that came, or that turned out to be worth nothing when negative.
    func add(_ bytes: Int) {
        let line = state.withLock { state -> String? in
            state.here += bytes
            state.came += max(0, bytes)
            let now = Date()
            guard now.timeIntervalSince(state.shown) >= Self.interval else { return nil }
            state.shown = now
            return Self.line(state, now)
        }
        if let line { show(line) }
    }

    private static func line(_ state: State, _ now: Date) -> String {
        var text =
            "\(state.label): \(ByteText.of(max(state.here, 0))) of \(ByteText.of(state.total))"
        let seconds = now.timeIntervalSince(state.start)
        guard seconds >= 1, state.came > 0 else { return text }
        let rate = Double(state.came) / seconds
        text += ", \(ByteText.of(Int(rate)))/s"
        let left = Double(max(state.total - state.here, 0)) / rate
        guard left < 1e6 else { return text }
        return text + ", \(span(Int(left.rounded(.up)))) left"
    }

    private static func span(_ seconds: Int) -> String {
        seconds < 60
            ? "\(seconds) s"
            : seconds < 3600
                ? "\(seconds / 60) min" : "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
