//! Which files of a repository a model needs, and where they are on this machine.
internal import Foundation
internal import WadePipeline

/// One file of a part of a model.
package struct PublishedFile: Sendable {
    package let part: RegisteredModel.Part
    /// With the revision that was asked for.
    package let repository: HubRepository
    package let commit: String
    package let path: String
    /// Nil for a file that somebody brought without saying what it should hold.
    package let checksum: Checksum?
    package let size: Int
    /// Where it is; nil while it is not here.
    package var place: String?
}

/// Finds out what a model needs: from the hub, or without one from the local cache.
struct FileFinder {
    let hub: Hub
    let cache: HubCache

    /// The files of `source` as the hub has them, those of an index apart: they are known when the index is here.
    func remoteFiles(
        _ part: RegisteredModel.Part, _ source: RegisteredModel.Source
    ) throws(HubError) -> [PublishedFile] {
        var files: [PublishedFile] = []
        // All files of one commit, whatever the branch does meanwhile.
        var repository = source.repository
        func find(_ path: String) throws(HubError) -> Bool {
            guard let remote = try hub.file(path, of: repository) else { return false }
            repository = HubRepository(name: repository.name, revision: remote.commit)
            files.append(try file(path, part, source, remote))
            return true
        }
        for names in source.files {
            var isFound = false
            for name in names where !isFound { isFound = try find(name) }
            guard isFound else {
                throw .refused(
                    url: hub.address(of: names[0], in: repository).absoluteString, status: 404,
                    advice: names.count == 1
                        ? "the repository has no such file"
                        : "the repository has none of \(names.joined(separator: ", "))")
            }
        }
        for name in source.optional { _ = try find(name) }
        return files
    }

    /// The shards that the index at `place` names, as the hub has them.
    func remoteShards(of index: PublishedFile, _ source: RegisteredModel.Source, at place: String)
        throws(HubError) -> [PublishedFile]
    {
        let repository = HubRepository(name: index.repository.name, revision: index.commit)
        return try shardNames(index, at: place).map { (name) throws(HubError) in
            guard let remote = try hub.file(name, of: repository) else {
                throw .refused(
                    url: hub.address(of: name, in: repository).absoluteString, status: 404,
                    advice: "the repository's \(index.path) names a file that is not there")
            }
            return try file(name, index.part, source, remote)
        }
    }

    private func file(
        _ path: String, _ part: RegisteredModel.Part, _ source: RegisteredModel.Source,
        _ remote: RemoteFile
    ) throws(HubError) -> PublishedFile {
        if let digits = source.sha256[path], remote.checksum != .sha256(digits) {
            throw .checksum(
                file: "\(source.repository.name)/\(path)", found: "\(remote.checksum) on the hub",
                expected: "sha256 \(digits), as the registry says")
        }
        return PublishedFile(
            part: part, repository: source.repository, commit: remote.commit, path: path,
            checksum: remote.checksum, size: remote.size, place: nil)
    }

    /// Where a content with this checksum is, on this machine: checked, unless it is not there at all.
    func local(_ file: PublishedFile, meter: ProgressMeter) throws(HubError) -> String? {
        guard let checksum = file.checksum else { return file.place }
        let places = [
            cache.blob(checksum, of: file.repository.name),
            cache.snapshot(file.commit, of: file.repository.name) + "/" + file.path,
        ]
        for place in places where size(place) == file.size {
            meter.begin("checking \(file.path)", total: file.size)
            let found = try checksum.found(at: place, size: file.size, seen: meter.add)
            if found == checksum { return place }
        }
        return nil
    }

    private func size(_ path: String) -> Int? { HubCache.size(ofFile: path) }

    // MARK: - Without a hub

    /// The files of `source` that the cache holds, shards included, and those that are missing.
    func cachedFiles(
        _ part: RegisteredModel.Part, _ source: RegisteredModel.Source
    ) throws(HubError) -> (here: [PublishedFile], missing: HubError.MissingFiles?) {
        let commit = cache.commit(of: source.repository)
        var here: [PublishedFile] = []
        var missing: [String] = []
        func find(_ path: String) -> PublishedFile? {
            guard let place = cache.file(path, of: source.repository, commit: commit),
                let size = size(place)
            else { return nil }
            let checksum =
                source.sha256[path].map { Checksum.sha256($0) } ?? cache.checksum(behind: place)
            return PublishedFile(
                part: part, repository: source.repository, commit: commit, path: path,
                checksum: checksum, size: size, place: place)
        }
        for names in source.files {
            guard let file = names.lazy.compactMap(find).first else {
                let shards = names.contains { $0.hasSuffix(Self.indexSuffix) }
                missing.append(
                    names.joined(separator: " or ")
                        + (shards ? " and the files that an index names" : ""))
                continue
            }
            here.append(file)
            guard file.path.hasSuffix(Self.indexSuffix), let place = file.place else { continue }
            for name in try shardNames(file, at: place) {
                if let shard = find(name) { here.append(shard) } else { missing.append(name) }
            }
        }
        here += source.optional.compactMap(find)
        guard !missing.isEmpty else { return (here, nil) }
        return (
            here,
            HubError.MissingFiles(
                repository: "\(source.repository.name), revision \(source.repository.revision)",
                files: missing, folder: cache.snapshot(commit, of: source.repository.name))
        )
    }

    // MARK: - Shards

    static let indexSuffix = ".index.json"

    /// The files beside an index that it names.
    private func shardNames(_ index: PublishedFile, at place: String) throws(HubError) -> [String] {
        struct Index: Decodable { let weight_map: [String: String] }
        guard index.size <= 64 << 20, let json = FileManager.default.contents(atPath: place),
            let map = try? JSONDecoder().decode(Index.self, from: json).weight_map
        else {
            throw .answer(
                url: place, found: "something else", expected: "an index with a weight_map")
        }
        let names = Set(map.values).sorted()
        guard names.allSatisfy({ ModelRegistry.isPlainPath($0) && !$0.contains("/") }) else {
            throw .answer(
                url: place, found: "shards elsewhere", expected: "names of files beside the index")
        }
        let folder = index.path.split(separator: "/").dropLast().joined(separator: "/")
        return names.map { folder.isEmpty ? $0 : folder + "/" + $0 }
    }
}
