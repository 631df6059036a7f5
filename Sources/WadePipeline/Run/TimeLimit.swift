//! When a run has to end, whatever is left to do.
import Foundation

/// The end of a run: after a time, or at a time of day.
package struct TimeLimit: Sendable, Equatable {
    /// Seconds that the run may take.
    package var maximumRuntime: Int?
    /// Seconds since 1970 at which it is to end.
    package var until: Int?

    /// Nil when neither is given.
    package init?(maximumRuntime: Int?, until: Int?) {
        guard maximumRuntime != nil || until != nil else { return nil }
        self.maximumRuntime = maximumRuntime
        self.until = until
    }

    /// Seconds since 1970 of the next time after `now` at which the clock in the machine's time zone (TZ) shows `hour`:`minute`; a time
    /// that the change to summer time leaves out becomes the next one that there is.
    package static func next(hour: Int, minute: Int, after now: Int) -> Int? {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .current
        let date = calendar.nextDate(
            after: Date(timeIntervalSince1970: Double(now)),
            matching: DateComponents(hour: hour, minute: minute, second: 0),
            matchingPolicy: .nextTime)
        return date.flatMap { Int(exactly: $0.timeIntervalSince1970.rounded()) }
    }
}
