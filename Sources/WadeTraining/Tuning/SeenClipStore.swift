//! A user's clips that are looked at once: what the frozen parts make of each, in a file of its own.
internal import Foundation
internal import WadePipeline
internal import WadeTensor

/// A folder with one safetensors file per clip, named by the clip's content.
struct SeenClipStore: Sendable {
    /// What is kept of a clip.
    enum Kind: String, Sendable {
        /// Patch features (F, V, D) in bfloat16: the vision encoder is frozen.
        case features
        /// Normalised pixels (F, 3, S, S) in float16, which tells all 8-bit values apart: the vision encoder is trained, too.
        case pixels
    }

    let folder: String
    let kind: Kind
    /// What has looked, and at which frames: files that something else has made are made anew.
    let observer: String

    private var source: String { "\(kind.rawValue) by \(observer)" }

    private func path(_ clip: ClipContent) -> String {
        "\(folder)/\(clip.name).safetensors"
    }

    /// Whether the clip was looked at.
    func holds(_ clip: ClipContent) -> Bool {
        (try? Safetensors.read(path: path(clip)))?.metadata["source"] == source
    }

    /// Keeps the values of a clip; the file appears whole or not at all.
    func write(_ values: Tensor, of clip: ClipContent) throws {
        var writer = SafetensorsWriter(metadata: ["source": source])
        writer.add("values", values, as: kind == .features ? .bfloat16 : .float16)
        try writer.write(to: path(clip))
    }

    /// What was kept of a clip.
    func values(_ clip: ClipContent) throws -> Tensor {
        let archive = try Safetensors.read(path: path(clip))
        guard archive.metadata["source"] == source, let values = archive.tensors["values"] else {
            throw TrainingError.file(
                path: path(clip), found: "the values of another look at the clip",
                expected: source)
        }
        return try values.float32()
    }
}

/// A clip by the bytes of its file, whatever the file is called.
struct ClipContent: Sendable, Hashable, Comparable {
    /// SHA-256 of the file.
    let digest: [UInt8]

    /// A file's name for it.
    var name: String {
        digest.prefix(16).map { String(format: "%02x", $0) }.joined()
    }

    /// Where the content falls between 0 and 1: evenly, and always in the same place.
    var place: Double {
        Double(digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) / 0x1p64
    }

    static func < (one: ClipContent, other: ClipContent) -> Bool {
        one.digest.lexicographicallyPrecedes(other.digest)
    }
}
