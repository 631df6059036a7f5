//! The lines that were typed before, kept in a file from one dialogue to the next.
package import Foundation

/// Lines in the order in which they were typed.
package struct InputHistory: Sendable {
    /// Most lines that are kept.
    package static let most = 1000

    /// The lines.
    package private(set) var lines: [String] = []
    private let file: URL?

    /// The lines in `file`; none when it is not there, or when there is nowhere to keep them.
    package init(file: URL?) {
        self.file = file
        guard let file, let data = try? Data(contentsOf: file) else { return }
        lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
            .suffix(Self.most)
    }

    /// Where the XDG Base Directory Specification wants what a program remembers of its use; nil where it cannot be told.
    package static func standardFile(_ environment: [String: String]) -> URL? {
        let state =
            environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 + "/.local/state" : nil }
        return state.map { URL(fileURLWithPath: $0 + "/wade/chat-history") }
    }

    /// Takes a line, unless it is empty or the same as the last one, and writes the file; why it cannot be written, nil when all is well.
    package mutating func add(_ line: String) -> String? {
        let line = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard !line.isEmpty, lines.last != line else { return nil }
        lines = Array((lines + [line]).suffix(Self.most))
        guard let file else { return nil }
        do {
            let manager = FileManager.default
            try manager.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file, options: .atomic)
            // What people ask about their videos is theirs.
            try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            return nil
        } catch {
            return "\(file.path): cannot keep the history: \(error.localizedDescription)"
        }
    }
}
