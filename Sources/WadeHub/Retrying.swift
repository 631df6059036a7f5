//! When a request is tried again, and after which pause.
internal import Foundation

/// How patient a download is.
package struct Retrying: Sendable {
    /// Tries in a row without a byte of progress.
    package var attempts = 6
    /// Tries in a row that reach nobody.
    package var connectionAttempts = 3
    /// Seconds after the first failure; every further one doubles them.
    package var firstPause = 1.0
    package var longestPause = 60.0
    /// The longest wait that a hub may ask for (Retry-After).
    package var longestWait = 900.0

    package init() {}

    /// Seconds to wait after `failures` failures in a row; `asked` is what the hub asks for.
    func pause(after failures: Int, asked: Double?) -> Double {
        if let asked { return asked }
        let doubled = firstPause * pow(2, Double(min(failures, 16) - 1))
        // Many downloads that failed together shall not come back together.
        return min(doubled, longestPause) * Double.random(in: 0.75...1.25)
    }

    /// Runs `body` until it succeeds, fails for good, or fails too often in a row.
    func retried<Result>(_ body: () throws(HubFault) -> Result) throws(HubError) -> Result {
        var failures = 0
        while true {
            do {
                return try body()
            } catch {
                failures += 1
                try wait(after: error, failures: failures)
            }
        }
    }

    /// Waits after the last of `failures` failures in a row, or throws when there were enough.
    func wait(after fault: HubFault, failures: Int) throws(HubError) {
        var limit = attempts
        if case .unreachable = fault.error { limit = connectionAttempts }
        guard fault.isTransient, failures < limit, fault.pause ?? 0 <= longestWait else {
            throw fault.error
        }
        Thread.sleep(forTimeInterval: pause(after: failures, asked: fault.pause))
    }
}

/// A failed request, and whether another try may help.
struct HubFault: Error {
    let error: HubError
    var isTransient = false
    /// Seconds that the hub asks to wait.
    var pause: Double?
}

/// The `Retry-After` field: seconds, or a date (RFC 9110, 10.2.3).
enum RetryAfter {
    static func seconds(_ text: String?, now: Date = Date()) -> Double? {
        guard let text = text?.trimmingCharacters(in: .whitespaces) else { return nil }
        if let seconds = Double(text), seconds.isFinite { return max(0, seconds) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return format.date(from: text).map { max(0, $0.timeIntervalSince(now)) }
    }
}
