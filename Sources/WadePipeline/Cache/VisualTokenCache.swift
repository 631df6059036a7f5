//! The visual tokens of clips on disk: a new question about a clip that was looked at before opens no decoder and runs no vision encoder.
internal import Foundation
package import WadeFlamingo
package import WadeTensor
package import WadeVideo

/// Clips as a model's vision encoder and resampler gave them. A clip is found by the content of its file, its span, and everything
/// else that decides visual tokens or what a record says about the frames; language model, prompts and file names play no part.
package struct VisualTokenCache: Sendable {
    /// Changes when decoding, sampling, resizing or the layout of the files do.
    private static let version = 2

    private let folder: CacheFolder
    /// Everything that all clips have in common, hashed.
    private let recipe: [UInt8]
    /// D
    private let width: Int
    /// Values of a clip's embedding.
    private let embeddingWidth: Int

    /// The clips in `folder` that the model with `configuration` and `weightsSHA256` has seen as `pipeline` has it look at them.
    package init(
        _ folder: CacheFolder, _ configuration: FlamingoConfiguration, weightsSHA256: String,
        pipeline: Pipeline
    ) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        self.folder = folder
        width = configuration.resampler.width
        embeddingWidth = configuration.vision.width
        // What is not asked for is not mentioned, so that what is kept stays good.
        let near = try pipeline.nearIdentical.map {
            try JSONWriter.bytes(of: ["near_identical": .number($0)])
        }
        recipe = Hexadecimal.sha256(
            [
                Array("visual tokens \(Self.version)".utf8),
                Array(Program.numericsVersion.utf8),
                Array(
                    Arithmetic(
                        precision: pipeline.precision(storedAs: configuration.storedPrecision)
                    ).version.utf8),
                Array(FFmpegVersion.built.utf8), Array(weightsSHA256.utf8),
                Array(configuration.family.rawValue.utf8),
                Array(try encoder.encode(configuration.vision)),
                Array(try encoder.encode(configuration.resampler)),
                try JSONWriter.bytes(of: pipeline.sampling.description),
            ] + [near].compactMap { $0 })
    }

    /// Whether it holds no clip, so that the first one will need a decoder.
    package var isEmpty: Bool { folder.isEmpty(group) }

    /// The clip of `span` in `source`, the whole file when nil: what is kept, else what `encode` makes, which is kept then.
    package func clip(
        _ source: ClipSource, _ span: ClipSpan?,
        encode: () -> Result<EncodedClip<Tensor>, ClipFailure>
    ) -> Result<EncodedClip<Tensor>, ClipFailure> {
        let key = key(source.identity, span)
        if let kept = folder.read(key).flatMap({ clip(in: $0) }) { return .success(kept) }
        let made = encode()
        // A file that changes while it is decoded would be remembered under the content that it had before.
        if case .success(let clip) = made, let bytes = bytes(of: clip),
            (try? FileStatus.of(source.path, followingLinks: true)) == source.identity.status
        {
            folder.write(bytes, under: key)
        }
        return made
    }

    private var group: String { String(Hexadecimal.text(recipe).prefix(16)) }

    private func key(_ identity: ContentIdentity, _ span: ClipSpan?) -> CacheFolder.Key {
        let place = span.map { "\($0.start.bitPattern) \($0.end.bitPattern) \($0.boundary)" }
        return CacheFolder.Key(
            group: group,
            name: Hexadecimal.text(
                Hexadecimal.sha256([recipe, identity.digest, Array((place ?? "whole").utf8)])))
    }

    // MARK: - Bytes

    /// A record without an answer, for what records say about the clip, and behind its newline the embedding and the visual tokens in
    /// row-major order, little-endian float32: the precision in which they are used. Nil for a clip of which no record could be
    /// written.
    private func bytes(of clip: EncodedClip<Tensor>) -> [UInt8]? {
        var record = AnnotationRecord()
        record.video = clip.video
        record.clip.start = clip.span.start
        record.clip.end = clip.span.end
        record.clip.boundary =
            AnnotationRecord.Boundary(rawValue: clip.span.boundary.rawValue) ?? .whole
        record.frames = clip.frames
        record.flags = clip.flags
        guard clip.embedding.count == embeddingWidth, var bytes = try? record.line() else {
            return nil
        }
        for value in clip.embedding + clip.tokens.values {
            let bits = value.bitPattern
            for shift in [0, 8, 16, 24] as [UInt32] {
                bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
        return bytes
    }

    /// The clip that `bytes` say; nil when another version of the program wrote them.
    private func clip(in bytes: [UInt8]) -> EncodedClip<Tensor>? {
        guard let end = bytes.firstIndex(of: 0x0A),
            let record = try? AnnotationRecord(line: Array(bytes[..<end])),
            let boundary = ClipSpan.Boundary(rawValue: record.clip.boundary.rawValue)
        else { return nil }
        let values = bytes[(end + 1)...]
        let tokenBytes = values.count - 4 * embeddingWidth
        guard tokenBytes > 0, tokenBytes.isMultiple(of: 4 * width) else { return nil }
        let floats = unsafe values.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { index in
                Float(
                    bitPattern: UInt32(
                        littleEndian: unsafe raw.loadUnaligned(
                            fromByteOffset: 4 * index, as: UInt32.self)))
            }
        }
        let tokens = Array(floats[embeddingWidth...])
        var clip = EncodedClip(
            tokens: Tensor(tokens, shape: [tokens.count / width, width]), video: record.video,
            span: ClipSpan(start: record.clip.start, end: record.clip.end, boundary: boundary),
            frames: record.frames, flags: record.flags,
            embedding: Array(floats[..<embeddingWidth]))
        clip.isCached = true
        return clip
    }
}
