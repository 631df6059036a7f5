//! What a file is, whatever it is called: the hash of its bytes.
import Crypto
import Foundation

/// The identity of a file's content with the status it had while it was read.
package struct ContentIdentity: Sendable, Equatable {
    /// SHA-256 of the bytes.
    package var digest: [UInt8]
    /// Size and times.
    package var status: FileStatus

    /// `sha256:` and the hash in hexadecimal digits, as the record has it.
    package var text: String { "sha256:" + Hexadecimal.text(digest) }

    /// Bytes read at once: large enough that the hash, not the call, is what takes the time.
    private static let blockSize = 1 << 20

    /// The identity of the file at `path`. `known` may give the hash for a status seen before, so that a folder is not
    /// read again every night; then the file is not even opened, so one that was answered and cannot be opened any more keeps
    /// its one record. Throws when the file cannot be read, is empty, no regular file, or changes meanwhile, when it takes longer than
    /// `seconds` (0 for any time), and soon after a stop is wished: a terabyte takes half an hour.
    package static func read(
        _ path: PathBytes, known: (FileStatus) -> [UInt8]?, seconds: Int = 0,
        stop: StopRequest? = nil
    ) throws(ClipFailure) -> ContentIdentity {
        if let status = try? FileStatus.of(path, followingLinks: true), status.kind == .regular,
            let digest = known(status)
        {
            return ContentIdentity(digest: digest, status: status)
        }
        do {
            let file = try OpenFile(path, for: .reading)
            let status = try file.status()
            guard status.kind == .regular else {
                throw ClipFailure(
                    code: .notRegularFile, stage: .read, message: "no regular file")
            }
            guard status.size > 0 else {
                throw ClipFailure(code: .emptyFile, stage: .read, message: "0 bytes")
            }
            let end = seconds > 0 ? ContinuousClock.now + .seconds(seconds) : nil
            let isOver = { stop?.reason != nil || end.map { ContinuousClock.now > $0 } ?? false }
            guard let (digest, count) = try hash(file, isOver) else {
                throw ClipFailure(
                    code: .timeout, stage: .read,
                    message:
                        "the time limit for one file is over before all \(status.size) bytes are hashed"
                )
            }
            let after = try file.status()
            guard count == status.size, after == status else {
                throw ClipFailure(
                    code: .changedWhileReading, stage: .read,
                    message: "size or time changed between the first and the last byte")
            }
            return ContentIdentity(digest: digest, status: status)
        } catch let failure as ClipFailure {
            throw failure
        } catch let error as SystemError {
            throw ClipFailure(code: error.failureCode, stage: .read, message: error.reason)
        } catch {
            throw ClipFailure(code: .internal, stage: .read, message: "\(error)")
        }
    }

    /// The hash and the number of bytes; nil when the time for it `isOver` first.
    private static func hash(
        _ file: borrowing OpenFile, _ isOver: () -> Bool
    ) throws(SystemError) -> ([UInt8], Int)? {
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: blockSize)
        var total = 0
        while !isOver() {
            let count = try file.read(into: &buffer)
            guard count > 0 else { return (Array(hash.finalize()), total) }
            hash.update(data: buffer[..<count])
            total += count
        }
        return nil
    }
}

/// What has happened to a file since its content was read.
enum FileChange: Sendable {
    /// Its name means another content.
    case changed
    /// Nothing has its name.
    case gone
}

extension ContentIdentity {
    /// What has happened to the file at `path` since then; nil for nothing. A file system may number its files anew at any time, so size
    /// and time decide.
    func change(at path: PathBytes) -> FileChange? {
        guard let now = try? FileStatus.of(path, followingLinks: true) else {
            return FileStatus.isMissing(path) ? .gone : nil
        }
        let isSame =
            now.kind == status.kind && now.size == status.size && now.modified == status.modified
        return isSame ? nil : .changed
    }
}

extension ClipFailure {
    /// A file that changed between the reading of its content and the end of its decoding.
    static let changed = ClipFailure(
        code: .changedWhileReading, stage: .decode,
        message: "size or time changed after its content was read")
}

/// Hexadecimal digits.
enum Hexadecimal {
    /// Two lower-case digits for each byte.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `digits` spell; nil when they are no lower-case pairs of digits.
    static func bytes(_ digits: some Collection<UInt8>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x61 + 10
            default: return nil
            }
            if let upper = high {
                bytes.append(upper << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }

    /// The SHA-256 of fields, each after its length, so that no two lists of fields are the same bytes.
    static func sha256(_ fields: [[UInt8]]) -> [UInt8] {
        var hash = SHA256()
        for field in fields {
            hash.update(data: Array("\(field.count):".utf8))
            hash.update(data: field)
        }
        return Array(hash.finalize())
    }
}
