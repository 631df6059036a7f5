//! Paths as the kernel has them: bytes, which need not be UTF-8 and are never normalised.
import Foundation

/// A path, compared and ordered by its bytes: composed and decomposed `é` are two names, as they are two files.
package struct PathBytes: Sendable, Hashable, Comparable {
    /// The bytes, without a terminating zero.
    package let bytes: [UInt8]

    /// The path that `bytes` spell; a path ends at its first zero byte.
    package init(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes.prefix { $0 != 0 })
    }

    /// The path that `text` spells in UTF-8.
    package init(_ text: String) {
        self.init(bytes: Array(text.utf8))
    }

    package static func < (one: PathBytes, other: PathBytes) -> Bool {
        one.bytes.lexicographicallyPrecedes(other.bytes)
    }

    /// The path as text, bytes that are not UTF-8 replaced by U+FFFD.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether `text` cannot be turned back into the bytes.
    package var isLossy: Bool { String(validating: bytes, as: UTF8.self) == nil }

    /// The bytes in base64 when `text` is lossy, else empty.
    package var base64WhenLossy: String {
        isLossy ? Data(bytes).base64EncodedString() : ""
    }

    /// The path for messages: controls and direction marks escaped, because file names are foreign and terminals obey them.
    package var shown: String {
        text.unicodeScalars.reduce(into: "") { $0 += $1.escapedForTerminal }
    }

    /// The names between slashes, without empty ones and `.`.
    var components: [[UInt8]] {
        bytes.split(separator: UInt8(ascii: "/")).map(Array.init).filter {
            $0 != [UInt8(ascii: ".")]
        }
    }

    /// The last name; empty for `/`.
    package var name: PathBytes { PathBytes(bytes: components.last ?? []) }

    /// The last name without its extension.
    package var stem: PathBytes {
        let name = name.bytes
        guard let point = name.lastIndex(of: UInt8(ascii: ".")), point > 0 else { return self.name }
        return PathBytes(bytes: name[..<point])
    }

    /// The extension in lower-case ASCII, without its point; empty when there is none.
    package var lowercaseExtension: String {
        let name = name.bytes
        guard let point = name.lastIndex(of: UInt8(ascii: ".")), point > 0 else { return "" }
        return String(decoding: name[(point + 1)...], as: UTF8.self).lowercased()
    }

    /// The path of `name` in this folder.
    package func appending(_ name: PathBytes) -> PathBytes {
        let slash: [UInt8] = bytes.last == UInt8(ascii: "/") || bytes.isEmpty ? [] : [0x2F]
        return PathBytes(bytes: bytes + slash + name.bytes)
    }

    /// The folder that holds the last name; `/` for names at the root, empty for a bare name.
    package var folder: PathBytes {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return PathBytes("") }
        return PathBytes(bytes: slash == 0 ? [0x2F] : Array(bytes[..<slash]))
    }

    /// The path from `/`, with `current` before a relative one, without `.` and doubled slashes; `..` stays, links may be before it.
    func absolute(below current: PathBytes) -> PathBytes {
        let isAbsolute = bytes.first == UInt8(ascii: "/")
        let all = (isAbsolute ? [] : current.components) + components
        return PathBytes(bytes: [0x2F] + all.joined(separator: [0x2F]))
    }

    /// The rest of the path below `folder`; the whole path when it lies elsewhere.
    func relative(to folder: PathBytes) -> PathBytes {
        let all = components
        let outer = folder.components
        guard all.starts(with: outer) else { return self }
        return PathBytes(bytes: Array(all.dropFirst(outer.count).joined(separator: [0x2F])))
    }
}
