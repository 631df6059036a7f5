//! What a hub says a file's bytes are.
internal import Crypto
internal import Foundation
internal import Synchronization

/// The hash of a file's content as hubs name it.
package enum Checksum: Sendable, Hashable, CustomStringConvertible {
    /// Of large files: SHA-256, in hexadecimal digits.
    case sha256(String)
    /// Of small files: git's name of a blob, SHA-1 over a header with the size and the bytes.
    case gitBlob(String)

    /// The checksum that `tag` states: an entity tag of 64 or 40 hexadecimal digits, in quotes or not; nil for anything else.
    package init?(tag: String?) {
        guard var text = tag else { return nil }
        if text.hasPrefix("W/") { text.removeFirst(2) }
        text = text.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        switch text.utf8.count {
        case 64: self = .sha256(text)
        case 40: self = .gitBlob(text)
        default: return nil
        }
    }

    /// The digits, which name the file in a hub's cache.
    package var digits: String {
        switch self {
        case .sha256(let digits), .gitBlob(let digits): digits
        }
    }

    package var description: String {
        switch self {
        case .sha256(let digits): "sha256 \(digits)"
        case .gitBlob(let digits): "git blob \(digits)"
        }
    }

    /// The same kind of checksum of the file at `path`, of which only the first `size` bytes count. `seen` is told how many bytes were
    /// read.
    package func found(
        at path: String, size: Int, seen: (Int) -> Void = { _ in }
    ) throws(HubError) -> Checksum {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw .disk(path: path, action: "read", reason: "no readable file")
        }
        defer { try? file.close() }
        var sha256 = SHA256()
        var sha1 = Insecure.SHA1()
        let isBlob = if case .gitBlob = self { true } else { false }
        if isBlob { sha1.update(data: Data("blob \(size)\0".utf8)) }
        var left = size
        while left > 0 {
            let piece: Data
            do {
                piece = try file.read(upToCount: min(left, 1 << 22)) ?? Data()
            } catch {
                throw .disk(path: path, action: "read", reason: error.localizedDescription)
            }
            guard !piece.isEmpty else { break }
            if isBlob { sha1.update(data: piece) } else { sha256.update(data: piece) }
            left -= piece.count
            seen(piece.count)
        }
        return isBlob
            ? .gitBlob(Self.digits(sha1.finalize())) : .sha256(Self.digits(sha256.finalize()))
    }

    private static func digits(_ digest: some Sequence<UInt8>) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
