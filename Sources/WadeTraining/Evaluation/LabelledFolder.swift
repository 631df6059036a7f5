//! A folder of videos with a `truth.jsonl`, looked at by a model.
internal import Foundation
package import WadeFlamingo
package import WadePipeline
internal import WadeImage
internal import WadeTensor
package import WadeVideo

/// Videos and what is true of them, as `wade render` writes them.
package struct LabelledFolder: Sendable {
    private let path: PathBytes
    private let lines: [TruthLine]

    /// Reads FOLDER/truth.jsonl; a line that is none is an error with its number.
    package init(path: PathBytes) throws(PipelineError) {
        self.path = path
        let file = path.appending(PathBytes("truth.jsonl"))
        let text: Data
        do {
            text = try Data(contentsOf: URL(fileURLWithPath: file.text))
        } catch {
            throw .file(path: file.shown, action: "read", reason: error.localizedDescription)
        }
        var lines: [TruthLine] = []
        for (index, line) in text.split(separator: 0x0A).enumerated() {
            do {
                lines.append(try JSONDecoder().decode(TruthLine.self, from: line))
            } catch {
                throw .pipeline(
                    place: "\(file.shown):\(index + 1):1", found: "\(error)",
                    expected: "a line of truth, as wade render writes it")
            }
        }
        guard !lines.isEmpty else {
            throw .file(path: file.shown, action: "evaluate", reason: "it has no lines")
        }
        self.lines = lines
    }

    /// The number of clips.
    package var count: Int { lines.count }

    /// The first `limit` clips' visual tokens, forwards and backwards in time. A clip that cannot be decoded is an error: a figure
    /// over fewer clips than asked for would say something else.
    package func clips(
        seenBy model: Flamingo, decoders: DecoderPool, limit: Int, workers: Int,
        progress: (Int) -> Void
    ) throws -> EvaluatedClips {
        let preprocessing = model.configuration.vision.preprocessing
        let frames = model.configuration.resampler.frames ?? 8
        let folder = path
        typealias Seen = (forwards: Tensor, backwards: Tensor)
        let pool = WorkerPool<TruthLine, Result<Seen, any Error>>(
            workers: workers, inFlight: 2 * workers
        ) { line in
            MatrixEngine.oneDNN.useThreads(1)
            return Result {
                let video = folder.appending(PathBytes(line.file))
                do {
                    let sampled = try decoders.read(path: video.bytes) {
                        (open) throws(VideoError) in
                        let whole = ClipSpan(
                            start: 0, end: open.metadata.duration, boundary: .whole)
                        return try open.frames(
                            at: FrameSampling.uniform(count: frames).times(in: whole),
                            preprocessing: preprocessing)
                    }.value
                    let pictures = sampled.frames.map(\.image)
                    let side = preprocessing.imageSize
                    func tokens(_ pictures: [RGBImage]) throws -> Tensor {
                        try model.visualTokens(
                            Tensor(
                                preprocessing.pixelValues(ofPictures: pictures),
                                shape: [pictures.count, 3, side, side]))
                    }
                    return (try tokens(pictures), try tokens(pictures.reversed()))
                } catch let error as VideoError {
                    throw PipelineError.file(
                        path: video.shown, action: "look at", reason: error.message)
                }
            }
        }
        var rest = lines.prefix(limit).makeIterator()
        var seen: [Seen] = []
        while let result = pool.next(from: { rest.next() }) {
            seen.append(try result.get())
            progress(seen.count)
        }
        return EvaluatedClips(
            tokens: seen.map(\.forwards), reversed: seen.map(\.backwards),
            truths: lines.prefix(limit).map(\.truth))
    }
}
