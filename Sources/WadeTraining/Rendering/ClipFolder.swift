//! A folder of rendered videos with the truth about them beside it.
internal import Foundation
internal import Glibc
package import WadePipeline
internal import WadeVideo

/// Renders clips 0..<`count` into a folder: `000000.mp4` and so on, and `truth.jsonl` with one line per clip.
///
/// A video has its name only when it is whole, and `truth.jsonl` only when all are; until then the lines stand in
/// `truth.jsonl.part`. Rendering again keeps finished videos, so an interrupted run goes on, and a larger count adds to
/// a folder. A folder that holds clips of other settings is refused.
package struct ClipFolder: Sendable {
    package let path: PathBytes
    /// How many clips, and the first one's seed; the next ones count up from it.
    package let count: Int
    package let seed: UInt64
    package let mixture: ClipMixture
    /// Size, frames a second and length of every clip; nil draws them by the clip's seed.
    package let size: FrameSize?
    package let rate: Int?
    package let seconds: Double?

    /// A folder of these clips.
    package init(
        path: PathBytes, count: Int, seed: UInt64, mixture: ClipMixture = ClipMixture(),
        size: FrameSize? = nil, rate: Int? = nil, seconds: Double? = nil
    ) {
        self.path = path
        self.count = count
        self.seed = seed
        self.mixture = mixture
        self.size = size
        self.rate = rate
        self.seconds = seconds
    }

    /// Where the truth will stand.
    package var truthPath: PathBytes { file("truth.jsonl") }

    /// Renders what is missing with `workers` threads, and calls `progress` after each video with how many are there. Returns how many
    /// videos were rendered. Throws `locked` when another run works there, `request` when the folder holds other clips, `file` otherwise.
    package func render(
        workers: Int, progress: (_ done: Int) -> Void = { _ in }
    ) throws(PipelineError) -> Int {
        try make()
        let lock = try RunLock(output: truthPath)
        _ = lock
        let clips = (0..<count).map { clip($0) }
        let wanted = try truth(of: clips)
        let known = try knownTruth()
        let common = min(known.count, wanted.count)
        guard known[..<common] == wanted[..<common] else {
            throw .request(
                found: "\(path.shown) with clips of another seed, size or version",
                expected: "an empty folder, or the clips of an earlier run with the same options")
        }
        // A smaller count leaves a finished folder as it is.
        if known.count >= wanted.count, exists(truthPath),
            clips.allSatisfy({ exists(file($0.name)) })
        {
            return 0
        }
        let text = known.count > wanted.count ? known : wanted
        let part = file("truth.jsonl.part")
        try write(text, to: part)
        let rendered = try renderMissing(clips, workers, progress)
        try rename(part, to: truthPath)
        return rendered
    }

    private func renderMissing(
        _ clips: [FilmedClip], _ workers: Int, _ progress: (Int) -> Void
    ) throws(PipelineError) -> Int {
        var waiting = clips.filter { !exists(file($0.name)) }[...]
        let rendered = waiting.count
        var done = clips.count - rendered
        let pool = WorkerPool<FilmedClip, PipelineError?>(
            workers: workers, inFlight: workers * 2
        ) { [self] clip in
            do throws(PipelineError) {
                try renderOne(clip)
                return nil
            } catch {
                return error
            }
        }
        while let outcome = pool.next(from: { waiting.popFirst() }) {
            if let error = outcome { throw error }
            done += 1
            progress(done)
        }
        return rendered
    }

    private func renderOne(_ clip: FilmedClip) throws(PipelineError) {
        let target = file(clip.name)
        let part = file(clip.name + ".part")
        do throws(VideoError) {
            try clip.write(to: part)
        } catch {
            remove(part)
            throw .file(path: target.shown, action: "render", reason: error.message)
        }
        try rename(part, to: target)
    }

    private func clip(_ index: Int) -> FilmedClip {
        let digits = String(index)
        let name = String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".mp4"
        return FilmedClip(
            name: name, seed: seed &+ UInt64(index), mixture: mixture, size: size, rate: rate,
            seconds: seconds)
    }

    private func truth(of clips: [FilmedClip]) throws(PipelineError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for clip in clips { lines.append(try clip.truthLine()) }
        return lines
    }

    /// The lines of an earlier run, finished or not.
    private func knownTruth() throws(PipelineError) -> [[UInt8]] {
        for path in [file("truth.jsonl.part"), truthPath] where exists(path) {
            let bytes = try read(path)
            return bytes.split(separator: 0x0A).map(Array.init)
        }
        guard !exists(file("000000.mp4")) else {
            throw .request(
                found: "\(file("000000.mp4").shown) without a truth.jsonl beside it",
                expected: "an empty folder, or the clips of an earlier run with the same options")
        }
        return []
    }
}

// MARK: - Files

extension ClipFolder {
    private func file(_ name: String) -> PathBytes { path.appending(PathBytes(name)) }

    private func make() throws(PipelineError) {
        guard unsafe mkdir(terminated(path), 0o755) != 0 else { return }
        let isThere = errno == EEXIST
        var status = stat()
        let isFolder =
            unsafe isThere && stat(terminated(path), &status) == 0
            && status.st_mode & S_IFMT == S_IFDIR
        guard !isFolder else { return }
        throw .file(
            path: path.shown, action: "make the folder",
            reason: isThere ? "it is there and is no folder" : reason())
    }

    private func exists(_ path: PathBytes) -> Bool { unsafe access(terminated(path), F_OK) == 0 }

    private func remove(_ path: PathBytes) { _ = unsafe unlink(terminated(path)) }

    private func read(_ path: PathBytes) throws(PipelineError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: url(path)))
        } catch {
            throw .file(path: path.shown, action: "read", reason: error.localizedDescription)
        }
    }

    private func write(_ lines: [[UInt8]], to path: PathBytes) throws(PipelineError) {
        var bytes: [UInt8] = []
        for line in lines { bytes += line + [0x0A] }
        do {
            try Data(bytes).write(to: url(path), options: .atomic)
        } catch {
            throw .file(path: path.shown, action: "write", reason: error.localizedDescription)
        }
    }

    private func rename(_ old: PathBytes, to new: PathBytes) throws(PipelineError) {
        guard unsafe Glibc.rename(terminated(old), terminated(new)) == 0 else {
            throw .file(path: new.shown, action: "write", reason: reason())
        }
    }

    private func url(_ path: PathBytes) -> URL {
        unsafe terminated(path).withUnsafeBufferPointer { name in
            guard let start = name.baseAddress else { return URL(fileURLWithPath: ".") }
            return unsafe URL(
                fileURLWithFileSystemRepresentation: start, isDirectory: false, relativeTo: nil)
        }
    }

    private func terminated(_ path: PathBytes) -> [CChar] {
        path.bytes.map { CChar(bitPattern: $0) } + [0]
    }

    private func reason() -> String {
        guard let text = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: text)
    }
}
