//! Walks folders and says, for every name, whether it is taken, skipped and why, or cannot be taken.

/// A file that is to be annotated, or a place that cannot be read.
package struct FoundFile: Sendable, Equatable {
    /// Where it is, from `/`.
    package var path: PathBytes
    /// Its path below the root of the run, which the record carries.
    package var relativePath: PathBytes
    /// Why it cannot be tried; nil for a file that can.
    package var failure: ClipFailure?
    /// Whether the user named it: then it is tried however young it is.
    package var isArgument = false
}

/// Why a name in a folder is not taken.
package enum SkipReason: String, Sendable, CaseIterable {
    /// The name, or a folder above it, begins with a point.
    case hidden
    /// A download or copy under way, by its name.
    case partialDownload = "partial download"
    /// Neither an extension of videos nor of pictures.
    case otherExtension = "not a video's or picture's extension"
    /// A link to a folder; folders are entered by their own names only.
    case folderLink = "link to a folder"
    /// A pipe, socket or device.
    case notRegularFile = "not a regular file"
    /// The same folder was entered by another way.
    case alreadyEntered = "folder already entered"
    /// The output, or one of the files that a run keeps beside it.
    case ownOutput = "written by this program"
    /// Found, and deleted before it was read.
    case gone = "gone before it was read"
}

/// What a walk has found.
package struct Findings: Sendable {
    /// Files to annotate and places that cannot be read, each path once, in the order of the run.
    package var files: [FoundFile] = []
    /// Names that were not taken.
    package var skipped: [(path: PathBytes, reason: SkipReason)] = []
    /// The folder that the relative paths start from.
    package var root = PathBytes("/")
}

/// Finds clips. Folders are walked with their entries sorted by bytes as if every folder's name ended with a slash,
/// so the whole order is that of the paths' bytes; arguments keep the order in which they were given.
package struct ClipFinder {
    /// Extensions of containers that FFmpeg decodes to video.
    package static let videoExtensions: Set<String> = [
        "3g2", "3gp", "amv", "asf", "avi", "dv", "f4v", "flv", "h264", "h265", "hevc", "ivf", "m1v",
        "m2t", "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg",
        "mpv", "mts", "mxf", "nut", "obu", "ogg", "ogv", "qt", "rm", "rmvb", "ts", "vob", "webm",
        "wmv", "y4m",
    ]
    /// Extensions of still and moving pictures.
    package static let pictureExtensions: Set<String> = [
        "apng", "avif", "bmp", "gif", "jpeg", "jpg", "png", "pnm", "ppm", "tif", "tiff", "webp",
    ]

    private var findings = Findings()
    private var entered: Set<[UInt64]> = []
    private var taken: Set<PathBytes> = []
    /// Device and number of the output and of the files beside it: a run that took them would feed on itself.
    private var ownFiles: Set<[UInt64]> = []

    /// What lies at and below `paths`, without the files of a run into `output`. A path named by the user is always tried,
    /// whatever its name. Throws `request` when the output itself is named.
    package static func find(_ paths: [PathBytes], output: PathBytes? = nil) throws(PipelineError)
        -> Findings
    {
        let current: PathBytes
        do {
            current = try PathBytes.current()
        } catch {
            throw .file(path: ".", action: "find the current folder", reason: error.reason)
        }
        let absolute = paths.map { $0.absolute(below: current) }
        var finder = ClipFinder()
        finder.findings.root = commonFolder(of: absolute)
        if let output = output?.absolute(below: current) {
            try refuse(output, among: absolute)
            let sideFiles = [".lock", ".torn"].map {
                PathBytes(bytes: output.bytes + Array($0.utf8))
            }
            finder.ownFiles = Set(
                ([output, RunSummary.path(besides: output)] + sideFiles).compactMap(fileNumber))
        }
        for path in absolute { finder.take(argument: path) }
        return finder.findings
    }

    /// An output that is an input, by its path or by another name, would be answered about in itself.
    private static func refuse(_ output: PathBytes, among paths: [PathBytes]) throws(PipelineError)
    {
        let number = fileNumber(output)
        for path in paths where path == output || (number != nil && fileNumber(path) == number) {
            throw .request(
                found: "the output \(output.shown) among the files to annotate",
                expected: "another file as output")
        }
    }

    /// What tells a file from every other, whatever its name; nil when it is not there.
    private static func fileNumber(_ path: PathBytes) -> [UInt64]? {
        guard let status = try? FileStatus.of(path, followingLinks: true) else { return nil }
        return [status.device, status.inode]
    }

    /// The folder itself for one folder, the file's folder for one file, else the deepest folder that holds all.
    private static func commonFolder(of paths: [PathBytes]) -> PathBytes {
        let folders = paths.map { path in
            let status = try? FileStatus.of(path, followingLinks: true)
            return status?.kind == .folder ? path : path.folder
        }
        guard var common = folders.first?.components else { return PathBytes("/") }
        for folder in folders.dropFirst() {
            let shared = zip(common, folder.components).prefix { $0 == $1 }.count
            common = Array(common.prefix(shared))
        }
        return PathBytes(bytes: [0x2F] + common.joined(separator: [0x2F]))
    }

    private mutating func take(argument path: PathBytes) {
        do {
            switch try FileStatus.of(path, followingLinks: true).kind {
            case .folder: walk(path)
            case .regular: take(path, failure: nil, isArgument: true)
            case .link, .other:
                take(path, failure: .finding(.notRegularFile, "neither a file nor a folder"))
            }
        } catch {
            take(path, failure: linkFailure(error, at: path))
        }
    }

    private mutating func take(_ path: PathBytes, failure: ClipFailure?, isArgument: Bool = false) {
        guard taken.insert(path).inserted else { return }
        if failure == nil, !ownFiles.isEmpty, let number = Self.fileNumber(path),
            ownFiles.contains(number)
        {
            return skip(path, .ownOutput)
        }
        findings.files.append(
            FoundFile(
                path: path, relativePath: path.relative(to: findings.root), failure: failure,
                isArgument: isArgument))
    }

    private mutating func skip(_ path: PathBytes, _ reason: SkipReason) {
        findings.skipped.append((path, reason))
    }

    /// Walks with a list of what is still to be visited, because a tree may be deeper than the call stack.
    private mutating func walk(_ top: PathBytes) {
        var waiting: [(path: PathBytes, kind: FileStatus.Kind)] = [(top, .folder)]
        while let next = waiting.popLast() {
            if next.kind == .folder {
                waiting.append(contentsOf: entries(of: next.path).reversed())
            } else {
                visit(next.path, kind: next.kind)
            }
        }
    }

    /// What a folder holds, in the order of the run; a folder that cannot be read becomes a failed item.
    private mutating func entries(of folder: PathBytes)
        -> [(path: PathBytes, kind: FileStatus.Kind)]
    {
        do {
            let stream = try Folder(folder)
            let status = try stream.status()
            guard entered.insert([status.device, status.inode]).inserted else {
                skip(folder, .alreadyEntered)
                return []
            }
            var entries: [(order: [UInt8], path: PathBytes, kind: FileStatus.Kind)] = []
            for entry in try stream.entries() {
                let path = folder.appending(entry.name)
                let kind: FileStatus.Kind
                if let known = entry.kind {
                    kind = known
                } else {
                    kind = try FileStatus.of(path, followingLinks: false).kind
                }
                let order = entry.name.bytes + (kind == .folder ? [0x2F] : [])
                entries.append((order, path, kind))
            }
            entries.sort { $0.order.lexicographicallyPrecedes($1.order) }
            return entries.compactMap { entry in
                guard entry.path.name.bytes.first != UInt8(ascii: ".") else {
                    skip(entry.path, Self.isPartial(entry.path) ? .partialDownload : .hidden)
                    return nil
                }
                return (entry.path, entry.kind)
            }
        } catch {
            take(folder, failure: .finding(error.failureCode, "folder: \(error.reason)"))
            return []
        }
    }

    private mutating func visit(_ path: PathBytes, kind: FileStatus.Kind) {
        guard !Self.isPartial(path) else { return skip(path, .partialDownload) }
        let fileExtension = path.lowercaseExtension
        guard
            Self.videoExtensions.contains(fileExtension)
                || Self.pictureExtensions.contains(fileExtension)
        else { return skip(path, .otherExtension) }
        switch kind {
        case .regular: take(path, failure: nil)
        case .folder, .other: skip(path, .notRegularFile)
        case .link:
            do {
                switch try FileStatus.of(path, followingLinks: true).kind {
                case .regular: take(path, failure: nil)
                case .folder: skip(path, .folderLink)
                case .link, .other: skip(path, .notRegularFile)
                }
            } catch {
                take(path, failure: linkFailure(error, at: path))
            }
        }
    }

    /// A missing target is the link's fault when the link itself is there.
    private func linkFailure(_ error: SystemError, at path: PathBytes) -> ClipFailure {
        let own = try? FileStatus.of(path, followingLinks: false)
        if own?.kind == .link, error.failureCode == .inputOutput {
            return .finding(.brokenSymlink, "the link leads nowhere")
        }
        return .finding(error.failureCode, error.reason)
    }

    /// Names that download and copy programs give to what is not whole yet (curl, wget, rsync, browsers, office locks).
    static func isPartial(_ path: PathBytes) -> Bool {
        let name = path.name.bytes
        return ["part", "partial", "crdownload", "download", "filepart"].contains(
            path.lowercaseExtension)
            || name.starts(with: Array(".~".utf8)) || name.starts(with: Array("~$".utf8))
    }
}

extension ClipFailure {
    /// A failure while walking folders.
    static func finding(_ code: FailureCode, _ message: String) -> ClipFailure {
        ClipFailure(code: code, stage: .find, message: message)
    }
}
