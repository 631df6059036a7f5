//! The way from a record back to its file: by name below some folders, and only if the content is still the same.
import Foundation
import Synchronization

/// Why nothing can be shown of what a record is about: a sentence for people.
package struct NoPictures: Error, Equatable, Sendable {
    /// The sentence, without a full stop.
    package let reason: String
}

/// Finds the files of records.
package final class RecordedVideos: Sendable {
    private let folders: [PathBytes]
    /// Hashes of files whose time is not the record's: they are read once, not for every clip.
    private let digests = Mutex<[PathBytes: (status: FileStatus, digest: [UInt8])]>([:])

    /// Looks below `folders`, the first one first.
    package init(folders: [PathBytes]) { self.folders = folders }

    /// Where the file of `video` is. A record is a stranger's word: a path that leads out of the folders is not followed, and a file
    /// with another content than the record's is not it.
    package func find(_ video: AnnotationRecord.Video) throws(NoPictures) -> PathBytes {
        let path = video.pathBytes
        guard !path.components.isEmpty, path.bytes.first != UInt8(ascii: "/"),
            !path.components.contains([0x2E, 0x2E])
        else { throw NoPictures(reason: "its path leads out of the folder of videos") }
        guard !video.contentID.isEmpty else {
            throw NoPictures(reason: "its content could not be read when it was annotated")
        }
        var hasCandidate = false
        for folder in folders {
            let candidate = folder.appending(path)
            guard (try? FileStatus.of(candidate, followingLinks: true))?.kind == .regular else {
                continue
            }
            hasCandidate = true
            if try identity(of: candidate, video) == video.contentID { return candidate }
        }
        throw NoPictures(
            reason: hasCandidate
                ? "the file has been changed since it was annotated" : "the file was not found")
    }

    private func identity(of path: PathBytes, _ video: AnnotationRecord.Video) throws(NoPictures)
        -> String
    {
        do {
            let identity = try ContentIdentity.read(path) { status in
                if status.size == video.bytes, status.modified == video.mtime {
                    return Hexadecimal.bytes(video.contentID.utf8.dropFirst("sha256:".utf8.count))
                }
                return digests.withLock { digests in
                    digests[path].flatMap { $0.status == status ? $0.digest : nil }
                }
            }
            digests.withLock { $0[path] = (identity.status, identity.digest) }
            return identity.text
        } catch {
            throw NoPictures(reason: "the file cannot be read: \(error.message)")
        }
    }
}

extension AnnotationRecord.Video {
    /// The path as the kernel has it.
    package var pathBytes: PathBytes {
        Data(base64Encoded: pathBytesBase64).flatMap { $0.isEmpty ? nil : PathBytes(bytes: $0) }
            ?? PathBytes(path)
    }
}
