//! `wade report`: a JSONL file as one page to look at.
internal import Synchronization
import WadeVideo

/// What a report holds beside words.
package struct ReportSettings: Sendable {
    /// Pictures per clip, at most; 0 for none.
    package var frames = 8
    /// Bytes that the page may have; pictures are made smaller and fewer to stay below.
    package var maximumBytes = 64_000_000
    /// Threads that decode.
    package var workers: Int
    /// Where videos are looked for.
    package var folders: [PathBytes]

    /// The defaults, with videos looked for below `folders`.
    package init(workers: Int, folders: [PathBytes]) {
        self.workers = workers
        self.folders = folders
    }
}

/// A report over one file.
package struct Report: Sendable {
    /// What was written.
    package struct Written: Sendable {
        /// Clips on the page.
        package let clips: Int
        /// Clips whose videos could not be shown, by reason.
        package let withoutPictures: [String: Int]
        /// Bytes of the page.
        package let bytes: Int
        /// How pictures were made: a sentence.
        package let pictures: String
    }

    private let file: RecordFile
    private let content: ReportContent
    private let settings: ReportSettings

    /// Reads what `selection` means of `file`.
    package init(_ file: RecordFile, _ selection: RecordSelection, _ settings: ReportSettings)
        throws
    {
        self.file = file
        content = try ReportContent(file, selection)
        self.settings = settings
    }

    /// Clips that the page will show.
    package var clipCount: Int { content.clips.count }

    /// Writes the page to `path`, whole or not at all; `progress` hears how many clips are written.
    package func write(to path: PathBytes, progress: (Int) -> Void) throws -> Written {
        let page = ReportPage(
            title: file.path.name.shown, content: content,
            pipelines: RunSummary.pipelines(besides: file.path, of: content.runs), notes: notes)
        var output = try WholeFile(path)
        try output.write(page.opening)
        let format = format
        let source = RecordedFrames(
            videos: RecordedVideos(folders: settings.folders),
            decoders: DecoderPool(capacity: settings.workers))
        // Pages that are full need no more pictures; the flag is seen by workers a little later, which costs time and nothing else.
        let isFull = Mutex(false)
        let pool = WorkerPool<ReportClip, FilmStrip>(
            workers: settings.workers, inFlight: 4 * settings.workers
        ) { clip in
            guard let format, !isFull.withLock({ $0 }) else { return .none("") }
            return format.strip(of: clip, from: source)
        }
        var rest = content.clips.makeIterator()
        var missing: [String: Int] = [:]
        var (place, pictured) = (0, 0)
        while let strip = pool.next(from: { rest.next() }) {
            let clip = content.clips[place]
            var shown = strip
            if case .pictures(let pictures) = strip {
                let size = pictures.reduce(0) { $0 + $1.base64.utf8.count }
                if output.count + size > settings.maximumBytes { isFull.withLock { $0 = true } }
            }
            if format != nil, isFull.withLock({ $0 }), !clip.shown.frames.times.isEmpty {
                shown = .none("the page is full; --max-size gives it more room")
            }
            if case .none(let reason) = shown, !reason.isEmpty {
                missing[reason, default: 0] += 1
            } else if case .pictures = shown {
                pictured += 1
            }
            try output.write(ReportArticle(clip: clip, strip: shown).html(place: place))
            place += 1
            progress(place)
        }
        let sentence = sentence(format, pictured: pictured)
        try output.write(page.closing(pictures: sentence))
        let bytes = output.count
        try output.commit()
        return Written(
            clips: place, withoutPictures: missing, bytes: bytes, pictures: sentence)
    }

    /// What clips take besides their pictures, by experience.
    private var bytesOfText: Int {
        content.clips.reduce(0) { $0 + 900 + 900 * $1.records.count }
    }

    private var format: FilmFormat? {
        guard settings.frames > 0 else { return nil }
        let room = settings.maximumBytes - 60_000 - bytesOfText
        return .fitting(content.clips, frames: settings.frames, room: room / 10 * 9)
    }

    private func sentence(_ format: FilmFormat?, pictured: Int) -> String {
        guard let format else { return "Made without pictures." }
        let limit = HTMLText.size(settings.maximumBytes)
        return "\(HTMLText.number(pictured)) of \(HTMLText.number(content.clips.count)) clips with "
            + "pictures, up to \(format.frames) each, \(format.height) pixels high, so that the page "
            + "stays below \(limit)."
    }

    private var notes: [String] {
        var notes: [String] = []
        if content.leftOut > 0 {
            notes.append(
                "\(HTMLText.number(content.leftOut)) records of other recipes are not shown.")
        }
        if file.faultCount > 0, let first = file.faults.first {
            notes.append(
                "\(HTMLText.number(file.faultCount)) lines are no records and are not shown; the first is "
                    + "line \(first.line): \(first.field): found \(first.found), expected \(first.expected)."
            )
        }
        if file.tornBytes > 0 {
            notes.append("The last line is not whole yet and is not shown.")
        }
        return notes
    }
}

extension RunSummary {
    /// The names of the pipelines of some runs into the output at `path`, as far as `runs.jsonl` tells.
    static func pipelines(besides path: PathBytes, of runs: [String]) -> [String] {
        guard let bytes = try? SmallFile.read(Self.path(besides: path)) else { return [] }
        let wanted = Set(runs)
        var names: [String] = []
        for line in bytes.split(separator: 0x0A) {
            guard let value = try? JSONReader.read(Array(line)), let id = value["run_id"]?.text,
                wanted.contains(id), let name = value["pipeline"]?.text, !names.contains(name)
            else { continue }
            names.append(name)
        }
        return names
    }
}
