//! Clips that are looked at once: their frozen features on disk, with what is known of them.
internal import Foundation
internal import WadeTensor

/// A folder of shards, each a safetensors file with the tensors of some clips in bfloat16, their facts and their paths.
package struct ClipStore: Sendable {
    /// What a shard holds of one clip.
    struct Clip: Sendable {
        /// Features (F, V, D), or visual tokens (R, D).
        var values: Tensor
        /// Visual tokens of the frames in reverse order, where they are stored.
        var reversed: Tensor?
        var facts: ShotFacts
        /// (F, 6): subject x, y, radius; camera dx, dy, log zoom.
        var path: Tensor
    }

    private let shards: [TensorArchive]
    private let paths: [Tensor]
    /// By clip.
    package let facts: [ShotFacts]
    private let clipsPerShard: Int

    /// Opens the shards in `folder`, all of which must have `clipsPerShard` clips.
    package init(folder: String, shards count: Int, clipsPerShard: Int) throws {
        self.clipsPerShard = clipsPerShard
        shards = try (0..<count).map { try Safetensors.read(path: Self.path(folder, shard: $0)) }
        facts = try shards.flatMap { try Self.facts(in: $0, count: clipsPerShard) }
        paths = try shards.map { shard in
            guard let stored = shard.tensors["paths"] else {
                throw TrainingError.file(
                    path: shard.file, found: "no tensor paths", expected: "a store of clips")
            }
            return try stored.float32()
        }
    }

    /// The file of a shard.
    static func path(_ folder: String, shard: Int) -> String {
        folder + "/" + String(format: "clips-%04d.safetensors", shard)
    }

    /// Whether the shard at `path` is there and holds what `source` says.
    static func holds(_ source: String, at path: String) -> Bool {
        (try? Safetensors.read(path: path))?.metadata["source"] == source
    }

    /// The number of clips.
    package var count: Int { facts.count }

    /// Values of a clip.
    func values(_ clip: Int, reversed: Bool = false) throws -> Tensor {
        let shard = shards[clip / clipsPerShard]
        let name = (reversed ? "reversed." : "clip.") + String(clip % clipsPerShard)
        guard let stored = shard.tensors[name] else {
            throw TrainingError.file(
                path: shard.file, found: "no tensor \(name)", expected: "a store of clips")
        }
        return try stored.float32()
    }

    /// The path of a clip, (F, 6).
    func path(_ clip: Int) -> Tensor { paths[clip / clipsPerShard][clip % clipsPerShard] }

    /// Writes a shard; it appears whole or not at all.
    /// `source` says what the clips are and what has looked at them.
    static func write(_ clips: [Clip], to path: String, source: String) throws {
        var writer = SafetensorsWriter(metadata: ["source": source])
        for (index, clip) in clips.enumerated() {
            writer.add("clip.\(index)", clip.values, as: .bfloat16)
            if let reversed = clip.reversed {
                writer.add("reversed.\(index)", reversed, as: .bfloat16)
            }
        }
        writer.add(
            "facts", bytes: clips.flatMap { $0.facts.codes }, elementType: .uint8,
            shape: [clips.count, ShotAttribute.allCases.count])
        writer.add(
            "paths",
            Tensor.concatenated(
                clips.map { $0.path.reshaped(Shape([1] + $0.path.shape.sizes)) }))
        try writer.write(to: path)
    }

    private static func facts(in shard: TensorArchive, count: Int) throws -> [ShotFacts] {
        let width = ShotAttribute.allCases.count
        guard let stored = shard.tensors["facts"], stored.shape == [count, width] else {
            throw TrainingError.file(
                path: shard.file, found: "no facts of \(count) clips", expected: "a store of clips")
        }
        let codes = try stored.uint8()
        return try (0..<count).map { clip in
            guard let facts = ShotFacts(codes: codes[clip * width..<(clip + 1) * width]) else {
                throw TrainingError.file(
                    path: shard.file, found: "facts that no attribute has",
                    expected: "a store of clips")
            }
            return facts
        }
    }
}
