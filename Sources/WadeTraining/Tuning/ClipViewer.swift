//! Looks at a user's clips once: identity, frames from a decoder process, and the frozen vision encoder.
internal import Foundation
internal import WadeFlamingo
internal import WadeImage
internal import WadePipeline
internal import WadeTensor
internal import WadeVideo

/// Fills a store, on all cores. What cannot be read or decoded costs its lines, not the run.
struct ClipViewer {
    let decoders: DecoderPool
    let preprocessing: Preprocessing
    let sampling: FrameSampling
    /// The encoder whose features are stored; nil when pixels are.
    let vision: VisionEncoder?
    let store: SeenClipStore
    let workers: Int
    let log: TrainingLog
    let stop: StopRequest

    /// Why a file cannot be used, in a sentence.
    private struct Fault: Error, Sendable {
        let reason: String
        /// The machine is to blame, and every clip would fail in the same way.
        var endsRun = false
    }

    private typealias Named = (path: PathBytes, content: ClipContent)

    /// The content of each file that is now in the store, and the reasons why the others are not; nil when a stop was wished.
    func look(at paths: [PathBytes]) throws -> (
        seen: [PathBytes: ClipContent], faults: [PathBytes: String]
    )? {
        try FileManager.default.createDirectory(
            atPath: store.folder, withIntermediateDirectories: true)
        var faults: [PathBytes: String] = [:]
        var contents: [PathBytes: ClipContent] = [:]
        // First the identities: two names of one clip must not be written at once.
        let identified = try each(paths, "reading clips") { path in
            do throws(ClipFailure) {
                return .success(
                    ClipContent(digest: try ContentIdentity.read(path, known: { _ in nil }).digest))
            } catch {
                return .failure(Fault(reason: "\(error.code.rawValue): \(error.message)"))
            }
        }
        guard let identified else { return nil }
        for (path, result) in zip(paths, identified) {
            switch result {
            case .success(let content): contents[path] = content
            case .failure(let fault): faults[path] = fault.reason
            }
        }
        var met: Set<ClipContent> = []
        let missing = paths.compactMap { path -> Named? in
            guard let content = contents[path], met.insert(content).inserted,
                !store.holds(content)
            else { return nil }
            return (path, content)
        }
        let seen = try each(missing, "looking at clips") { see($0) }
        guard let seen else { return nil }
        var unseen: [ClipContent: String] = [:]
        for (clip, result) in zip(missing, seen) {
            guard case .failure(let fault) = result else { continue }
            if fault.endsRun { throw PipelineError.system(fault.reason) }
            unseen[clip.content] = fault.reason
        }
        for (path, content) in contents {
            guard let reason = unseen[content] else { continue }
            faults[path] = reason
            contents[path] = nil
        }
        return (contents, faults)
    }

    /// The results of `work` in the order of `inputs`; nil when a stop was wished first.
    private func each<Input: Sendable, Output: Sendable>(
        _ inputs: [Input], _ doing: String,
        _ work: @escaping @Sendable (Input) -> Result<Output, Fault>
    ) throws -> [Result<Output, Fault>]? {
        let pool = WorkerPool<Input, Result<Output, Fault>>(
            workers: workers, inFlight: 2 * workers, work: work)
        var rest = inputs.makeIterator()
        var results: [Result<Output, Fault>] = []
        let start = ContinuousClock.now
        while let result = pool.next(from: { stop.reason == nil ? rest.next() : nil }) {
            results.append(result)
            log.show(
                TrainingProgress(
                    what: doing, done: results.count, total: inputs.count,
                    elapsed: ContinuousClock.now - start))
        }
        return results.count == inputs.count ? results : nil
    }

    /// Decodes a clip as `wade annotate` does and keeps what the store keeps of it.
    @Sendable private func see(_ clip: Named) -> Result<Bool, Fault> {
        // One thread per worker: sums then come in the same order for any number of workers.
        MatrixEngine.oneDNN.useThreads(1)
        MatrixEngine.openBLAS.useThreads(1)
        do {
            let sampled = try decoders.read(path: clip.path.bytes) { (open) throws(VideoError) in
                let whole = ClipSpan(start: 0, end: open.metadata.duration, boundary: .whole)
                return try open.frames(
                    at: sampling.times(in: whole), preprocessing: preprocessing)
            }.value
            let pictures = sampled.frames.map(\.image)
            let side = preprocessing.imageSize
            let pixels = Tensor(
                preprocessing.pixelValues(ofPictures: pictures),
                shape: [pictures.count, 3, side, side])
            let values = try vision.map { vision in
                try encodingDistinctFrames(of: pixels) { try vision($0) }
            }
            try store.write(values ?? pixels, of: clip.content)
            return .success(true)
        } catch let error as VideoError {
            return .failure(Fault(reason: error.description, endsRun: error.isFaultOfSystem))
        } catch {
            return .failure(Fault(reason: "\(error)"))
        }
    }
}
