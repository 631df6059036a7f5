//! What can go wrong between a hub and the disk.
internal import WadePipeline

/// Errors of the hub room: each says where, what was found and what was expected.
package enum HubError: Error, Equatable, CustomStringConvertible {
    /// No connection to the hub.
    case unreachable(host: String, reason: String)
    /// The hub says no.
    case refused(url: String, status: Int, advice: String)
    /// The hub answers something else than it should.
    case answer(url: String, found: String, expected: String)
    /// A file is not what the hub says it is.
    case checksum(file: String, found: String, expected: String)
    /// The disk or a folder of ours.
    case disk(path: String, action: String, reason: String)
    /// Less space than the files need.
    case space(path: String, needed: Int, free: Int)
    /// Without a hub some files are missing.
    case offline(reason: String, missing: [MissingFiles])
    /// Another process is at the same work.
    case locked(path: String, holder: String)
    /// Something that nobody can ask for.
    case request(found: String, expected: String)

    /// Files of one folder that somebody has to bring.
    package struct MissingFiles: Equatable, Sendable {
        /// `organisation/name` and its revision.
        package let repository: String
        /// Names, or names of which one is enough.
        package let files: [String]
        /// Where they belong.
        package let folder: String
    }

    package var description: String {
        switch self {
        case .unreachable(let host, let reason):
            return "\(shown(host)): no connection: \(shown(reason))"
        case .refused(let url, let status, let advice):
            return "\(shown(url)): found status \(status), expected the file: \(advice)"
        case .answer(let url, let found, let expected):
            return "\(shown(url)): found \(shown(found)), expected \(expected)"
        case .checksum(let file, let found, let expected):
            return "\(shown(file)): found \(found), expected \(expected)"
        case .disk(let path, let action, let reason):
            return "\(shown(path)): cannot \(action): \(reason)"
        case .space(let path, let needed, let free):
            return "\(shown(path)): found \(ByteText.of(free)) free, expected "
                + "\(ByteText.of(needed)) for the download and the bundle made of it"
        case .offline(let reason, let missing):
            let lines = missing.map {
                "\n  of \($0.repository): \($0.files.joined(separator: ", "))\n    into \(shown($0.folder))"
            }
            return "\(reason); with these files in place the same command needs no network:"
                + lines.joined()
        case .locked(let path, let holder):
            return "\(shown(path)): another wade model pull is at work: \(shown(holder))"
        case .request(let found, let expected):
            return "found \(shown(found)), expected \(expected)"
        }
    }

    /// Foreign text, fit for a terminal.
    private func shown(_ text: String) -> String { PathBytes(text).shown }
}

/// Sizes in words.
package enum ByteText {
    /// Powers of 1000, as disks and downloads are sold: `4.19 GB`.
    package static func of(_ bytes: Int) -> String {
        let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")]
        guard let (size, unit) = units.first(where: { bytes >= $0.0 }) else {
            return "\(bytes) bytes"
        }
        // Whole numbers only: hundredths of the unit, rounded.
        let hundredths = (bytes / (size / 1000) + 5) / 10
        let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
        if whole >= 100 { return "\(rest < 50 ? whole : whole + 1) \(unit)" }
        return rest < 10 ? "\(whole).0\(rest) \(unit)" : "\(whole).\(rest) \(unit)"
    }
}
