//! Files that people write by hand, read whole.

/// Reads pipelines and lists of demonstrations.
enum SmallFile {
    /// More than a person writes; a video given by mistake is refused.
    static let mostBytes = 16 << 20

    /// The bytes of the file at `path`, of which there must not be more than `mostBytes`.
    static func read(_ path: PathBytes, atMost mostBytes: Int = SmallFile.mostBytes)
        throws(PipelineError)
        -> [UInt8]
    {
        do {
            let file = try OpenFile(path, for: .reading)
            let status = try file.status()
            guard status.kind == .regular, status.size <= mostBytes else {
                throw PipelineError.file(
                    path: path.shown, action: "read",
                    reason: "found no regular file of at most \(mostBytes >> 20) MiB")
            }
            var buffer = [UInt8](repeating: 0, count: status.size)
            var total = 0
            while total < buffer.count {
                var rest = [UInt8](repeating: 0, count: buffer.count - total)
                let count = try file.read(into: &rest, at: total)
                guard count > 0 else { break }
                buffer.replaceSubrange(total..<total + count, with: rest[..<count])
                total += count
            }
            return Array(buffer[..<total])
        } catch let error as SystemError {
            throw .file(path: path.shown, action: "read", reason: error.reason)
        } catch let error as PipelineError {
            throw error
        } catch {
            throw .file(path: path.shown, action: "read", reason: "\(error)")
        }
    }
}
