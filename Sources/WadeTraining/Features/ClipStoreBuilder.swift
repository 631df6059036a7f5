//! Fills stores of clips: renders and looks with the frozen vision encoder, or resamples what was looked at.
internal import Foundation
internal import WadeFlamingo
internal import WadeImage
internal import WadePipeline
internal import WadeTensor

/// Builds what is missing of a store, shard by shard, on all cores; a shard that is there is whole. One that something else has looked
/// at is made anew.
struct ClipStoreBuilder {
    let folder: String
    /// The digest of the parameters that look.
    let observer: String
    let workers: Int
    let log: TrainingLog
    let stop: StopRequest

    /// Renders `count` clips from `firstSeed` on and stores their features (F, V, D); nil when a stop was wished.
    func features(
        _ configuration: FlamingoConfiguration, _ vision: VisionEncoder,
        renderer: ClipRenderer, firstSeed: UInt64, count: Int
    ) throws -> ClipStore? {
        let size = configuration.vision.imageSize
        let frames = configuration.resampler.frames ?? 8
        return try build(count, source: "rendered from \(firstSeed), seen by \(observer)") {
            shard in
            try (0..<TrainingRecipe.clipsPerShard).map { index in
                let seed = firstSeed &+ UInt64(shard * TrainingRecipe.clipsPerShard + index)
                let clip = renderer.clip(seed: seed, frames: frames, width: size, height: size)
                let pixels = configuration.vision.preprocessing.pixelValues(of: clip.frames)
                return ClipStore.Clip(
                    values: try vision(Tensor(pixels, shape: [frames, 3, size, size])),
                    facts: ShotFacts(clip.truth),
                    path: Tensor(
                        clip.path.flatMap { [$0.x, $0.y, $0.radius, $0.dx, $0.dy, $0.logZoom] },
                        shape: [frames, 6]))
            }
        }
    }

    /// Stores the visual tokens (R, D) of all clips of `store`, forwards and backwards in time; nil when a stop was wished.
    func visualTokens(of store: ClipStore, _ resampler: PerceiverResampler) throws -> ClipStore? {
        try build(store.count, source: "resampled by \(observer)") { shard in
            try (0..<TrainingRecipe.clipsPerShard).map { index in
                let clip = shard * TrainingRecipe.clipsPerShard + index
                let features = try store.values(clip)
                return ClipStore.Clip(
                    values: try resampler(features),
                    reversed: try resampler(features.reversedRows()), facts: store.facts[clip],
                    path: store.path(clip))
            }
        }
    }

    private func build(
        _ count: Int, source: String,
        shard make: @escaping @Sendable (Int) throws -> [ClipStore.Clip]
    ) throws -> ClipStore? {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let shards = count / TrainingRecipe.clipsPerShard
        let folder = self.folder
        let missing = (0..<shards).filter {
            !ClipStore.holds(source, at: ClipStore.path(folder, shard: $0))
        }
        let pool = WorkerPool<Int, Result<Int, any Error>>(workers: workers, inFlight: workers) {
            shard in
            MatrixEngine.oneDNN.useThreads(1)
            MatrixEngine.openBLAS.useThreads(1)
            return Result {
                try ClipStore.write(
                    try make(shard), to: ClipStore.path(folder, shard: shard),
                    source: source)
                return shard
            }
        }
        var rest = missing.makeIterator()
        var done = 0
        let (start, what) = (ContinuousClock.now, PathBytes(folder).name.text)
        while let result = pool.next(from: { stop.reason == nil ? rest.next() : nil }) {
            _ = try result.get()
            done += 1
            log.show(
                TrainingProgress(
                    what: "shards of \(what)", done: done, total: missing.count,
                    elapsed: ContinuousClock.now - start))
            if done % 20 == 0 { log.note("\(folder): \(done) of \(missing.count) shards") }
        }
        guard done == missing.count else { return nil }
        return try ClipStore(
            folder: folder, shards: shards, clipsPerShard: TrainingRecipe.clipsPerShard)
    }
}
