//! Published files on this machine, in the folders that all programs of the Hugging Face hub share:
//! `models--organisation--name` with `blobs` (contents, named by checksum), `snapshots` (a commit's files, links to blobs) and `refs`
//! (the commit that a branch stood for).
internal import Foundation
internal import Glibc

/// A hub's local cache.
package struct HubCache: Sendable {
    /// The folder of all repositories.
    package let folder: String

    /// The cache at `folder`.
    package init(folder: String) {
        self.folder = folder
    }

    /// The user's: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else below the user's folder for caches.
    package init(environment: [String: String]) {
        func set(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let caches = set("XDG_CACHE_HOME") ?? (environment["HOME"] ?? "") + "/.cache"
        folder = set("HF_HUB_CACHE") ?? (set("HF_HOME") ?? caches + "/huggingface") + "/hub"
    }

    // MARK: - Places

    private func name(_ repository: String) -> String {
        "models--" + repository.replacingOccurrences(of: "/", with: "--")
    }

    /// A repository's folder.
    package func folder(of repository: String) -> String { folder + "/" + name(repository) }

    /// Where the content with `checksum` belongs.
    func blob(_ checksum: Checksum, of repository: String) -> String {
        folder(of: repository) + "/blobs/" + checksum.digits
    }

    /// The folder of a commit's files.
    package func snapshot(_ commit: String, of repository: String) -> String {
        folder(of: repository) + "/snapshots/" + commit
    }

    /// The file that says which process loads a content; huggingface_hub uses the same.
    func lock(_ checksum: Checksum, of repository: String) -> String {
        folder + "/.locks/" + name(repository) + "/" + checksum.digits + ".lock"
    }

    /// The commit that a revision stood for when it was last looked up; the revision itself where nobody looked it up, as a commit's own
    /// name, or a folder that somebody made by hand.
    package func commit(of repository: HubRepository) -> String {
        let path = folder(of: repository.name) + "/refs/" + repository.revision
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            return repository.revision
        }
        let commit = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return ModelRegistry.isPlainPath(commit) ? commit : repository.revision
    }

    /// The file `path` of a commit, if it is here; what it holds is not looked at.
    package func file(_ path: String, of repository: HubRepository, commit: String) -> String? {
        let place = snapshot(commit, of: repository.name) + "/" + path
        return FileManager.default.fileExists(atPath: place) ? place : nil
    }

    /// What the name of the content behind the link at `place` says that it holds; nil for a file that lies there itself.
    package func checksum(behind place: String) -> Checksum? {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: place) else {
            return nil
        }
        return Checksum(tag: (target as NSString).lastPathComponent)
    }

    // MARK: - Changes

    /// Makes a folder with those above it.
    static func make(folder: String) throws(HubError) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw .disk(
                path: folder, action: "make the folder",
                reason: reason(error) ?? error.localizedDescription)
        }
    }

    private static func reason(_ error: any Error) -> String? {
        ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.localizedDescription
    }

    /// Links the content of `checksum` under a commit's `path`, and keeps the commit as what the revision stands for.
    func link(
        _ checksum: Checksum, as path: String, of repository: HubRepository, commit: String
    ) throws(HubError) {
        let place = snapshot(commit, of: repository.name) + "/" + path
        try Self.make(folder: (place as NSString).deletingLastPathComponent)
        let depth = path.split(separator: "/").count
        let target = String(repeating: "../", count: depth + 1) + "blobs/" + checksum.digits
        try Self.replace(place) { unsafe symlink(target, $0) }
        guard repository.revision != commit else { return }
        let reference = folder(of: repository.name) + "/refs/" + repository.revision
        try Self.make(folder: (reference as NSString).deletingLastPathComponent)
        try Self.replace(reference) { temporary in
            (try? Data(commit.utf8).write(to: URL(fileURLWithPath: temporary))) == nil ? -1 : 0
        }
    }

    /// Makes something under another name with `make`, then gives it its own, in the place of what was there.
    private static func replace(_ place: String, make: (String) -> Int32) throws(HubError) {
        // Two pulls of one process may be at the same link.
        let temporary = place + ".\(UUID().uuidString.prefix(8)).wade"
        guard make(temporary) == 0, unsafe rename(temporary, place) == 0 else {
            let reason = SystemReason.last
            _ = unsafe unlink(temporary)
            throw .disk(path: place, action: "write", reason: reason)
        }
    }

    /// Bytes of the regular file at `path`, or behind the link there; nil for anything else.
    static func size(ofFile path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return Int(status.st_size)
    }

    /// Bytes that the file at `path` takes on the disk; a file with holes takes less than its size.
    static func bytesOnDisk(_ path: String) -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return 0 }
        return min(Int(status.st_blocks) * 512, Int(status.st_size))
    }

    /// Brings a folder's entries to the disk.
    static func synchronize(folder: String) {
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
