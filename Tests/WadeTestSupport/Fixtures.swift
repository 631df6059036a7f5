//! Where the tests find the tensors, tokenizers and pictures that the original implementations made.
import Foundation

/// The fixture folder: `WADE_FIXTURES` when set, else the copies under `Tests/Fixtures`.
public enum Fixtures {
    /// The folder whose subfolders are the fixture families.
    public static var root: URL {
        if let path = ProcessInfo.processInfo.environment["WADE_FIXTURES"], !path.isEmpty {
            return URL(fileURLWithPath: path, isDirectory: true)
        }
        return bundled
    }

    /// The small copies that travel with the project.
    public static var bundled: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures", isDirectory: true)
    }

    /// The fixture at `path` below the root, such as `tokenizers/neox/tokenizer.json`.
    public static func url(_ path: String) -> URL {
        root.appendingPathComponent(path)
    }

    /// The folders directly below `path`, sorted by name; empty when there is no such folder.
    public static func folders(in path: String = "") -> [String] {
        let folder = path.isEmpty ? root : url(path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            let full = folder.appendingPathComponent(name).path
            return FileManager.default.fileExists(atPath: full, isDirectory: &isFolder)
                && isFolder.boolValue
        }.sorted()
    }

    /// The real clips and the manifests beside them: `WADE_CORPUS` when set, else nil (they are not ours to publish).
    public static var corpus: URL? {
        guard let path = ProcessInfo.processInfo.environment["WADE_CORPUS"], !path.isEmpty else {
            return nil
        }
        return URL(fileURLWithPath: path, isDirectory: true)
    }
}
