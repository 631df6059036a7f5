//! Messages to standard error, for people or for machines.
import Foundation
import Logging

/// A log handler that writes each message as one line.
struct StandardErrorLog: LogHandler {
    /// How lines are written.
    let format: LogFormat
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    /// A handler that writes messages of at least `logLevel`.
    init(format: LogFormat, logLevel: Logger.Level) {
        self.format = format
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        FileHandle.standardError.write(Data((line(event) + "\n").utf8))
    }

    private func line(_ event: LogEvent) -> String {
        guard format == .json else { return "wade: \(event.message)" }
        let fields = [
            "level": event.level.rawValue, "message": "\(event.message)",
            "time": Date.ISO8601FormatStyle().format(Date()),
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = (try? encoder.encode(fields)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
