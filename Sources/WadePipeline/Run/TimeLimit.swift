//! When a run has to end, whatever is left to do.
internal import CLinux

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

    /// Seconds after a time of day during which it still means today: a run that begins only then is late and has no time left. At
    /// any other hour it means the next such time, as it does to `at` and to a job that begins at 23:00 and is to end at 06:00.
    package static let lateness = 15 * 60

    /// Seconds since 1970 at which a run that begins at `now` has to end so that the clock in the machine's time zone (TZ) shows
    /// `hour`:`minute`: the next such time, or the last one when that is no longer ago than `lateness`. A time that the change
    /// to summer time leaves out is an hour later. Nil when the system knows no such time.
    package static func end(hour: Int, minute: Int, now: Int) -> Int? {
        let moments = moments(hour: hour, minute: minute, around: now)
        if let last = moments.last(where: { $0 <= now }), now - last <= lateness { return last }
        return moments.first { $0 > now }
    }

    /// Seconds for which the end has been over at `now`; nil when it lies ahead.
    package func secondsOver(at now: Int) -> Int? {
        until.flatMap { $0 <= now ? now - $0 : nil }
    }

    /// The moments at which the clock shows `hour`:`minute` from two days before `now` to two days after, ascending.
    private static func moments(hour: Int, minute: Int, around now: Int) -> [Int] {
        (-2...2).flatMap { (days: Int32) in
            let candidates = [Int32(0), 1].compactMap { isSummer in
                var isShown: Int32 = 0
                let moment = unsafe linux_local_moment(
                    now, days, Int32(hour), Int32(minute), isSummer, &isShown)
                return moment == -1 ? nil : (moment: moment, isShown: isShown != 0)
            }
            // The end of summer time shows some times twice. Its beginning leaves some out; by the old clock they are an hour later.
            let shown = candidates.filter(\.isShown)
            return (shown.isEmpty ? Array(candidates.prefix(1)) : shown).map(\.moment)
        }.sorted()
    }
}
