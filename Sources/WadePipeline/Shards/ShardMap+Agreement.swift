//! How tasks that know nothing of each other come to follow one map.
import Glibc

extension ShardMap {
    private static let schema = "wade.shards/1"
    /// A map moves some hundredth part of the files, at 20 bytes each.
    private static let mostBytes = 1 << 30

    /// The map that is at `path`; nil when there is none. Throws `file` when it cannot be read or is something else.
    static func read(_ path: PathBytes, count: Int) throws(PipelineError) -> ShardMap? {
        if FileStatus.isMissing(path) { return nil }
        let value: JSONValue
        do {
            value = try JSONReader.read(try SmallFile.read(path, atMost: mostBytes))
        } catch {
            throw .file(path: path.shown, action: "read the parts' agreement", reason: "\(error)")
        }
        guard value["schema"]?.text == schema, value["shards"] == .integer(Int64(count)),
            let words = value["moved"]?.elements
        else {
            throw .file(
                path: path.shown, action: "follow the parts' agreement",
                reason: "found something else than the moves among \(count) parts")
        }
        var map = ShardMap(count: count)
        map.followsParts = value["follows_parts"] == .bool(true)
        for word in words {
            let parts = (word.text ?? "").split(separator: ":")
            guard parts.count == 2, let hash = UInt64(parts[0], radix: 16),
                let part = Int(parts[1]), (0..<count).contains(part)
            else {
                throw .file(
                    path: path.shown, action: "follow the parts' agreement",
                    reason: "found \(word.summary), expected a hash and a part")
            }
            map.moved[hash] = part
        }
        return map
    }

    /// Puts this map at `path` unless another task was quicker, and says the one that is there. A file system that cannot put a file in
    /// place exclusively (no hard links) gets none: then all tasks go by the hashes alone.
    func agreed(at path: PathBytes) throws(PipelineError) -> ShardMap {
        let words = moved.sorted { $0.key < $1.key }
            .map { JSONValue.string("\(String($0.key, radix: 16)):\($0.value)") }
        let bytes = try JSONWriter.bytes(of: [
            "schema": .string(Self.schema), "shards": .integer(Int64(count)),
            "follows_parts": .bool(followsParts), "moved": .array(words),
        ])
        let temporary = PathBytes(
            bytes: path.bytes + Array(".\(getpid())-\(UInt64.random(in: 0 ... .max)).part".utf8))
        let isRefused: Bool
        do throws(SystemError) {
            isRefused = try Self.place(bytes + [0x0A], at: path, by: temporary)
        } catch {
            throw .file(
                path: path.shown, action: "write the parts' agreement", reason: error.reason)
        }
        // Whatever the call said: over a network its answer may have been lost.
        if let standing = try Self.read(path, count: count) { return standing }
        guard isRefused else {
            throw .file(
                path: path.shown, action: "read the parts' agreement", reason: "it has just gone")
        }
        return ShardMap(count: count)
    }

    /// Whether the file system knows no hard links. Throws what else hinders.
    private static func place(_ bytes: [UInt8], at path: PathBytes, by temporary: PathBytes)
        throws(SystemError) -> Bool
    {
        defer { _ = unsafe temporary.withBytes { unsafe unlink($0) } }
        let file = try OpenFile(temporary, for: .updating)
        var written = 0
        while written < bytes.count { written += try file.write(bytes, from: written) }
        try file.synchronize()
        let code = unsafe temporary.withBytes { old in
            unsafe path.withBytes { new in unsafe link(old, new) }
        }
        let reason = errno
        guard code != 0 else {
            OpenFile.synchronize(folder: path.folder)
            return false
        }
        switch reason {
        case EEXIST: return false
        case EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EINVAL: return true
        default: throw SystemError(code: reason)
        }
    }
}
