//! What the files of a sharded run are called: `NAME.part-I-of-N.jsonl` for the output `NAME.jsonl`.

/// The names of one output's parts.
package struct PartName: Sendable {
    private static let suffix = Array(".jsonl".utf8)

    /// The output that the parts are merged into.
    package let output: PathBytes

    /// The names of the parts of `output`.
    package init(_ output: PathBytes) {
        self.output = output
    }

    /// The output without `.jsonl`.
    private var stem: [UInt8] { Self.stem(output.bytes) }

    private static func stem(_ path: [UInt8]) -> [UInt8] {
        path.count > suffix.count && path.suffix(suffix.count).elementsEqual(suffix)
            ? path.dropLast(suffix.count) : path
    }

    /// The output of one part.
    package func part(_ shard: Shard) -> PathBytes {
        PathBytes(bytes: stem + Array(".part-\(shard.index)-of-\(shard.count)".utf8) + Self.suffix)
    }

    /// Where the agreement on which file belongs to which of `count` parts is kept.
    package func agreement(_ count: Int) -> PathBytes {
        PathBytes(bytes: stem + Array(".shards-of-\(count).json".utf8))
    }

    /// The file that is to `file` what a part is to its output: `status.part-3-of-8.json`.
    package static func beside(_ file: PathBytes, _ shard: Shard) -> PathBytes {
        let name = Array(".part-\(shard.index)-of-\(shard.count)".utf8)
        let last = file.name.bytes
        guard let point = last.lastIndex(of: UInt8(ascii: ".")), point > 0 else {
            return PathBytes(bytes: file.bytes + name)
        }
        let ending = last[point...]
        return PathBytes(bytes: file.bytes.dropLast(ending.count) + name + Array(ending))
    }

    /// Where the summaries of the runs into `output` are: a folder's outputs share one file, but parts have one each
    /// (`NAME.runs-I-of-N.jsonl`), because several hosts cannot append to one file of a network file system without losing lines.
    static func summaries(besides output: PathBytes) -> PathBytes {
        let name = output.name.bytes
        guard let (stem, shard) = split(name) else {
            return output.folder.appending(PathBytes("runs.jsonl"))
        }
        let runs = stem + Array(".runs-\(shard.index)-of-\(shard.count)".utf8) + suffix
        return output.folder.appending(PathBytes(bytes: runs))
    }

    /// The parts that lie beside the output, of any number of parts, in the order of these numbers and then of their own. Throws
    /// `file` when the folder cannot be read.
    package func existing() throws(PipelineError) -> [(shard: Shard, path: PathBytes)] {
        let folder = output.folder.bytes.isEmpty ? PathBytes(".") : output.folder
        let stem = Self.stem(output.name.bytes)
        do {
            let names = try Folder(folder).entries().map(\.name)
            return names.compactMap { name in
                Self.split(name.bytes).flatMap {
                    $0.stem == stem ? ($0.shard, part($0.shard)) : nil
                }
            }.sorted { ($0.shard.count, $0.shard.index) < ($1.shard.count, $1.shard.index) }
        } catch {
            if error.code == 2 { return [] }
            throw .file(path: folder.shown, action: "look for parts", reason: error.reason)
        }
    }

    /// The stem of the output whose part a file called `name` is, and which part; nil for other files.
    private static func split(_ name: [UInt8]) -> (stem: [UInt8], shard: Shard)? {
        let opening = Array(".part-".utf8)
        guard name.suffix(suffix.count).elementsEqual(suffix) else { return nil }
        let body = Array(name.dropLast(suffix.count))
        guard let start = body.indices.last(where: { body[$0...].starts(with: opening) }) else {
            return nil
        }
        let numbers = String(decoding: body[(start + opening.count)...], as: UTF8.self)
        let parts = numbers.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "of", let index = Int(parts[0]),
            let count = Int(parts[2]), "\(index)-of-\(count)" == numbers,
            let shard = Shard(index: index, count: count)
        else { return nil }
        return (Array(body[..<start]), shard)
    }
}
