//! The clips of files on disk, so that a file whose clips are known is not decoded to find them again.
import WadeVideo

/// Where files were cut. Found by the content of the file and the rule for cutting.
struct SpanCache: Sendable {
    /// Changes when the rules for cutting or the layout of the files do.
    private static let version = 1

    private let folder: CacheFolder
    private let recipe: [UInt8]

    /// What `folder` holds of files cut by `segmentation`.
    init(_ folder: CacheFolder, _ segmentation: Segmentation) {
        self.folder = folder
        let rule = try? JSONWriter.bytes(of: segmentation.description)
        recipe = Hexadecimal.sha256([
            Array("spans \(Self.version)".utf8), Array(FFmpegVersion.built.utf8), rule ?? [],
        ])
    }

    /// The spans of `source` as they are kept, else as `cut` finds them, which are kept then.
    func spans(of source: ClipSource, cut: ClipCutter) -> Result<[ClipSpan], ClipFailure> {
        let key = key(source.identity)
        if let kept = folder.read(key).flatMap(Self.spans) { return .success(kept) }
        let found = cut(source)
        if case .success(let spans) = found, let bytes = Self.bytes(of: spans),
            (try? FileStatus.of(source.path, followingLinks: true)) == source.identity.status
        {
            folder.write(bytes, under: key)
        }
        return found
    }

    private func key(_ identity: ContentIdentity) -> CacheFolder.Key {
        CacheFolder.Key(
            group: String(Hexadecimal.text(recipe).prefix(16)),
            name: Hexadecimal.text(Hexadecimal.sha256([recipe, identity.digest])))
    }

    private static func bytes(of spans: [ClipSpan]) -> [UInt8]? {
        try? JSONWriter.bytes(
            of: .array(
                spans.map { span in
                    [
                        "start": .number(span.start), "end": .number(span.end),
                        "boundary": .string(span.boundary.rawValue),
                    ]
                }))
    }

    private static func spans(in bytes: [UInt8]) -> [ClipSpan]? {
        guard let elements = (try? JSONReader.read(bytes))?.elements else { return nil }
        let spans = elements.compactMap { element -> ClipSpan? in
            guard case .number(let start)? = element["start"],
                case .number(let end)? = element["end"],
                let boundary = element["boundary"]?.text.flatMap(ClipSpan.Boundary.init)
            else { return nil }
            return ClipSpan(start: start, end: end, boundary: boundary)
        }
        return spans.count == elements.count && !spans.isEmpty ? spans : nil
    }
}
