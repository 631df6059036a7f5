//! Where a pipeline's model is, and which one it is.
import Foundation
import WadeFlamingo
package import WadeVideo

/// The folder of a model bundle.
package struct ModelLocation: Sendable {
    /// The folder.
    package let folder: String

    /// The model that ships with Wade and answers where none is named.
    package static let standard = "flaminglet"

    /// The folder beside the program that the package's resources are built into.
    private static let resources = "wade_WadePipeline.resources"

    /// The bundle called `model`: a folder when it has a slash or is one, else a name below `WADE_MODELS`, the user's data folder,
    /// the resources beside the program, or `share/wade/models` where the program is installed in a `bin`. Throws `file` when it
    /// is nowhere.
    package init(_ model: String) throws(PipelineError) {
        try self.init(
            model, environment: ProcessInfo.processInfo.environment,
            // The link names the program itself, however it was called.
            program: try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    }

    /// As above, for a program at the path `program`, nil when nobody knows.
    init(_ model: String, environment: [String: String], program: String?) throws(PipelineError) {
        let places = Self.places(model, environment: environment, program: program)
        let found = places.first { place in
            let file = PathBytes(place).appending(PathBytes("config.json"))
            return (try? FileStatus.of(file, followingLinks: true))?.kind == .regular
        }
        guard let found else {
            let advice =
                model == Self.standard
                ? "; it ships in \(Self.resources), which belongs beside the program" : ""
            throw .file(
                path: model, action: "find the model",
                reason: "found no config.json in \(places.joined(separator: ", "))\(advice)")
        }
        folder = found
    }

    private static func places(_ model: String, environment: [String: String], program: String?)
        -> [String]
    {
        guard !model.contains("/") else { return [model] }
        let folders = folders(environment: environment, program: program)
        return [model] + folders.map { $0 + "/" + model }
    }

    private static func folders(environment: [String: String], program: String?) -> [String] {
        var folders = [environment["WADE_MODELS"], usersFolder(environment: environment)]
            .compactMap { $0 }
        if let program {
            let beside = PathBytes(program).folder
            folders += [beside.text + "/" + resources, beside.folder.text + "/share/wade/models"]
        }
        return folders
    }

    /// The folder of models in the user's data folder.
    private static func usersFolder(environment: [String: String]) -> String {
        let data =
            environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "") + "/.local/share"
        return data + "/wade/models"
    }

    /// The folder that new models go to, where a pipeline finds them by name: `WADE_MODELS`, or the one in the user's data folder.
    package static func folderForNewModels(environment: [String: String]) -> String {
        environment["WADE_MODELS"] ?? usersFolder(environment: environment)
    }

    /// The bundles that a pipeline finds by name, each name once: the one that is taken.
    package static func all() -> [(name: String, folder: String)] {
        let folders = folders(
            environment: ProcessInfo.processInfo.environment,
            program: try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        var found: [(name: String, folder: String)] = []
        for folder in folders {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            for name in names.sorted() where !name.hasPrefix(".") {
                let place = folder + "/" + name
                guard !found.contains(where: { $0.name == name }),
                    FileManager.default.fileExists(atPath: place + "/config.json")
                else { continue }
                found.append((name, place))
            }
        }
        return found
    }

    /// Weights of at most so many bytes are hashed at every run (a fifth of a second); of larger ones the bundle's own hash is taken,
    /// and checked when the model is loaded.
    private static let hashedEachTime = 256 << 20

    /// What names the model in records and recipes: the hash of its weights, however they came to be what they are.
    package func identity() throws -> ModelIdentity {
        let folder = PathBytes(folder)
        let configurationPath = folder.appending(PathBytes("config.json"))
        let bytes = try SmallFile.read(configurationPath)
        let configuration = try FlamingoConfiguration(
            json: Data(bytes), path: configurationPath.shown)
        let tokenizer = try digest(folder.appending(PathBytes("tokenizer.json")))
        var weights = configuration.weightsSHA256
        let single = folder.appending(PathBytes("model.safetensors"))
        let size = (try? FileStatus.of(single, followingLinks: true))?.size ?? Int.max
        if size <= Self.hashedEachTime {
            weights = Hexadecimal.text(try digest(single))
        } else if weights.isEmpty {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.text)
                .filter { $0.hasSuffix(".safetensors") }.sorted()
            weights = Hexadecimal.text(
                Hexadecimal.sha256(try names.map { try digest(folder.appending(PathBytes($0))) }))
        }
        return ModelIdentity(
            name: configuration.name, weightsSHA256: weights,
            numericsVersion: Program.numericsVersion + " "
                + Hexadecimal.text(Hexadecimal.sha256([bytes, tokenizer])),
            storedPrecision: configuration.storedPrecision)
    }

    /// Bytes of the weights' files.
    func weightBytes() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".safetensors") }
            .reduce(0) { sum, name in
                let path = PathBytes(folder).appending(PathBytes(name))
                return sum + ((try? FileStatus.of(path, followingLinks: true))?.size ?? 0)
            }
    }

    /// Throws when large weights are not those that the bundle was written with. Hashing them takes longer than a start should, so
    /// `cache` remembers of a file that has not changed since.
    func requireRecordedWeights(cache: CacheFolder? = nil) throws {
        let folder = PathBytes(folder)
        let single = folder.appending(PathBytes("model.safetensors"))
        guard let status = try? FileStatus.of(single, followingLinks: true),
            status.size > Self.hashedEachTime
        else { return }
        let recorded = try ModelBundle(path: folder.text).configuration.weightsSHA256
        let key = Self.key(status, recorded)
        if let kept = cache?.read(key), kept == Array(recorded.utf8) { return }
        let found = Hexadecimal.text(try digest(single))
        cache?.write(Array(found.utf8), under: key)
        guard recorded.isEmpty || found == recorded else {
            throw PipelineError.file(
                path: single.shown, action: "use the model",
                reason: "its SHA-256 is \(found), config.json says \(recorded)")
        }
    }

    private static func key(_ status: FileStatus, _ recorded: String) -> CacheFolder.Key {
        let group = Hexadecimal.sha256([Array("weights 1".utf8)])
        let file =
            "\(status.device) \(status.inode) \(status.size) \(status.modifiedSeconds) \(status.modifiedNanoseconds)"
        let name = Hexadecimal.sha256([group, Array(file.utf8), Array(recorded.utf8)])
        return CacheFolder.Key(
            group: String(Hexadecimal.text(group).prefix(16)), name: Hexadecimal.text(name))
    }

    private func digest(_ path: PathBytes) throws(PipelineError) -> [UInt8] {
        do {
            return try ContentIdentity.read(path, known: { _ in nil }).digest
        } catch {
            throw .file(path: path.shown, action: "read the model", reason: error.message)
        }
    }
}

/// Cuts files as `segmentation` says; `decoders` open those that `cache` does not know.
package func clipCutter(
    _ segmentation: Segmentation, decoders: DecoderPool, cache: CacheFolder? = nil
) -> ClipCutter {
    let cut: ClipCutter = { source in
        do throws(VideoError) {
            let (spans, _) = try decoders.read(path: source.path.bytes) {
                (video) throws(VideoError) in try video.spans(segmentation)
            }
            return .success(spans)
        } catch {
            return .failure(ClipFailure(error))
        }
    }
    guard let kept = cache.map({ SpanCache($0, segmentation) }) else { return cut }
    return { kept.spans(of: $0, cut: cut) }
}
