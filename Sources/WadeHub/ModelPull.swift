//! `wade model pull`: a published model from the hub to a bundle.
internal import Foundation
internal import WadeFlamingo
package import WadePipeline

/// One model that is to be had.
package struct ModelPull: Sendable {
    package let model: RegisteredModel
    package let hub: Hub
    package let cache: HubCache
    /// The bundle's folder.
    package let output: String
    /// What the bundle is quantised to; nil leaves the weights as they were published.
    package var quantization: QuantizationPlan?
    /// No request is sent; what the cache holds has to do.
    package var isOffline = false
    /// Bytes of a part of a large file; tests have small ones.
    package var partSize = 64 << 20

    package init(_ model: RegisteredModel, hub: Hub, cache: HubCache, output: String) {
        self.model = model
        self.hub = hub
        self.cache = cache
        self.output = output
    }

    /// What is told on the way.
    package struct Messages: Sendable {
        /// A line that replaces the one before: progress.
        package var progress: @Sendable (String) -> Void
        /// A message that stays.
        package var note: @Sendable (String) -> Void

        package init(
            progress: @escaping @Sendable (String) -> Void,
            note: @escaping @Sendable (String) -> Void
        ) {
            self.progress = progress
            self.note = note
        }
    }

    /// What came of it.
    package struct Outcome: Sendable {
        package let bundle: ModelBundle
        /// Whether it had been there before.
        package let wasThere: Bool
        /// Bytes of the published files, which stay in the cache.
        package let published: Int
    }

    /// Downloads what is missing, checks everything, imports it, and gives the bundle its name when it is whole. What an earlier try has
    /// loaded is not loaded again.
    package func run(_ messages: Messages) throws -> Outcome {
        let lockPath = hidden("lock")
        guard let lock = try HubLock(path: lockPath) else {
            throw HubError.locked(path: output, holder: HubLock.holder(path: lockPath))
        }
        lock.sign()
        defer { lock.release() }
        if FileManager.default.fileExists(atPath: output) {
            let bundle = try ModelBundle(path: output)
            try bundle.check()
            // Nothing that is there is ever written over.
            if let quantization, !quantization.fits(bundle) {
                throw HubError.request(
                    found: "the bundle \(output), whose weights are not \(quantization.name)",
                    expected:
                        "no bundle or one of that precision; --output names another folder, wade model quantize makes one of it"
                )
            }
            return Outcome(bundle: bundle, wasThere: true, published: 0)
        }
        let meter = ProgressMeter(show: messages.progress)
        let (files, licences) = try fetched(meter, messages)
        let work = hidden("pull")
        // Only the holder of the lock has a use for this folder: an earlier one was ended in the middle of an import.
        try? FileManager.default.removeItem(atPath: work)
        defer { try? FileManager.default.removeItem(atPath: work) }
        messages.progress("importing")
        do {
            let published = try imported(files, in: work)
            let bundle = try quantized(published, in: work, messages)
            try PullCard(
                model: model, hub: hub, quantization: quantization?.name, files: files,
                licences: licences
            ).append(to: bundle + "/card.md")
            try place(bundle)
        } catch {
            throw whatIsNeeded(instead: error, files)
        }
        let size = files.reduce(0) { $0 + $1.size }
        return Outcome(bundle: try ModelBundle(path: output), wasThere: false, published: size)
    }

    /// A name beside the output that no listing of models shows.
    private func hidden(_ kind: String) -> String {
        let path = output as NSString
        let folder = path.deletingLastPathComponent
        return (folder.isEmpty ? "." : folder) + "/." + path.lastPathComponent + "." + kind
    }

    // MARK: - Files

    /// All files, on this machine and checked, and the licences that the hub states.
    private func fetched(
        _ meter: ProgressMeter, _ messages: Messages
    ) throws(HubError) -> ([PublishedFile], [String: String]) {
        let finder = FileFinder(hub: hub, cache: cache)
        guard !isOffline else {
            return (try cached(finder, meter, messages, reason: "no network is to be used"), [:])
        }
        do {
            return try loaded(finder, meter, messages)
        } catch .unreachable(let host, let reason) {
            let error = HubError.unreachable(host: host, reason: reason)
            return (try cached(finder, meter, messages, reason: "\(error)"), [:])
        }
    }

    /// What the cache holds, checked where it says what that should be.
    private func cached(
        _ finder: FileFinder, _ meter: ProgressMeter, _ messages: Messages, reason: String
    ) throws(HubError) -> [PublishedFile] {
        var files: [PublishedFile] = []
        var missing: [HubError.MissingFiles] = []
        for (part, source) in model.sources {
            let found = try finder.cachedFiles(part, source)
            files += found.here
            if let lacking = found.missing { missing.append(lacking) }
        }
        guard missing.isEmpty else { throw .offline(reason: reason, missing: missing) }
        messages.note("\(reason); using the files in \(cache.folder)")
        let unchecked = files.filter { $0.checksum == nil }.map(\.path)
        if !unchecked.isEmpty {
            messages.note(
                "nothing says what these should hold, so they are taken as they are: "
                    + unchecked.joined(separator: ", "))
        }
        return try files.map { (file) throws(HubError) in
            guard let checksum = file.checksum, let place = file.place else { return file }
            meter.begin("checking \(file.path)", total: file.size)
            let found = try checksum.found(at: place, size: file.size, seen: meter.add)
            guard found == checksum else {
                throw .checksum(file: place, found: "\(found)", expected: "\(checksum)")
            }
            return file
        }
    }

    /// What the hub holds, loaded as far as it is not here.
    private func loaded(
        _ finder: FileFinder, _ meter: ProgressMeter, _ messages: Messages
    ) throws(HubError) -> ([PublishedFile], [String: String]) {
        messages.progress("asking \(hub.endpoint.absoluteString)")
        var files: [PublishedFile] = []
        var licences: [String: String] = [:]
        for (part, source) in model.sources {
            var own = try finder.remoteFiles(part, source)
            // The index itself is small; only with it is it known how much is to come.
            for place in own.indices where own[place].path.hasSuffix(FileFinder.indexSuffix) {
                let index = try load([own[place]], finder, meter, messages)[0]
                own[place] = index
                own += try finder.remoteShards(of: index, source, at: index.place ?? "")
            }
            files += own
            licences[source.repository.name] = hub.licence(of: source.repository)
        }
        return (try load(files, finder, meter, messages), licences)
    }

    /// Brings all of `files` here.
    private func load(
        _ files: [PublishedFile], _ finder: FileFinder, _ meter: ProgressMeter,
        _ messages: Messages
    ) throws(HubError) -> [PublishedFile] {
        var files = files
        for place in files.indices where files[place].place == nil {
            files[place].place = try finder.local(files[place], meter: meter)
        }
        let open = files.indices.filter { files[$0].place == nil }
        let here = open.reduce(0) { $0 + bytesHere(files[$1]) }
        let total = open.reduce(0) { $0 + files[$1].size }
        try requireSpace(download: total - here, bundle: bundleBytes(files))
        if total > 0 {
            let resumed = here > 0 ? ", of which \(ByteText.of(here)) are here" : ""
            messages.note(
                "loading \(ByteText.of(total)) in \(open.count == 1 ? "1 file" : "\(open.count) files") from \(hub.endpoint.absoluteString)\(resumed)"
            )
        }
        meter.begin("", total: total, here: here)
        for place in open {
            meter.name(files[place].path)
            do throws(HubError) {
                files[place].place = try load(files[place], finder, meter, messages)
            } catch {
                throw whatIsNeeded(instead: error, files) as? HubError ?? error
            }
        }
        for file in files {
            guard let checksum = file.checksum, let place = file.place,
                place == cache.blob(checksum, of: file.repository.name)
            else { continue }
            try cache.link(checksum, as: file.path, of: file.repository, commit: file.commit)
        }
        return files
    }

    /// Bytes for the bundle: as many as the published files have and, where one of low precision is made of it, as many again, since
    /// both are there for a while.
    private func bundleBytes(_ files: [PublishedFile]) -> Int {
        let published = files.reduce(0) { $0 + $1.size }
        guard quantization != nil else { return published }
        let (both, isHuge) = published.multipliedReportingOverflow(by: 2)
        return isHuge ? Int.max : both
    }

    private func bytesHere(_ file: PublishedFile) -> Int {
        guard let checksum = file.checksum else { return 0 }
        let place = cache.blob(checksum, of: file.repository.name)
        return FileInParts.bytesHere(
            path: Download.unfinished(place), size: file.size,
            partSize: max(1, min(partSize, file.size)))
    }

    /// Loads one file, unless another process does: then its result is taken.
    private func load(
        _ file: PublishedFile, _ finder: FileFinder, _ meter: ProgressMeter, _ messages: Messages
    ) throws(HubError) -> String {
        guard let checksum = file.checksum else { return file.place ?? "" }
        let repository = file.repository.name
        let place = cache.blob(checksum, of: repository)
        try HubCache.make(folder: (place as NSString).deletingLastPathComponent)
        let lock = try HubLock.wait(path: cache.lock(checksum, of: repository)) {
            messages.note("waiting for another process that is loading \(file.path)")
        }
        defer { lock.release() }
        if FileManager.default.fileExists(atPath: place),
            try checksum.found(at: place, size: file.size) == checksum
        {
            meter.add(file.size)
            return place
        }
        let remote = RemoteFile(commit: file.commit, size: file.size, checksum: checksum)
        try Download(
            hub: hub, repository: file.repository, path: file.path, file: remote, place: place,
            meter: meter, partSize: partSize
        ).run()
        return place
    }

    /// What `files` and the bundle made of them still need, in place of an error about a full disk: others have filled it meanwhile.
    private func whatIsNeeded(instead error: any Error, _ files: [PublishedFile]) -> any Error {
        guard SystemReason.isFullDisk(error) else { return error }
        let left = files.filter { $0.place == nil }.reduce(0) { $0 + $1.size - bytesHere($1) }
        do throws(HubError) {
            try requireSpace(download: left, bundle: bundleBytes(files))
            return error
        } catch {
            return error
        }
    }

    private func requireSpace(download: Int, bundle: Int) throws(HubError) {
        let forDownload = try DiskSpace.free(at: cache.folder)
        let forBundle = try DiskSpace.free(at: output)
        guard download >= 0, bundle >= 0, bundle <= Int.max - download else {
            throw .space(path: cache.folder, needed: Int.max, free: forDownload.bytes)
        }
        if forDownload.device == forBundle.device {
            guard forDownload.bytes >= download + bundle else {
                throw .space(
                    path: cache.folder, needed: download + bundle, free: forDownload.bytes)
            }
            return
        }
        guard forDownload.bytes >= download else {
            throw .space(path: cache.folder, needed: download, free: forDownload.bytes)
        }
        guard forBundle.bytes >= bundle else {
            throw .space(path: output, needed: bundle, free: forBundle.bytes)
        }
    }

    // MARK: - Bundle

    /// The bundle made of `files`, below the folder `work`.
    private func imported(_ files: [PublishedFile], in work: String) throws -> String {
        // Exactly the files that were checked, whatever else lies in the cache beside them.
        for file in files {
            let link = work + "/parts/" + file.part.rawValue + "/" + file.path
            try HubCache.make(folder: (link as NSString).deletingLastPathComponent)
            let target = URL(fileURLWithPath: file.place ?? "").standardizedFileURL.path
            do {
                try FileManager.default.createSymbolicLink(
                    atPath: link, withDestinationPath: target)
            } catch {
                throw HubError.disk(
                    path: link, action: "write", reason: error.localizedDescription)
            }
        }
        func folder(_ part: RegisteredModel.Part) -> String? {
            model.parts[part] == nil ? nil : work + "/parts/" + part.rawValue
        }
        let parts = ModelImport(
            checkpoint: folder(.checkpoint) ?? work, language: folder(.language),
            vision: folder(.vision), name: model.name)
        return try parts.write(to: work + "/bundle").path
    }

    /// The bundle in the precision that was asked for: the one at `published`, or another made of it, which it then makes room for.
    private func quantized(_ published: String, in work: String, _ messages: Messages) throws
        -> String
    {
        guard let quantization else { return published }
        messages.progress("quantising to \(quantization.name)")
        let bundle = try quantization.write(published, to: work + "/quantized").path
        try? FileManager.default.removeItem(atPath: published)
        return bundle
    }

    private func place(_ bundle: String) throws(HubError) {
        HubCache.synchronize(folder: bundle)
        do {
            try FileManager.default.moveItem(atPath: bundle, toPath: output)
        } catch {
            throw .disk(path: output, action: "write", reason: error.localizedDescription)
        }
        HubCache.synchronize(folder: (output as NSString).deletingLastPathComponent)
    }
}
