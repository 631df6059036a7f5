//! Times as RFC 3339 text in UTC.
import Glibc

/// Writes times.
enum Timestamp {
    /// `2026-11-23T02:00:07Z`, with nine digits after the seconds when `nanoseconds` is given; times outside the years 1 to 9999 become
    /// the nearest second inside.
    static func text(seconds: Int, nanoseconds: Int? = nil) -> String {
        let seconds = min(max(seconds, -62_135_596_800), 253_402_300_799)
        let days = Int((Double(seconds) / 86_400).rounded(.down))
        let second = seconds - days * 86_400
        let date = civil(days: days)
        var text = "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
        text +=
            "T\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        if let nanoseconds { text += "." + padded(nanoseconds, 9) }
        return text + "Z"
    }

    /// The present time.
    static func now() -> String {
        text(seconds: time(nil))
    }

    /// Year, month and day of the `days`-th day after 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
